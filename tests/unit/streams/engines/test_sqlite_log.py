"""The SQLite log beside what the contract suite tries."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.engines.embedded import EmbeddedEngine
from streams.engines.sqlite_log import SqliteLog
from streams.errors import UnavailableError
from streams.events import Part, Signal, Text
from streams.topology import TOPOLOGY


def test_a_second_process_is_told_who_holds_the_folder(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path, TOPOLOGY)
    with pytest.raises(UnavailableError, match="stop it first"):
        SqliteLog(tmp_path, TOPOLOGY)
    log.close()
    SqliteLog(tmp_path, TOPOLOGY).close()


def test_a_commit_is_synced_to_the_disk(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path, TOPOLOGY)
    assert log.raw.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert log.raw.execute("PRAGMA synchronous").fetchone() == (2,)
    log.close()


def test_reading_goes_on_from_where_the_last_page_ended(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path, TOPOLOGY)
    engine = EmbeddedEngine(log)
    engine.start()
    signals = [Signal(id=str(n), signal=str(n), output="o", kind="retry") for n in range(5)]
    engine.submit(lambda transaction: [transaction.append(signal) for signal in signals]).result()
    assert [record.offset for record in log.read("signals", 3)] == [3, 4]
    assert [record.event for record in log.read("signals", 0, 2)] == signals[:2]
    assert log.end("signals") == 5
    engine.stop()
    log.close()


def test_the_words_of_an_output_are_found_by_its_id(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path, TOPOLOGY)
    engine = EmbeddedEngine(log)
    engine.start()
    text = Text(id="t", owner="o1", responses=((Part(text="hello"),),))
    engine.submit(lambda transaction: transaction.append(text)).result()
    assert log.newest("texts", "o1") == text
    assert log.newest("texts", "o2") is None
    engine.stop()
    log.close()

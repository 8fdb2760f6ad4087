"""The SQLite log beside what the contract suite tries."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.engines.embedded import EmbeddedEngine
from streams.engines.sqlite_log import FILE_NAME, SqliteLog, require_log
from streams.errors import SettingsError, UnavailableError
from streams.events import Part, Signal, Text
from streams.topology import TOPOLOGY


def test_a_second_process_is_told_who_holds_the_folder(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path, TOPOLOGY)
    with pytest.raises(UnavailableError, match="stop it first"):
        SqliteLog(tmp_path, TOPOLOGY)
    log.close()
    SqliteLog(tmp_path, TOPOLOGY).close()


def test_a_folder_that_cannot_be_made_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(SettingsError, match=r"data folder .*file.* cannot be used \(.*\): .*--data"):
            SqliteLog(path, TOPOLOGY)


def test_a_file_that_is_no_database_says_to_restore_one_and_lets_the_next_in(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"no database" * 1000)
    for _ in range(2):
        with pytest.raises(SettingsError, match=r"prefloop.sqlite3 cannot be used \(file is not.*backup"):
            SqliteLog(tmp_path, TOPOLOGY)


def test_a_folder_without_a_log_is_told_before_one_is_made_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"no log in .*--data"):
        require_log(tmp_path / "slip")
    assert not (tmp_path / "slip").exists()
    SqliteLog(tmp_path, TOPOLOGY).close()
    require_log(tmp_path)


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

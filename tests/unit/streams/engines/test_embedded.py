"""The embedded engine beside what the contract suite tries: listeners, lag, storage that fails."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import Connection
from structlog.testing import capture_logs

from streams.engines.embedded import EmbeddedEngine
from streams.engines.port import Record, Transaction
from streams.engines.sqlite_log import SqliteLog
from streams.errors import UnavailableError
from streams.events import DeadLetter, Signal
from streams.topology import TOPOLOGY

SIGNALS = [Signal(id=str(n), signal=str(n), output="o", kind="retry") for n in range(10)]


class Picky:
    """A view that cannot fold one of the signals."""

    name = "picky"
    topics: tuple[str, ...] = ("signals",)

    def __init__(self) -> None:
        self.folded: list[str] = []

    def apply(self, sql: Connection, records: Sequence[Record]) -> None:
        if any(record.event.id == "3" for record in records):
            raise ValueError("three")
        self.folded += [record.event.id for record in records]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SqliteLog]:
    log = SqliteLog(tmp_path, TOPOLOGY)
    yield log
    log.close()


def append_all(engine: EmbeddedEngine) -> None:
    engine.submit(lambda transaction: [transaction.append(signal) for signal in SIGNALS]).result()
    engine.drain()


def test_a_disk_that_stays_full_is_told_now_and_then_and_not_at_each_try(log: SqliteLog) -> None:
    def full(transaction: Transaction) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    engine = EmbeddedEngine(log)
    engine.start()
    with capture_logs() as lines:
        for _ in range(3):
            with pytest.raises(UnavailableError):
                engine.submit(full).result()
    engine.stop()
    assert [line["event"] for line in lines] == ["transaction failed"]


def test_a_view_that_cannot_fold_an_event_buries_it_and_goes_on(log: SqliteLog) -> None:
    view = Picky()
    engine = EmbeddedEngine(log, [view])
    engine.start()
    append_all(engine)
    engine.stop()
    (letter,) = (record.event for record in log.read("dead_letters"))
    assert isinstance(letter, DeadLetter)
    assert (letter.stage, letter.offset) == ("picky", 3)
    assert view.folded == [signal.id for signal in SIGNALS if signal.id != "3"]
    assert engine.lag()["picky"] == 0


def test_a_listener_hears_of_what_is_durable_before_the_writer_answers(log: SqliteLog) -> None:
    engine, heard = EmbeddedEngine(log), list[str]()
    engine.add_listener(lambda records: heard.extend(record.event.id for record in records))
    engine.start()
    engine.submit(lambda transaction: transaction.append(SIGNALS[0])).result()
    assert heard == ["0"]
    engine.stop()


def test_storage_that_fails_acknowledges_nothing_and_the_next_one_is_taken(log: SqliteLog) -> None:
    engine = EmbeddedEngine(log)
    engine.start()

    def full(transaction: Transaction) -> None:
        transaction.append(SIGNALS[0])
        raise sqlite3.OperationalError("database or disk is full")

    with pytest.raises(UnavailableError, match="disk is full"):
        engine.submit(full).result()
    assert log.end("signals") == 0
    append_all(engine)
    assert log.end("signals") == len(SIGNALS)
    engine.stop()


def test_a_caller_who_went_away_does_not_stop_the_writer(log: SqliteLog) -> None:
    engine = EmbeddedEngine(log)
    future = engine.submit(lambda transaction: transaction.append(SIGNALS[0]))
    assert future.cancel()
    engine.start()
    append_all(engine)
    assert log.end("signals") == len(SIGNALS)
    engine.stop()

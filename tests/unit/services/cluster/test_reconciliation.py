"""A judgment that no stage has seen is appended again; a backlog, a fresh one and a hopeless one are left alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import Engine, create_engine, insert

from services.cluster.reconciliation import OVERDUE_MS, TRIES, Missing, Reconciler, judgments_in
from services.store import models as m
from streams.engines.kafka_connection import KafkaConnection
from streams.engines.kafka_log import KafkaLog
from streams.engines.kafka_reader import KafkaReader
from streams.engines.kafka_topics import create_topics, make_layout
from streams.events import Judgment
from tests.contract.sqlite_admissions import SqliteAdmissions

T = TypeVar("T")
NOW = 10_000_000


def judgment(name: str, annotator: str = "ann") -> Judgment:
    return Judgment(id=name, judgment=name, task="t", annotator=annotator, choice="a", prompt_length=17)


class Written:
    """A log that remembers what was appended."""

    def __init__(self) -> None:
        self.events: list[object] = []

    def submit(self, work: Callable[[Any], T]) -> Future[T]:
        future: Future[T] = Future()
        future.set_result(work(self))
        return future

    def append(self, event: object) -> int:
        self.events.append(event)
        return -1


class Bench:
    def __init__(self, database: Engine) -> None:
        self.now, self.lag, self.written = NOW, {"assessments": 0, "views": 0}, Written()
        self.reconciler = Reconciler(
            database=database,
            log=self.written,
            lag=lambda: self.lag,
            find=self._find,
            clock=lambda: self.now,
        )

    def _find(self, wanted: Sequence[Missing]) -> list[Judgment]:
        return [judgment(name, annotator) for name, annotator in wanted]

    def look(self) -> list[str]:
        self.now += OVERDUE_MS
        self.written.events.clear()
        self.reconciler.tick()
        return [event.judgment for event in self.written.events if isinstance(event, Judgment)]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Engine]:
    engine = create_engine(f"sqlite:///{tmp_path / 'views.sqlite3'}")
    m.metadata.create_all(engine)
    rows = [
        {"judgment": "lost", "ingested_at": NOW - OVERDUE_MS, "assessed": False},
        {"judgment": "done", "ingested_at": NOW - OVERDUE_MS, "assessed": True},
        {"judgment": "fresh", "ingested_at": NOW + 100 * OVERDUE_MS, "assessed": False},
        {"judgment": "stub", "ingested_at": 0, "assessed": False},  # its judgment has not come yet
    ]
    with engine.begin() as sql:
        for row in rows:
            sql.execute(insert(m.judgments).values(annotator="ann", task="t", choice="a", marks={}, flags=[], **row))
    yield engine
    engine.dispose()


def test_only_the_lost_one_is_appended_again_and_not_for_ever(database: Engine) -> None:
    bench = Bench(database)
    assert [bench.look() for _ in range(TRIES + 1)] == [["lost"]] * TRIES + [[]]
    assert bench.reconciler.appended == TRIES


def test_a_backlog_is_no_loss(database: Engine) -> None:
    bench = Bench(database)
    bench.lag["assessments"] = 5
    assert bench.look() == []
    bench.lag["assessments"] = 0
    assert bench.look() == ["lost"]


def test_it_looks_once_a_minute(database: Engine) -> None:
    bench = Bench(database)
    assert bench.look() == ["lost"]
    bench.written.events.clear()
    bench.reconciler.tick()
    assert bench.written.events == []


def test_the_event_comes_out_of_the_log_as_it_was(kafka: KafkaConnection, tmp_path: Path) -> None:
    layout = make_layout(prefix=kafka.prefix, partitions=3)
    create_topics(kafka, layout)
    store = SqliteAdmissions(tmp_path / "admissions.sqlite3")
    log, reader = KafkaLog(kafka, layout, store), KafkaReader(kafka)
    for number in range(9):
        event = judgment(f"j{number}", f"ann{number % 4}")
        log.submit(lambda transaction, event=event: transaction.append(event)).result()  # type: ignore[misc]
    assert judgments_in(reader, layout, [("j5", "ann1"), ("gone", "ann2")]) == [judgment("j5", "ann1")]
    reader.close()
    log.close()
    store.close()

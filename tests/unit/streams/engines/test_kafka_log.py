"""Admitted in SQL, appended to Kafka, acknowledged when both have it; an outage is told and mends itself."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streams.engines import kafka_log
from streams.engines.kafka_connection import KafkaConnection
from streams.engines.kafka_log import AdmissionBatch, KafkaLog
from streams.engines.kafka_topics import create_topics
from streams.engines.port import Transaction
from streams.errors import UnavailableError
from streams.events import DeadLetter
from tests.contract.kafka_toy import toy_layout
from tests.contract.sqlite_admissions import SqliteAdmissions, SqliteBatch
from tests.contract.toy import TOY, Number
from tests.services.kafka import Broker, require_kafka


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteAdmissions]:
    store = SqliteAdmissions(tmp_path / "admissions.sqlite3")
    yield store
    store.close()


@pytest.fixture
def log(kafka: KafkaConnection, store: SqliteAdmissions) -> Iterator[KafkaLog]:
    log = opened(kafka, store)
    yield log
    log.close()


def opened(kafka: KafkaConnection, store: SqliteAdmissions) -> KafkaLog:
    layout = toy_layout(TOY, kafka.prefix)
    create_topics(kafka, layout)
    return KafkaLog(kafka, layout, store)


def letter(number: int) -> DeadLetter:
    return DeadLetter(
        id=f"d{number}", topic="t", partition=0, offset=number, key="k", stage="s", reason="r", payload=b""
    )


def appending(number: int) -> Callable[[Transaction], object]:
    """Claims an id and appends its event, as admission does."""

    def work(transaction: Transaction) -> str:
        admission = transaction.admit("letter", f"d{number}", "content")
        if admission == "new":
            transaction.append(letter(number))
        return admission

    return work


def test_what_was_acknowledged_is_in_the_log_in_order(log: KafkaLog) -> None:
    futures = [log.submit(appending(number)) for number in range(1_000)]
    assert {future.result() for future in futures} == {"new"}
    assert [record.event.id for record in log.read("dead_letters", limit=2_000)] == [f"d{n}" for n in range(1_000)]
    assert log.end("dead_letters") == 1_000
    assert [record.offset for record in log.read("dead_letters", start=990, limit=3)] == [990, 991, 992]


def test_an_id_is_admitted_once_it_is_in_the_log(log: KafkaLog) -> None:
    assert log.submit(appending(1)).result() == "new"
    assert log.submit(appending(1)).result() == "same"  # the batch before confirmed it
    assert len(log.read("dead_letters")) == 1


def test_an_id_whose_event_may_be_missing_is_appended_again(kafka: KafkaConnection, store: SqliteAdmissions) -> None:
    """A crash between SQL and Kafka: the claim stands, unconfirmed."""
    with store.batch() as batch:
        batch.admit("letter", "d1", "content")
    log = opened(kafka, store)
    assert log.submit(appending(1)).result() == "new"
    assert log.submit(lambda transaction: transaction.admit("letter", "d1", "other")).result() == "other"
    log.close()


def test_topics_of_many_partitions_are_not_read_as_one(log: KafkaLog) -> None:
    with pytest.raises(ValueError, match="by place"):
        log.read("numbers")


def test_bytes_in_flight_are_bounded(log: KafkaLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch ends where enough is collected; the rest goes with the next."""
    sizes: list[int] = []
    produce = log._produce

    def watched(sendings: list[object]) -> None:
        sizes.append(len(sendings))
        produce(sendings)  # type: ignore[arg-type]

    monkeypatch.setattr(kafka_log, "MOST_BYTES", 1_000)
    monkeypatch.setattr(log, "_produce", watched)
    for future in [log.submit(appending(number)) for number in range(100)]:
        future.result()
    assert max(sizes) < 20


def test_too_much_that_waits_is_refused_with_a_hint(
    kafka: KafkaConnection, store: SqliteAdmissions, monkeypatch: pytest.MonkeyPatch
) -> None:
    door = threading.Event()
    monkeypatch.setattr(kafka_log, "MOST_WAITING", 3)
    log = opened(kafka, store)
    held = log.submit(lambda transaction: door.wait(30))
    futures = [log.submit(appending(number)) for number in range(10)]
    refused = [future for future in futures if future.done()]
    door.set()
    held.result()
    assert len(refused) >= 6
    with pytest.raises(UnavailableError, match="try again") as told:
        refused[0].result()
    assert told.value.retry_after >= 1
    assert next(future.result() for future in futures if future not in refused) == "new"
    log.close()


def test_a_database_that_fails_is_an_outage(log: KafkaLog, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(batch: AdmissionBatch, kind: str, identity: str, content_hash: str) -> str:
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(SqliteBatch, "admit", broken)
        with pytest.raises(UnavailableError, match="no space left"):
            log.submit(appending(1)).result()
    assert log.submit(appending(1)).result() == "new"


@pytest.mark.slow
def test_a_broker_outage_is_told_and_afterwards_the_same_log_goes_on(tmp_path: Path, store: SqliteAdmissions) -> None:
    require_kafka()
    broker = Broker(tmp_path / "kafka")
    broker.start()
    log = opened(KafkaConnection(servers=broker.servers, prefix="t.", timeout_ms=2_000), store)
    assert log.submit(appending(1)).result() == "new"
    broker.kill()
    with pytest.raises(UnavailableError, match="Kafka"):
        log.submit(appending(2)).result(timeout=60)
    broker.start()
    assert log.submit(appending(2)).result(timeout=60) == "new"  # its claim was never confirmed
    found = [record.event.id for record in log.read("dead_letters")]
    assert (found[0], set(found)) == ("d1", {"d1", "d2"})
    log.close()
    broker.stop()


def test_a_number_goes_to_the_partition_of_its_key(log: KafkaLog, kafka: KafkaConnection) -> None:
    event = Number(id="n", name="name1", colour="red", value=1)
    assert log.submit(lambda transaction: transaction.append(event)).result() == -1
    name, _, partition = toy_layout(TOY, kafka.prefix).place("numbers", "name1")
    assert log._open_reader().ends(name)[partition] == 1

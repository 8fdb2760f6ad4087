"""What outsiders produce is admitted as the API admits it, once; the rest is buried with the reason."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from kafka import KafkaProducer

from services.intake.intake import Campaigns, Intake, sorted_out
from streams.engines.guarded import Delivery
from streams.engines.kafka_connection import KafkaConnection
from streams.engines.kafka_log import KafkaLog
from streams.engines.kafka_reader import KafkaReader
from streams.engines.kafka_topics import Layout, create_topics, make_layout
from streams.errors import NotFoundError
from streams.events import Campaign, DeadLetter
from tests.contract.sqlite_admissions import SqliteAdmissions

NOW = 1_700_000_000_000
CAMPAIGN = Campaign(id="c1", name="default", version=1)


def raw(**fields: object) -> bytes:
    return json.dumps({"id": "o1", "prompt": "Why?", "responses": ["So.", "Because."], **fields}).encode()


def only_default(name: str) -> Campaign:
    if name != "default":
        raise NotFoundError(f"there is no campaign {name!r}", field="campaign")
    return CAMPAIGN


def test_a_good_message_becomes_the_output_that_the_api_would_make() -> None:
    ((_, (output, words)),), letters = sorted_out([Delivery(1, 5, b"", raw())], only_default, NOW)
    assert (output.output, output.actor, output.ingested_at, words.owner) == ("o1", "intake", NOW, "o1")
    assert letters == []


def test_a_message_without_an_id_is_named_by_its_place() -> None:
    message = Delivery(1, 5, b"", raw(id=""))
    ((_, (first, _)),), _ = sorted_out([message], only_default, NOW)
    ((_, (again, _)),), _ = sorted_out([message], only_default, NOW + 1)
    ((_, (other, _)),), _ = sorted_out([Delivery(1, 6, b"", raw(id=""))], only_default, NOW)
    assert first.output == again.output != other.output


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "not an output"),
        (b"\xff", "not an output"),
        (b"[" * 5_000, "not an output"),
        (raw(responses=[]), "not an output"),
        (raw(prompt=" "), "prompt is empty"),
        (raw(campaign="other"), "there is no campaign"),
        (raw(gold="a"), "gold comes from leads"),
    ],
)
def test_a_bad_message_is_buried_with_its_bytes_and_the_reason(payload: bytes, reason: str) -> None:
    admitted, (letter,) = sorted_out([Delivery(1, 5, b"k", payload)], only_default, NOW)
    assert admitted == []
    assert (letter.topic, letter.partition, letter.offset, letter.payload) == ("intake", 1, 5, payload)
    assert reason in letter.reason


class Running:
    """An intake with the real Kafka."""

    def __init__(self, kafka: KafkaConnection, log: KafkaLog, layout: Layout) -> None:
        self._kafka, self._log, self._layout = kafka, log, layout
        self._reader = KafkaReader(kafka)
        self.intake = self._make()

    def _make(self) -> Intake:
        return Intake(
            connection=self._kafka,
            layout=self._layout,
            log=self._log,
            campaigns=Campaigns(self._log),
            clock=lambda: NOW,
        )

    def restart(self) -> None:
        self.intake.stop()
        self.intake = self._make()
        self.intake.start()

    def produce(self, payloads: Sequence[bytes]) -> None:
        with KafkaProducer(**self._kafka.kafka_python()) as producer:
            for payload in payloads:
                producer.send(self._layout.full_name("intake"), value=payload)

    def outputs(self) -> list[str]:
        found = self._reader.all(self._layout.full_name("outputs"))
        return sorted(self._layout.record("outputs", d.partition, d.offset, d.key, d.payload).key for d in found)

    def close(self) -> None:
        self.intake.stop()
        self._reader.close()
        self._log.close()


@pytest.fixture
def running(kafka: KafkaConnection, tmp_path: Path) -> Iterator[Running]:
    layout = make_layout(prefix=kafka.prefix, partitions=2)
    create_topics(kafka, layout)
    store = SqliteAdmissions(tmp_path / "admissions.sqlite3")
    log = KafkaLog(kafka, layout, store)
    log.submit(lambda transaction: transaction.append(CAMPAIGN)).result()
    running = Running(kafka, log, layout)
    running.intake.start()
    yield running
    running.close()
    store.close()


def until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not done():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


@pytest.mark.slow
def test_what_is_produced_is_admitted_once_and_the_rest_is_buried(running: Running) -> None:
    good = [raw(id=f"o{number}") for number in range(20)]
    running.produce([*good, raw(id="o3", prompt="Another?"), b"nonsense"])
    until(lambda: sum(running.intake.counts.values()) == 22)
    running.restart()
    running.produce([good[0], raw(id="o99")])
    until(lambda: sum(running.intake.counts.values()) == 2)
    assert running.outputs() == sorted([f"o{number}" for number in range(20)] + ["o99"])
    letters = [r.event for r in running._log.read("dead_letters") if isinstance(r.event, DeadLetter)]
    assert len(letters) == 2
    assert any("other content" in letter.reason for letter in letters)

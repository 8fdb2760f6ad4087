"""Whole batches to the real Kafka: all of it, in order, and what happens when one is not taken."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from streams.engines.guarded import Sending
from streams.engines.kafka_connection import KafkaConnection
from streams.engines.kafka_reader import KafkaReader
from streams.engines.kafka_sender import BATCH_BYTES, BlockingSender
from streams.engines.kafka_topics import create_topics
from tests.contract.kafka_toy import toy_layout
from tests.contract.toy import TOY
from tests.services.kafka import Broker, require_kafka


def numbered(topic: str, partition: int, count: int, size: int = 100) -> list[Sending]:
    return [Sending(topic, partition, b"key", b"%06d" % number + b"x" * size) for number in range(count)]


def opened(connection: KafkaConnection) -> BlockingSender:
    return BlockingSender(connection, block_s=30, delivery_s=60)


@pytest.fixture
def topic(kafka: KafkaConnection) -> str:
    layout = toy_layout(TOY, kafka.prefix)
    create_topics(kafka, layout)
    return layout.place("numbers", "any")[0]


@pytest.fixture
def sender(kafka: KafkaConnection, topic: str) -> Iterator[BlockingSender]:
    found = opened(kafka)
    yield found
    found.close()


def test_everything_arrives_in_the_order_of_its_partition(
    kafka: KafkaConnection, topic: str, sender: BlockingSender
) -> None:
    """More than one batch a partition, and a message that is larger than a batch."""
    zero, one = numbered(topic, 0, 900, BATCH_BYTES // 300), numbered(topic, 1, 3, 2 * BATCH_BYTES)
    sender.send([zero[0], one[0], zero[1], one[1], *zero[2:], one[2]])
    reader = KafkaReader(kafka)
    assert [d.payload for d in reader.read(topic, 0, 0, 1_000)] == [sending.payload for sending in zero]
    assert [d.payload for d in reader.read(topic, 1, 0, 1_000)] == [sending.payload for sending in one]
    reader.close()


def test_what_the_broker_refuses_is_raised_and_the_rest_goes_on(topic: str, sender: BlockingSender) -> None:
    with pytest.raises(MessageSizeTooLargeError):
        sender.send(numbered(topic, 0, 1, 3_000_000))
    sender.send(numbered(topic, 0, 1))


def test_who_gives_up_waits_for_nobody(kafka: KafkaConnection, topic: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks of the client's that do not end by themselves are left behind."""
    monkeypatch.setattr("streams.engines.kafka_sender.ABORT_S", 0.1)
    sender = opened(kafka)
    client = sender._sender._producer.client
    close = client.close

    async def closed_and_no_end() -> None:
        await close()
        await asyncio.Event().wait()

    monkeypatch.setattr(client, "close", closed_and_no_end)
    begun = time.monotonic()
    sender.abort()
    assert time.monotonic() - begun < 10


@pytest.mark.slow
def test_what_nobody_acknowledges_is_given_up(tmp_path: Path) -> None:
    require_kafka()
    broker = Broker(tmp_path / "kafka")
    broker.start()
    connection = KafkaConnection(servers=broker.servers, prefix="t.")
    layout = toy_layout(TOY, connection.prefix)
    create_topics(connection, layout)
    topic = layout.place("numbers", "any")[0]
    patient, hasty = opened(connection), BlockingSender(connection, block_s=30, delivery_s=2)
    broker.kill()
    begun = time.monotonic()
    with pytest.raises((KafkaError, TimeoutError)):
        hasty.send(numbered(topic, 0, 1))
    hasty.abort()
    assert time.monotonic() - begun < 30
    with pytest.raises((KafkaError, TimeoutError)):
        opened(connection)
    patient.abort()

"""Plain reads of Kafka topics by place: for tools, for topics of one partition, for tests. No group, no commits."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping

from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from streams.engines.guarded import Delivery
from streams.engines.kafka_connection import KafkaConnection
from streams.errors import UnavailableError

PATIENCE_S = 30.0  # without a single message, until a read gives up


class KafkaReader:
    """Reads by full topic name, partition and offset. Thread-safe; one reader holds one connection."""

    def __init__(self, connection: KafkaConnection) -> None:
        connection.check()
        self._connection = connection
        self._lock = threading.Lock()
        self._consumer = KafkaConsumer(
            **connection.kafka_python(), enable_auto_commit=False, auto_offset_reset="earliest", group_id=None
        )

    def ends(self, topic: str) -> dict[int, int]:
        """The offset after the last message, by partition."""
        with self._lock:
            partitions = self._partitions(topic)
            return {tp.partition: end for tp, end in self._consumer.end_offsets(partitions).items()}

    def read(self, topic: str, partition: int, start: int = 0, limit: int = 1_000) -> list[Delivery]:
        """Messages from offset `start` on, at most `limit`, up to the present end. Tombstones have no payload."""
        place = TopicPartition(topic, partition)
        with self._lock:
            end = self._consumer.end_offsets([place])[place]
            self._consumer.assign([place])
            self._consumer.seek(place, start)
            found: list[Delivery] = []
            heard = time.monotonic()
            while len(found) < limit and self._consumer.position(place) < end:
                messages = self._consumer.poll(timeout_ms=500, max_records=limit - len(found)).get(place, ())
                if messages:
                    heard = time.monotonic()
                elif time.monotonic() - heard > PATIENCE_S:
                    raise UnavailableError(f"Kafka sends nothing of {topic} {partition}: look at the broker")
                found += [Delivery(partition, m.offset, m.key or b"", m.value or b"") for m in messages]
            return found

    def all(self, topic: str) -> Iterator[Delivery]:
        """Every message of the topic up to its present end, partition by partition."""
        for partition, end in sorted(self.ends(topic).items()):
            start = 0
            while start < end:
                page = self.read(topic, partition, start, 5_000)
                yield from page
                start = page[-1].offset + 1 if page else end

    def _partitions(self, topic: str) -> list[TopicPartition]:
        found = self._consumer.partitions_for_topic(topic)
        if not found:
            raise UnavailableError(f"Kafka has no topic {topic}: run `prefloop setup-cluster`")
        return [TopicPartition(topic, partition) for partition in sorted(found)]

    def close(self) -> None:
        """Closes the connection."""
        with self._lock:
            self._consumer.close(autocommit=False)


def commits(connection: KafkaConnection, group: str) -> Mapping[tuple[str, int], int]:
    """What a consumer group has committed, by topic and partition."""
    try:
        with KafkaAdminClient(**connection.kafka_python()) as admin:
            found = admin.list_group_offsets({group: None})[group]
    except KafkaError as error:
        raise UnavailableError(f"Kafka does not tell the offsets of {group} ({error}): is it running?") from error
    return {(tp.topic, tp.partition): place.offset for tp, place in found.items()}

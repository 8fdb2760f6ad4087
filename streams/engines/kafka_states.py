"""A stage's states on Kafka: in memory while a worker has the partition, in a compacted topic for who has it next.

Who takes a partition over sends a claim to the topic of states first; the claim's offset is the new owner's number.
Then it reads up to its claim, and every row that it writes bears its number in the key. A worker that was frozen, or
cut off, and does not know of its successor, still writes rows with its own, smaller number. Where the successor wrote
the same key they are passed over, wherever they stand in the topic and whatever compaction has removed. Where it did
not, they are states further along the same steps, whose outputs are in the log, and may count.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import aiokafka

from streams.engines.guarded import Delivery, Sending
from streams.engines.kafka_connection import KafkaConnection
from streams.engines.kafka_sender import Sender

CLAIM = b"claim"  # key of the claims; shorter than a number, so that no row has it
NUMBER_BYTES = 8
FIRST_OWNER = 0  # number of rows that no worker wrote: every claim comes after them

Place = tuple[str, int]  # topic of states, partition


@dataclass
class Rows:
    """The rows of one partition of a topic of states, taken in the order in which they stand there."""

    values: dict[bytes, bytes] = field(default_factory=dict)  # by key: of the latest owner who wrote it
    superseded: set[bytes] = field(default_factory=set)  # keys in the topic of rows that a later owner wrote anew
    _owners: dict[bytes, int] = field(default_factory=dict)

    def take(self, row_key: bytes, value: bytes | None) -> None:
        """The next row; without a value it is a tombstone."""
        if row_key == CLAIM:
            return
        if not value:
            self.superseded.discard(row_key)
            return
        owner, key = owner_and_key(row_key)
        known = self._owners.get(key, owner)
        if owner < known:
            self.superseded.add(row_key)
            return
        if owner > known:
            self.superseded.add(key_of_row(known, key))
        self._owners[key] = owner
        self.values[key] = value


def key_of_row(owner: int, key: bytes) -> bytes:
    """The key in the topic of a state that this owner writes."""
    return owner.to_bytes(NUMBER_BYTES, "big") + key


def owner_and_key(row_key: bytes) -> tuple[int, bytes]:
    """Who wrote the row, and the state's own key."""
    return int.from_bytes(row_key[:NUMBER_BYTES], "big"), row_key[NUMBER_BYTES:]


def newest(deliveries: Iterable[Delivery]) -> dict[bytes, bytes]:
    """The value of each key, from all messages of a topic of states."""
    partitions: dict[int, Rows] = {}
    for one in deliveries:
        partitions.setdefault(one.partition, Rows()).take(one.key, one.payload)
    return {key: value for rows in partitions.values() for key, value in rows.values.items()}


@dataclass(frozen=True)
class Owned:
    """A partition of a topic of states that has been taken over."""

    owner: int  # our number
    values: dict[bytes, bytes]  # by key


@dataclass(kw_only=True)
class StateTable:
    """The states of one stage in this worker, and its number as the owner of each partition."""

    topic: str
    values: dict[bytes, bytes] = field(default_factory=dict)
    owners: dict[int, int] = field(default_factory=dict)

    def get(self, key: bytes) -> bytes | None:
        """The value of a key whose partition is here."""
        return self.values.get(key)

    def rows(self, states: Mapping[bytes, tuple[int, bytes]]) -> list[Sending]:
        """New states (partition and value by key) as messages."""
        owners = self.owners
        return [
            Sending(self.topic, partition, key_of_row(owners[partition], key), value)
            for key, (partition, value) in states.items()
        ]

    def put(self, states: Mapping[bytes, tuple[int, bytes]]) -> None:
        """Keeps states that the topic has acknowledged."""
        self.values.update((key, value) for key, (_, value) in states.items())

    def install(self, partitions: Mapping[int, Owned]) -> None:
        """These partitions have been taken over, and no others are here."""
        self.owners = {partition: owned.owner for partition, owned in partitions.items()}
        self.values = {key: value for owned in partitions.values() for key, value in owned.values.items()}


async def take_over(
    connection: KafkaConnection, sender: Sender, places: Iterable[Place], count: Callable[[int], None]
) -> dict[Place, Owned]:
    """Claims partitions and reads their states.

    `count` is told how many messages have been read. Raises aiokafka's KafkaError.
    """
    wanted = sorted(places)
    claims = await asyncio.gather(*(sender.append(Sending(*place, CLAIM, b"1")) for place in wanted))
    owners = dict(zip(wanted, claims, strict=True))
    found = await _read(connection, owners, count)
    await sender.send([Sending(*place, key, None) for place, rows in found.items() for key in sorted(rows.superseded)])
    return {place: Owned(owners[place], rows.values) for place, rows in found.items()}


async def _read(
    connection: KafkaConnection, ends: Mapping[Place, int], count: Callable[[int], None]
) -> dict[Place, Rows]:
    """The rows before these offsets."""
    found = {place: Rows() for place in ends}
    if not ends:
        return found
    places = {aiokafka.TopicPartition(*place): place for place in ends}
    consumer = aiokafka.AIOKafkaConsumer(
        **connection.aiokafka(), enable_auto_commit=False, auto_offset_reset="earliest", max_partition_fetch_bytes=2**22
    )
    await consumer.start()
    try:
        consumer.assign(list(places))
        left = set(places)
        while left:
            for tp, messages in (await consumer.getmany(*left, timeout_ms=500)).items():
                for message in messages:
                    if message.offset < ends[places[tp]]:
                        found[places[tp]].take(message.key, message.value)
                count(len(messages))
            left = {tp for tp in left if await consumer.position(tp) <= ends[places[tp]]}
    finally:
        await consumer.stop()
    return found

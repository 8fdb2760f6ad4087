"""One stage over at-least-once delivery: each step made once, by the order of its inputs and their origins. Pure.

Outputs are sent before the state is kept, so a crash repeats the same step on the same state and sends the same events
again. The receiver keeps, beside each state, the last origin that it applied from each source partition, and drops what
is not newer. A guard on the input's own offset alone would lose the outputs of a step whose state survived.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from streams.codecs import encode
from streams.engines.kafka_topics import Layout
from streams.engines.port import Record
from streams.engines.stamp import dead_letter, stamp_all
from streams.errors import DecodeError
from streams.events import Event
from streams.topology import Stage

Place = tuple[int, int]  # offset and ordinal
OWN = ""  # the source of events without origin: the partition they stand in


class Delivery(msgspec.Struct, frozen=True):
    """A message as Kafka delivers it."""

    partition: int
    offset: int
    key: bytes
    payload: bytes


class Sending(msgspec.Struct, frozen=True):
    """A message to be sent; without a payload it is a tombstone, in a compacted topic."""

    topic: str
    partition: int
    key: bytes
    payload: bytes | None


class Kept(msgspec.Struct, array_like=True):
    """What the table holds for a key. A forgotten state keeps its guard: a copy must not begin it anew."""

    state: msgspec.Raw  # JSON; null is none
    applied: dict[str, Place]


class _Open(msgspec.Struct):
    """A state in hand, decoded."""

    state: Any
    applied: dict[str, Place]
    partition: int


_encode = msgspec.json.Encoder().encode
_decode_kept = msgspec.json.Decoder(Kept).decode


@dataclass(frozen=True, kw_only=True)
class Applied:
    """What a batch of deliveries came to."""

    sendings: list[Sending]  # in order
    states: dict[bytes, tuple[int, bytes]]  # key -> partition and new value of the table
    steps: int
    doubles: int  # dropped by the guard
    buried: int  # dead letters


class GuardedStage:
    """Runs one stage's step over batches. `stored` gives the table's value of a key, or None."""

    def __init__(self, stage: Stage, layout: Layout, stored: Callable[[bytes], bytes | None]) -> None:
        self.stage = stage
        self._layout = layout
        self._inbox = layout.inbox(stage).name
        self._stored = stored
        self._decode_state = msgspec.json.Decoder(stage.state | None).decode

    def apply(self, deliveries: Sequence[Delivery]) -> Applied:
        """All of them, in order; nothing is kept or sent here."""
        return _Batch(self, deliveries).applied

    def kept(self, value: bytes) -> tuple[object | None, dict[str, Place]]:
        """State and guard in a value of the table."""
        kept = _decode_kept(value)
        return self._decode_state(kept.state), kept.applied

    def opened(self, key: bytes, partition: int) -> _Open:
        """The state of that key, ready for a step."""
        value = self._stored(key)
        state, applied = (None, {}) if value is None else self.kept(value)
        return _Open(state, applied, partition)

    def record(self, delivery: Delivery) -> Record | None:
        """The event in the delivery; None where it is of a topic that the stage does not read. Raises DecodeError."""
        if self._layout.topic_of(delivery.payload) not in self.stage.inputs:
            return None
        return self._layout.record(self._inbox, delivery.partition, delivery.offset, delivery.key, delivery.payload)

    def step(self, record: Record, state: object | None) -> tuple[object | None, list[Sending]]:
        """The step and its outputs as messages; whatever it raises is the event's fault."""
        state, outputs = self.stage.step(state, record.event)
        stamped = stamp_all(outputs, self.stage, record, self._layout.topology.by_event)
        return state, [self.sending(topic.name, topic.key(output), output) for topic, output in stamped]

    def letter(self, delivery: Delivery, topic: str, error: Exception) -> Sending:
        """The delivery as a dead letter."""
        key = delivery.key.decode(errors="replace")
        place = (delivery.partition, delivery.offset)
        letter = dead_letter(self.stage.name, topic or self._inbox, place, key, delivery.payload, error)
        return self.sending("dead_letters", letter.key, letter)

    def sending(self, topic: str, key: str, event: Event) -> Sending:
        """The event as a message."""
        name, key_bytes, partition = self._layout.place(topic, key)
        return Sending(name, partition, key_bytes, encode(event))


class _Batch:
    """The steps of one batch, over states that are not yet kept."""

    def __init__(self, stage: GuardedStage, deliveries: Sequence[Delivery]) -> None:
        self._stage = stage
        self._sendings: list[Sending] = []
        self._open: dict[bytes, _Open] = {}
        self._touched: dict[bytes, None] = {}
        self._steps = self._doubles = self._buried = 0
        for delivery in deliveries:
            self._take(delivery)

    @property
    def applied(self) -> Applied:
        """What it came to."""
        return Applied(
            sendings=self._sendings,
            states={key: (self._open[key].partition, _value(self._open[key])) for key in self._touched},
            steps=self._steps,
            doubles=self._doubles,
            buried=self._buried,
        )

    def _take(self, delivery: Delivery) -> None:
        try:
            record = self._stage.record(delivery)
        except DecodeError as error:
            self._bury(delivery, "", error)
            return
        if record is not None:
            self._guarded(delivery, record)

    def _guarded(self, delivery: Delivery, record: Record) -> None:
        """One step, unless its origin was applied before."""
        open_ = self._open.get(delivery.key)
        if open_ is None:
            open_ = self._open[delivery.key] = self._stage.opened(delivery.key, delivery.partition)
        source, place = source_of(record)
        if place <= open_.applied.get(source, (-1, -1)):
            self._doubles += 1
            return
        open_.applied[source] = place
        self._touched[delivery.key] = None
        self._steps += 1
        try:
            open_.state, sendings = self._stage.step(record, open_.state)
        except Exception as error:
            self._bury(delivery, record.topic, error)
        else:
            self._sendings += sendings

    def _bury(self, delivery: Delivery, topic: str, error: Exception) -> None:
        self._buried += 1
        self._sendings.append(self._stage.letter(delivery, topic, error))


def source_of(record: Record) -> tuple[str, Place]:
    """Where the event comes from, and its place there: places of one source arrive in order, copies apart.

    A stage has one inbox, so that its name and the partition name the source.
    """
    origin = record.event.origin
    if origin is None:
        return OWN, (record.offset, 0)
    return f"{record.event.actor}/{origin.partition}", (origin.offset, origin.ordinal)


def _value(open_: _Open) -> bytes:
    return _encode(Kept(msgspec.Raw(_encode(open_.state)), open_.applied))

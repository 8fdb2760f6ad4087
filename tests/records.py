"""Events as a log would hand them on."""

from __future__ import annotations

from collections import Counter

from streams.engines.port import Record
from streams.events import Event
from streams.topology import TOPOLOGY


def record(event: Event, offset: int = 0) -> Record:
    """The event in its topic, at that offset of the only partition."""
    topic = TOPOLOGY.by_event[type(event)]
    return Record(topic=topic.name, partition=0, offset=offset, key=topic.key(event), event=event)


def records(*events: Event, first: int = 0) -> list[Record]:
    """The events where they stand: each topic counts its own offsets, from `first` on."""
    ends: Counter[str] = Counter()
    placed = []
    for event in events:
        name = TOPOLOGY.by_event[type(event)].name
        placed.append(record(event, first + ends[name]))
        ends[name] += 1
    return placed

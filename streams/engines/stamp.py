"""Identity of derived events: who they are and where they come from."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence

import msgspec

from streams.engines.port import Record
from streams.events import DeadLetter, Event, Origin, digest
from streams.topology import Stage, Topic


def stamp(output: Event, stage: str, cause: Record, topic: str, ordinal: int) -> Event:
    """`output` with its id (a hash of stage, input id, topic and ordinal) and its origin (the input's place).

    The same step on the same input makes the same ids, so that a receiver can drop what it has already seen.
    """
    place = f"{stage}|{topic}|{ordinal}|{cause.event.id}"  # only the last of them can hold any character
    identity = hashlib.blake2b(place.encode(), digest_size=16).hexdigest()
    origin = Origin(topic=cause.topic, partition=cause.partition, offset=cause.offset, ordinal=ordinal)
    return msgspec.structs.replace(output, id=identity, origin=origin)


def stamp_all(
    outputs: Sequence[Event], stage: Stage, cause: Record, by_event: Mapping[type[Event], Topic]
) -> list[tuple[Topic, Event]]:
    """Topics and stamped outputs; a step that writes to a topic that is not declared is a bug and must not pass."""
    stamped = []
    for ordinal, output in enumerate(outputs):
        topic = by_event[type(output)]
        if topic.name not in stage.outputs:
            raise TypeError(f"stage {stage.name} wrote to {topic.name}, which its row of the topology does not name")
        stamped.append((topic, stamp(output, stage.name, cause, topic.name, ordinal)))
    return stamped


def dead_letter(
    consumer: str, topic: str, place: tuple[int, int], key: str, payload: bytes, error: Exception
) -> DeadLetter:
    """The bytes at `place` (partition, offset) of the topic, and why the consumer could not use them."""
    now = time.time_ns() // 1_000_000
    partition, offset = place
    return DeadLetter(
        id=digest("dead letter", consumer, topic, str(partition), str(offset)),
        occurred_at=now,
        ingested_at=now,
        actor=f"stage:{consumer}",
        topic=topic,
        partition=partition,
        offset=offset,
        key=key,
        stage=consumer,
        reason=f"{type(error).__name__}: {error}"[:2000],
        payload=payload,
    )

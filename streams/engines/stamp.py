"""Identity of derived events: who they are and where they come from."""

from __future__ import annotations

import msgspec

from streams.engines.port import Record
from streams.events import Event, Origin, digest


def stamp(output: Event, stage: str, cause: Record, topic: str, ordinal: int) -> Event:
    """`output` with its id (a hash of stage, input id, topic and ordinal) and its origin (the input's place).

    The same step on the same input makes the same ids, so that a receiver can drop what it has already seen.
    """
    identity = digest(stage, cause.event.id, topic, str(ordinal))
    origin = Origin(topic=cause.topic, partition=cause.partition, offset=cause.offset, ordinal=ordinal)
    return msgspec.structs.replace(output, id=identity, origin=origin)

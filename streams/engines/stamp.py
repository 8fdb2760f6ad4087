"""Identity of derived events: who they are and where they come from."""

from __future__ import annotations

import hashlib

import msgspec

from streams.engines.port import Record
from streams.events import Event, Origin


def stamp(output: Event, stage: str, cause: Record, topic: str, ordinal: int) -> Event:
    """`output` with its id (a hash of stage, input id, topic and ordinal) and its origin (the input's place).

    The same step on the same input makes the same ids, so that a receiver can drop what it has already seen.
    """
    place = f"{stage}|{topic}|{ordinal}|{cause.event.id}"  # only the last of them can hold any character
    identity = hashlib.blake2b(place.encode(), digest_size=16).hexdigest()
    origin = Origin(topic=cause.topic, partition=cause.partition, offset=cause.offset, ordinal=ordinal)
    return msgspec.structs.replace(output, id=identity, origin=origin)

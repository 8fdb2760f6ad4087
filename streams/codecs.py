"""Events to bytes and back: JSON, by msgspec."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from streams.errors import DecodeError
from streams.events import Event
from streams.mismatch import explained

E = TypeVar("E", bound=Event)

_encoder = msgspec.json.Encoder()
_decoders: dict[type[Event], msgspec.json.Decoder[Event]] = {}


def encode(event: Event) -> bytes:
    """The event as JSON bytes."""
    return _encoder.encode(event)


def decode(payload: bytes, event_type: type[E]) -> E:
    """The event of that type in the bytes. Raises DecodeError, which says what is wrong where."""
    decoder = _decoders.get(event_type)
    if decoder is None:
        decoder = _decoders[event_type] = msgspec.json.Decoder(event_type)
    try:
        return decoder.decode(payload)  # type: ignore[return-value]
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DecodeError(f"not a {event_type.__name__}: {explained(error, event_type)}") from error

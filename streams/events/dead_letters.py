"""What could not be applied."""

from __future__ import annotations

from streams.events.envelope import Event


class DeadLetter(Event, frozen=True, kw_only=True):
    """Topic `dead_letters`: the bytes, where they stood, and why they could not be used. Replayable."""

    topic: str
    partition: int
    offset: int
    key: str
    stage: str  # the stage or view that could not use them; "" at admission
    reason: str
    payload: bytes

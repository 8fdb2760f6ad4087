"""Placeholder while the real stage is being written; replaced before the first commit lands."""

from __future__ import annotations

from streams.events import Event, Struct

STAGE = "assessments"


class State(Struct, frozen=True, kw_only=True):
    """Nothing yet."""


def step(state: State | None, event: Event) -> tuple[State | None, list[Event]]:
    """Nothing yet."""
    return state, []

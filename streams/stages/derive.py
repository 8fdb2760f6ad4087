"""How a step makes its outputs."""

from __future__ import annotations

from typing import Any, TypeVar

from streams.events import Event

E = TypeVar("E", bound=Event)


def derive(event_type: type[E], cause: Event, stage: str, **fields: Any) -> E:
    """An event that follows from `cause`: its campaign, times and correlation, the stage as actor.

    Its `id` and `origin` are stamped by the engine, which alone knows where `cause` stands in the log.
    """
    return event_type(
        campaign=cause.campaign,
        campaign_version=cause.campaign_version,
        occurred_at=cause.occurred_at,
        ingested_at=cause.ingested_at,
        correlation=cause.correlation,
        actor=f"stage:{stage}",
        **fields,
    )

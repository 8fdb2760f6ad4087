"""singles → tasks: two responses to the same prompt, from two outputs, become one task."""

from __future__ import annotations

from streams.events import Event, Single, Struct
from streams.stages.tasks import differ, task_of

STAGE = "pairings"
BUCKET_SIZE = 8  # singles that wait a prompt; the oldest gives way, so that a hot prompt cannot grow without end
BUCKET_AGE_MS = 7 * 24 * 3_600_000  # a response older than this is no fair partner for today's model


class State(Struct, frozen=True, kw_only=True):
    """Of one prompt: the singles that wait, oldest first, and the outputs already seen (bounded)."""

    waiting: tuple[Single, ...] = ()
    seen: tuple[str, ...] = ()


def step(state: State | None, event: Single) -> tuple[State | None, list[Event]]:
    """Pairs with the oldest waiting single of the same campaign that says something else, or waits."""
    state = state or State()
    if event.candidate.output in state.seen:
        return state, []
    seen = (*state.seen, event.candidate.output)[-4 * BUCKET_SIZE :]
    waiting = tuple(single for single in state.waiting if event.occurred_at - single.occurred_at <= BUCKET_AGE_MS)
    partner = next((single for single in waiting if is_partner(single, event)), None)
    if partner is None:
        return State(waiting=(*waiting, event)[-BUCKET_SIZE:], seen=seen), []
    rest = tuple(single for single in waiting if single is not partner)
    task = task_of(event, STAGE, event.source, partner.candidate, event.candidate)
    return State(waiting=rest, seen=seen), [task]


def is_partner(waiting: Single, event: Single) -> bool:
    """Same campaign, and a different answer."""
    return waiting.campaign == event.campaign and differ(waiting.candidate, event.candidate)

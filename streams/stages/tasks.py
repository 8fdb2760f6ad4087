"""outputs → tasks and singles: an output's neighbouring responses become tasks, a lone one waits for a partner."""

from __future__ import annotations

from itertools import pairwise

from streams.events import Candidate, Event, Output, Single, Struct, Task, digest
from streams.stages.derive import derive

STAGE = "tasks"


class State(Struct, frozen=True, kw_only=True):
    """Of one output: that its tasks are made."""

    made: bool = True


def step(state: State | None, event: Output) -> tuple[State | None, list[Event]]:
    """One task for each pair of neighbouring responses that differ; a single where there is one response only."""
    if state is not None or not event.sampled:
        return state, []
    candidates = [Candidate(output=event.output, position=i, response=r) for i, r in enumerate(event.responses)]
    if len(candidates) == 1:
        single = derive(Single, event, STAGE, prompt_digest=event.prompt_digest, candidate=candidates[0], source=event)
        return State(), [single]
    return State(), [task_of(event, STAGE, event, a, b) for a, b in pairwise(candidates) if differ(a, b)]


def differ(a: Candidate, b: Candidate) -> bool:
    """Two equal responses leave nothing to judge."""
    return a.response.digest != b.response.digest


def task_id(a: str, position_a: int, b: str, position_b: int) -> str:
    """The one id of the comparison of these responses, each an output's id and a position."""
    return digest("task", a, str(position_a), b, str(position_b))


def task_of(cause: Event, stage: str, source: Output, a: Candidate, b: Candidate) -> Task:
    """The task that compares a with b under the rules that `source` was admitted with."""
    return derive(
        Task,
        cause,
        stage,
        task=task_id(a.output, a.position, b.output, b.position),
        a=a,
        b=b,
        prompt_digest=source.prompt_digest,
        prompt_length=source.prompt_length,
        tags=source.tags,
        overlap=source.overlap,
        priority=source.priority,
        skills=source.skills,
        target_posterior=source.target_posterior,
        min_judgments=source.min_judgments,
        overlap_cap=source.overlap_cap,
        mode=source.mode,
        zero_tolerance=source.zero_tolerance,
        holdout=source.holdout,
        gold=source.gold,
    )

"""How a task would stand after some events, without saying so: the decision of the stage preferences, asked aloud."""

from __future__ import annotations

from collections.abc import Iterable

from streams.events import Assessment, Task
from streams.quality.consensus import posterior
from streams.stages.preferences import Decision, State, countable, decide, vote


def outcome(task: Task, assessments: Iterable[Assessment], withdrawn: Iterable[str]) -> Decision:
    """How the task stands with these assessments, in the order of their arrival, less the judgments withdrawn."""
    state = State(task=task, withdrawn=tuple(sorted(withdrawn)))
    for assessment in assessments:
        state, _ = vote(state, assessment)
    counted = countable(state)
    return decide(task, state.votes, state.withdrawn, counted, posterior(counted))

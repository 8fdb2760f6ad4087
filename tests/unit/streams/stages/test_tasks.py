"""outputs → tasks and singles."""

from __future__ import annotations

from streams.events import Output, Response, Single, Task
from streams.stages.tasks import State, step


def output(*digests: str, sampled: bool = True) -> Output:
    responses = tuple(Response(digest=digest, length=len(digest), model="m") for digest in digests)
    return Output(
        id="e", output="o1", prompt_digest="p", prompt_length=7, responses=responses, sampled=sampled, overlap=5
    )


def test_two_responses_make_one_task_with_the_rules_of_the_output() -> None:
    state, (task,) = step(None, output("x", "yy"))
    assert isinstance(task, Task)
    assert (task.a.position, task.b.position, task.overlap, task.prompt_length) == (0, 1, 5, 7)
    assert (task.actor, state) == ("stage:tasks", State())


def test_more_responses_are_compared_with_their_neighbours() -> None:
    _, made = step(None, output("x", "yy", "zzz"))
    assert [(t.a.position, t.b.position) for t in made if isinstance(t, Task)] == [(0, 1), (1, 2)]
    assert len({t.task for t in made if isinstance(t, Task)}) == 2


def test_equal_responses_make_no_task() -> None:
    assert step(None, output("x", "x")) == (State(), [])


def test_one_response_waits_for_a_partner() -> None:
    _, (single,) = step(None, output("x"))
    assert isinstance(single, Single)
    assert (single.prompt_digest, single.candidate.output) == ("p", "o1")


def test_what_is_not_sampled_makes_nothing() -> None:
    assert step(None, output("x", "y", sampled=False)) == (None, [])


def test_the_same_output_again_makes_nothing() -> None:
    state, _ = step(None, output("x", "y"))
    assert step(state, output("x", "y")) == (state, [])

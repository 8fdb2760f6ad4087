"""singles → tasks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.events import Candidate, Output, Response, Single, Task
from streams.stages.pairings import BUCKET_AGE_MS, BUCKET_SIZE, State, step


def single(output: str, says: str = "", campaign: str = "default", at: int = 0) -> Single:
    response = Response(digest=says or output, length=1)
    source = Output(output=output, prompt_digest="p", prompt_length=1, responses=(response,), campaign=campaign)
    candidate = Candidate(output=output, position=0, response=response)
    return Single(id=output, prompt_digest="p", candidate=candidate, source=source, campaign=campaign, occurred_at=at)


def feed(*singles: Single) -> tuple[State | None, list[Task]]:
    state, made = None, []
    for event in singles:
        state, outputs = step(state, event)
        made += [output for output in outputs if isinstance(output, Task)]
    return state, made


def test_the_second_response_to_a_prompt_meets_the_first() -> None:
    state, (task,) = feed(single("o1"), single("o2"))
    assert (task.a.output, task.b.output) == ("o1", "o2")
    assert state is not None
    assert state.waiting == ()


def test_equal_responses_do_not_meet() -> None:
    assert feed(single("o1", "same"), single("o2", "same"))[1] == []


def test_responses_of_two_campaigns_do_not_meet() -> None:
    assert feed(single("o1"), single("o2", campaign="other"))[1] == []


def test_an_old_response_is_no_partner_any_more() -> None:
    assert feed(single("o1"), single("o2", at=BUCKET_AGE_MS + 1))[1] == []


def test_the_same_single_again_changes_nothing() -> None:
    once, _ = feed(single("o1"))
    assert feed(single("o1"), single("o1"))[0] == once


@given(st.lists(st.tuples(st.integers(0, 30), st.sampled_from("abc")), max_size=80))
def test_the_bucket_is_bounded_and_nobody_is_paired_twice(arrivals: list[tuple[int, str]]) -> None:
    state, made = feed(*(single(f"o{number}", says) for number, says in arrivals))
    assert state is None or len(state.waiting) <= BUCKET_SIZE
    paired = [output for task in made for output in (task.a.output, task.b.output)]
    assert len(paired) == len(set(paired))

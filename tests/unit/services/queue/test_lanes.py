from collections.abc import Sequence
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from services.queue import lanes
from services.queue.entries import Entry, Hold, entry_of
from services.queue.lanes import FreshLane, Lane
from streams.events import Candidate, Response, Task

TASKS, PEOPLE = st.integers(0, 7), st.sampled_from(("ada", "bob", "eve"))
MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("offer or withdraw"), TASKS, PEOPLE),
        st.tuples(st.just("ask"), TASKS, PEOPLE),
        st.tuples(st.just("have it"), TASKS, PEOPLE),
    ),
    max_size=80,
)


def entry(number: int) -> Entry:
    a, b = (Candidate(output=str(number), position=i, response=Response(digest="d", length=9)) for i in (0, 1))
    return entry_of(Task(task=str(number), a=a, b=b, prompt_digest="p", prompt_length=9), number)


def had(entry: Entry, annotator: str) -> None:
    entry.holds[annotator] = Hold(annotator=annotator, slot=0, role="annotator", swapped=False, lease_until=0)


def expected(offered: Sequence[Entry], annotator: str, excluded: str) -> Entry | None:
    """The first that they never had and that is not excluded, all looked through."""
    fit = (one for one in offered if annotator not in one.holds and one.facts.task != excluded)
    return next(fit, None)


@given(MOVES)
def test_whoever_asks_is_given_the_first_offer_that_they_never_had(moves: list[tuple[str, int, str]]) -> None:
    """Whatever was withdrawn and offered again in between, tidied up or not; a task excluded now is there later."""
    entries, lane = [entry(number) for number in range(8)], Lane()
    offered: list[Entry] = []
    with patch.object(lanes, "COMPACTED_FROM", 1):
        for move, number, annotator in moves:
            one = entries[number]
            if move == "ask":
                assert lane.first(annotator, {one.facts.task}) is expected(offered, annotator, one.facts.task)
                assert lane.first(annotator, ()) is expected(offered, annotator, "")
            elif move == "have it":
                had(one, annotator)
            elif one.lane is None:
                lane.add(one)
                offered.append(one)
            else:
                lane.remove(one)
                offered.remove(one)


def test_fresh_tasks_come_by_priority_and_age() -> None:
    lane, old, new, urgent = FreshLane(), entry(1), entry(2), entry(3)
    urgent.priority = 5
    for one in (new, urgent, old):
        lane.add(one)
    assert lane.first("ada", ()) is urgent
    assert lane.first("ada", {"3"}) is old
    lane.remove(urgent)
    assert lane.first("ada", ()) is old
    assert lane.first("ada", {"1", "2"}) is None
    assert lane.first("ada", ()) is old

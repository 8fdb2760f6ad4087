from __future__ import annotations

import pytest

from services.coordinator.quarantine import blast_radius, change_of, effect
from services.store.lives import Life
from streams import events as e

PEOPLE = ("ann", "bob", "cy", "dee", "eve")


def life(*choices: e.Choice, withdrawn: frozenset[str] = frozenset(), **changes: object) -> Life:
    """A task that PEOPLE judged in turn; their judgments are named like them."""
    a, b = (e.Candidate(output="o", position=i, response=e.Response(digest=str(i), length=5)) for i in (0, 1))
    facts: dict[str, object] = {"overlap": 2, "min_judgments": 2, "target_posterior": 0.6, "overlap_cap": 5, **changes}
    task = e.Task(task="t", campaign="c", a=a, b=b, prompt_digest="p", prompt_length=1, **facts)  # type: ignore[arg-type]
    known = e.Reliability(
        accuracy=0.9, accuracy_low=0.8, accuracy_high=0.95, side_bias=0.0, tie_rate=0.1, judgments=50, evidence=40.0
    )
    assessments = tuple(
        e.Assessment(judgment=who, task="t", annotator=who, revision=1, choice=choice, swapped=False, reliability=known)
        for who, choice in zip(PEOPLE, choices, strict=False)
    )
    return Life(task=task, assessments=assessments, withdrawn=withdrawn)


def test_a_verdict_that_rests_on_one_judgment_is_lost_and_asks_for_another() -> None:
    found = effect(life("a", "a"), frozenset({"ann"}))
    assert (found.verdict, found.verdict_after, found.change) == ("a", None, "lost")
    assert (found.status, found.status_after, found.labels) == ("closed", "open", 1)
    assert found.probability_after < found.probability


def test_a_verdict_turns_where_the_others_say_otherwise() -> None:
    found = effect(life("a", "a", "a", "b", "b", overlap=5), frozenset({"ann", "bob", "cy"}))
    assert (found.verdict, found.verdict_after, found.change) == ("a", "b", "turned")


def test_undo_is_the_same_in_reverse() -> None:
    there = effect(life("a", "a"), frozenset({"ann"}))
    back = effect(life("a", "a", withdrawn=frozenset({"ann"})), frozenset({"ann"}), undo=True)
    assert (back.verdict, back.verdict_after, back.change) == (there.verdict_after, there.verdict, "reached")
    assert back.probability_after == there.probability


def test_gold_and_recorded_tasks_ask_for_nothing() -> None:
    assert effect(life("a", "a", gold="a"), frozenset({"ann"})).labels == 0
    assert effect(life("a", "a", mode="recorded"), frozenset({"ann", "bob"})).labels == 0


def test_a_judgment_that_is_not_there_changes_nothing() -> None:
    found = effect(life("a", "a", "b"), frozenset({"nobody"}))
    assert (found.change, found.labels) == ("same", 0)
    assert found.probability == found.probability_after


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [("a", "a", "same"), ("a", "b", "turned"), ("a", None, "lost"), (None, "a", "reached"), (None, None, "undecided")],
)
def test_changes_have_one_word_each(before: e.Choice | None, after: e.Choice | None, change: str) -> None:
    assert change_of(before, after) == change


def test_blast_radius_follows_tasks_preferences_batches_and_models() -> None:
    found = blast_radius(
        judgments={"j1": "t1", "j2": "t2"},
        preferences={"t1": ["j1", "j9"], "t2": ["j8"]},
        memberships=[("b1", "t1"), ("b1", "t7"), ("b2", "t7"), ("b3", "t2")],
        models=[("m4", "b9", "m3"), ("m1", "b1", ""), ("m2", "b2", ""), ("m3", "b8", "m1")],
    )
    assert found.tasks == ("t1", "t2")
    assert found.preferences == ("t1",)
    assert found.batches == ("b1", "b3")
    assert found.models == ("m1", "m3", "m4")


def test_blast_radius_of_nothing_is_nothing_and_cyclic_parents_end() -> None:
    found = blast_radius({}, {"t": ["j"]}, [("b", "t")], [("m1", "b", "m2"), ("m2", "x", "m1")])
    assert not any((found.judgments, found.tasks, found.preferences, found.batches, found.models))
    looped = blast_radius({"j": "t"}, {}, [("b", "t")], [("m1", "b", "m2"), ("m2", "x", "m1")])
    assert looped.models == ("m1", "m2")

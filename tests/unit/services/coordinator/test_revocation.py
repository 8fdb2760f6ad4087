from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.coordinator.revocation import InForce, Judged, plan_retractions


def standing(name: str, since: int = 0) -> InForce:
    return InForce(annotator="ann", standing=name, since=since, event=f"{name}-{since}")


def judged(at: int, *, withdrawn: bool = False) -> Judged:
    return Judged(judgment=f"j{at}", task=f"t{at}", annotator="ann", campaign="c", at=at, withdrawn=withdrawn)


def test_suspended_since_takes_out_what_was_judged_from_then_on() -> None:
    plan = plan_retractions(standing("suspended", 20), [judged(10), judged(20), judged(30)], now=99)
    assert [(one.judgment, one.withdrawn, one.standing) for one in plan] == [
        ("j20", True, "suspended-20"),
        ("j30", True, "suspended-20"),
    ]
    assert {one.occurred_at for one in plan} == {99}


def test_suspended_without_a_time_takes_nothing_out_and_restores_nothing() -> None:
    assert plan_retractions(standing("suspended"), [judged(10), judged(20, withdrawn=True)], now=99) == []


def test_a_later_time_restores_nothing() -> None:
    assert plan_retractions(standing("suspended", 50), [judged(20, withdrawn=True)], now=99) == []


def test_reinstating_restores_what_was_withdrawn_and_nothing_else() -> None:
    (restored,) = plan_retractions(standing("active"), [judged(10), judged(20, withdrawn=True)], now=99)
    assert (restored.judgment, restored.withdrawn) == ("j20", False)


def test_every_retraction_has_its_own_id_and_the_same_one_each_time() -> None:
    first, again = (plan_retractions(standing("suspended", 1), [judged(5), judged(6)], now=n) for n in (7, 8))
    assert [one.id for one in first] == [one.id for one in again]
    assert len({one.id for one in first}) == 2
    restored = plan_retractions(standing("active"), [judged(5, withdrawn=True)], now=9)
    assert restored[0].id not in {one.id for one in first}


@given(st.lists(st.integers(0, 50), unique=True, max_size=20), st.integers(1, 50), st.integers(0, 20))
def test_a_plan_cut_short_is_finished_by_the_next(times: list[int], since: int, done: int) -> None:
    judgments = [judged(at) for at in times]
    plan = plan_retractions(standing("suspended", since), judgments, now=1)
    taken = {one.judgment for one in plan[:done]}
    rest = plan_retractions(
        standing("suspended", since), [judged(at, withdrawn=f"j{at}" in taken) for at in times], now=2
    )
    assert {one.id for one in plan[:done]} | {one.id for one in rest} == {one.id for one in plan}
    assert len(plan[:done]) + len(rest) == len(plan)

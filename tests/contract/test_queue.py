"""What every assignment queue must keep, written against services/queue/port.py: who gets what, quotas, leases."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.queue.decisions import assignment_of
from services.queue.port import Grant, Worker
from streams import events as e
from streams.admission import judgment_id
from streams.errors import ConflictError, ForbiddenError
from tests.contract.queues import KINDS, LEASE, NOW, Desk, fresh_queue, name_of, task


def test_begun_tasks_first_then_priority_then_age(desk: Desk) -> None:
    desk.commit(task("old"), task("urgent", priority=5), task("young"), task("two", overlap=2, priority=9))
    assert name_of(desk.next("ada")) == "two"
    assert [name_of(desk.next("bob")) for _ in range(3)] == ["two", "urgent", "old"]


def test_never_twice_to_one(desk: Desk) -> None:
    desk.commit(task("t", overlap=3))
    grant = desk.given("ada")
    desk.judge(grant)
    assert desk.next("ada") is None


def test_skills_are_wanted_all(desk: Desk) -> None:
    desk.commit(task("t", skills=("french", "law")))
    assert desk.next("ada", skills=frozenset(["french"])) is None
    assert name_of(desk.next("bob", skills=frozenset(["french", "law", "go"]))) == "t"


def test_a_campaign_can_be_asked_for(desk: Desk) -> None:
    desk.commit(task("t", campaign="x"))
    assert desk.queue.next(Worker(annotator="ada"), NOW, "y", ()) is None
    assert name_of(desk.queue.next(Worker(annotator="ada"), NOW, "x", ())) == "t"


def test_three_open_leases_then_the_oldest_again(desk: Desk) -> None:
    desk.commit(*[task(f"t{i}") for i in range(5)])
    first = [name_of(desk.next("ada")) for _ in range(3)]
    again = desk.given("ada")
    assert again.renewed
    assert name_of(again) == first[0]
    assert name_of(desk.next("ada", exclude=("t0", "t1"))) == "t2"


def test_the_last_task_comes_again_to_who_holds_it_and_does_not_say_so(desk: Desk) -> None:
    desk.commit(task("t"))
    assert name_of(desk.next("ada")) == "t"
    again = desk.given("ada")
    assert (name_of(again), again.renewed) == ("t", True)
    assert desk.next("ada", exclude=("t",)) is None


def test_recorded_tasks_are_never_granted(desk: Desk) -> None:
    desk.commit(task("t", mode="recorded"))
    assert desk.next("ada") is None


def test_sides_are_the_same_whenever_asked_and_fair(desk: Desk) -> None:
    desk.commit(*[task(f"t{i}") for i in range(200)])
    swapped = [grant.swapped for i in range(200) if (grant := desk.next(f"a{i}")) is not None]
    assert 70 < sum(swapped) < 130


def test_the_suspended_get_nothing_until_reinstated(desk: Desk) -> None:
    desk.commit(task("t"), e.Standing(annotator="ada", standing="suspended", reason="far too fast"))
    with pytest.raises(ForbiddenError, match=r"suspended.*far too fast"):
        desk.next("ada")
    desk.commit(e.Standing(annotator="ada", standing="active"))
    assert name_of(desk.next("ada")) == "t"


def test_a_suspension_that_is_only_reported_changes_nothing(desk: Desk) -> None:
    desk.commit(task("t"), e.Standing(annotator="ada", standing="suspended", enforced=False))
    assert name_of(desk.next("ada")) == "t"


# ---------------------------------------------------------------- quotas and leases


def test_a_lease_takes_a_slot_until_it_ends(desk: Desk) -> None:
    desk.commit(task("t"))
    desk.given("ada")
    assert desk.next("bob") is None
    assert desk.queue.expire(NOW + LEASE) == []
    (ended,) = desk.queue.expire(NOW + LEASE + 1)
    assert (ended.kind, ended.annotator, ended.slot) == ("expired", "ada", 0)
    assert name_of(desk.next("bob", NOW + LEASE + 1)) == "t"


def test_a_grant_that_could_not_be_written_frees_its_slot(desk: Desk) -> None:
    desk.commit(task("t"))
    grant = desk.queue.next(Worker(annotator="ada"), NOW, None, ())
    assert grant is not None
    desk.queue.settle_grant(grant, durable=False)
    assert name_of(desk.next("ada")) == "t"


def test_a_skip_frees_the_slot_for_others_when_it_is_durable(desk: Desk) -> None:
    desk.commit(task("t"))
    desk.next("ada")
    skipped = desk.queue.skip("t", "ada", "not mine", NOW)
    assert skipped is not None
    assert desk.next("bob") is None
    desk.commit(skipped)
    desk.queue.settle_skip(skipped, durable=True)
    assert desk.next("ada") is None
    assert name_of(desk.next("bob")) == "t"
    assert desk.queue.skip("t", "ada", "again", NOW) is None


def test_what_is_judged_cannot_be_skipped(desk: Desk) -> None:
    desk.commit(task("t"))
    grant = desk.given("ada")
    desk.judge(grant)
    with pytest.raises(ConflictError):
        desk.queue.skip("t", "ada", "", NOW)


def test_more_slots_are_wanted_and_closed(desk: Desk) -> None:
    desk.commit(task("t"))
    grant = desk.given("ada")
    desk.judge(grant)
    desk.commit(e.TaskUpdate(task="t", status="open", slots_wanted=2, judgments=1))
    assert desk.queue.counts().open == 1
    second = desk.given("bob")
    assert second.slot == 1
    desk.commit(e.TaskUpdate(task="t", status="closed", slots_wanted=2, judgments=2))
    assert desk.queue.counts().open == 0
    assert desk.next("cy") is None
    assert desk.judge(second)  # the slot was theirs


def test_a_withdrawn_judgment_keeps_its_slot_until_one_more_is_wanted(desk: Desk) -> None:
    desk.commit(task("t"))
    grant = desk.given("ada")
    desk.judge(grant)
    told = e.Retraction(judgment=judgment_id("t", "ada", 1), task="t", annotator="ada", standing="s", withdrawn=True)
    desk.commit(told)
    assert desk.next("bob") is None
    desk.commit(e.TaskUpdate(task="t", status="open", slots_wanted=2, judgments=0))
    assert name_of(desk.next("bob")) == "t"
    assert desk.next("cy") is None


def test_a_budget_ends_what_is_bought(desk: Desk) -> None:
    desk.commit(e.Campaign(name="default", version=1, targets=e.Targets(budget=2)))
    desk.commit(*[task(f"t{i}") for i in range(4)])
    first, second = desk.next("ada"), desk.next("bob")
    assert first is not None
    assert second is not None
    assert desk.next("cy") is None
    desk.judge(first)
    assert desk.next("cy") is None


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    moves=st.lists(st.tuples(st.integers(0, 4), st.sampled_from(["next", "judge", "skip", "wait"])), max_size=80),
    is_routed=st.booleans(),
)
@pytest.mark.parametrize("kind", KINDS)
def test_quotas_are_exact_whatever_people_do(
    kind: str, request: pytest.FixtureRequest, moves: list[tuple[int, str]], is_routed: bool
) -> None:
    desk, now = Desk(fresh_queue(kind, request)), NOW
    if is_routed:
        desk.learn({f"a{i}": 0.5 + 0.1 * i for i in range(5)})
    desk.commit(*[task(f"t{i}", overlap=2) for i in range(3)])
    holds: dict[str, dict[str, Grant]] = {f"a{i}": {} for i in range(5)}
    had: set[tuple[str, str]] = set()
    judged: dict[str, set[str]] = {}
    for who, move in moves:
        name = f"a{who}"
        if move == "wait":
            now += LEASE // 2 + 1
            for ended in desk.queue.expire(now):
                holds[ended.annotator].pop(ended.task)
        elif move == "next" and (grant := desk.next(name, now)) is not None and not grant.renewed:
            assert (name, grant.facts.task) not in had
            had.add((name, grant.facts.task))
            holds[name][grant.facts.task] = grant
        elif move in ("judge", "skip") and holds[name]:
            grant = holds[name].pop(next(iter(holds[name])))
            if move == "judge":
                assert desk.judge(grant, now)
                judged.setdefault(grant.facts.task, set()).add(name)
            elif (skipped := desk.queue.skip(grant.facts.task, name, "", now)) is not None:
                desk.queue.settle_skip(skipped, durable=True)
        for number in range(3):
            leased = sum(f"t{number}" in held for held in holds.values())
            assert leased + len(judged.get(f"t{number}", ())) <= 2


def test_a_grant_that_is_being_written_takes_its_slot_and_is_nobodys_to_come_back_to(desk: Desk) -> None:
    desk.commit(task("t"))
    grant = desk.queue.next(Worker(annotator="ada"), NOW, None, ())
    assert grant is not None
    assert desk.next("bob") is None
    assert desk.next("ada") is None  # it may not be in the log: only the log, or the end of the lease, says more
    desk.commit(assignment_of(grant, NOW))
    again = desk.queue.next(Worker(annotator="ada"), NOW, None, ())
    assert again is not None
    assert again.renewed

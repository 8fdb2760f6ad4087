"""What every assignment queue must keep, written against services/queue/port.py. Another adapter joins KINDS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from services.queue.decisions import assignment_of
from services.queue.entries import Entry
from services.queue.memory import MemoryQueue
from services.queue.port import AssignmentQueue, Grant, Worker
from services.queue.redis_queue import RedisQueue
from services.queue.redis_store import connect
from streams import events as e
from streams.admission import judgment_id
from streams.engines.port import Record
from streams.errors import ConflictError, ForbiddenError, GoneError, InputError, NotFoundError
from streams.quality.routing import ABOUT_MS, HEARD, LEAST_EVIDENCE, SELDOM
from streams.topology import TOPOLOGY
from tests.services.redis import Redis

NOW = 1_790_000_000_000
LEASE = 600_000


class EmptyArchive:
    def load(self, task: str) -> Entry | None:
        return None

    def is_current(self) -> bool:
        return True


def memory_queue() -> AssignmentQueue:
    queue = MemoryQueue(EmptyArchive())
    queue.restore(iter(()), campaigns=[], standings={}, given={}, bought={})
    return queue


def redis_queue(url: str) -> AssignmentQueue:
    queue = RedisQueue(connect(url), EmptyArchive())
    queue.restore(iter(()), campaigns=[], standings={}, given={}, bought={})
    return queue


KINDS = ("memory", "redis")


def fresh_queue(kind: str, request: pytest.FixtureRequest) -> AssignmentQueue:
    if kind == "memory":
        return memory_queue()
    server: Redis = request.getfixturevalue("redis_server")
    return redis_queue(server.url)


class Desk:
    """A queue, and the log in front of it: what it decides is committed and comes back as a record."""

    def __init__(self, queue: AssignmentQueue) -> None:
        self.queue = queue
        self.offset = 0

    def commit(self, *events: e.Event) -> None:
        for event in events:
            self.queue.apply([self._record(event)])

    def learn(self, accuracies: Mapping[str, float], count: int = HEARD) -> None:
        """So many assessments of each of them; long ago each of them asked once."""
        for name in accuracies:
            self.queue.next(Worker(annotator=name), NOW - 2 * ABOUT_MS, None, ())
        told = [assessed(name, accuracy) for _ in range(count) for name, accuracy in accuracies.items()]
        self.queue.apply([self._record(event) for event in told])

    def _record(self, event: e.Event) -> Record:
        topic = TOPOLOGY.by_event[type(event)]
        self.offset += 1
        return Record(topic=topic.name, partition=0, offset=self.offset - 1, key=topic.key(event), event=event)

    def next(self, name: str, now: int = NOW, *, exclude: tuple[str, ...] = (), **worker: Any) -> Grant | None:
        grant = self.queue.next(Worker(annotator=name, **worker), now, None, exclude)
        if grant is not None and not grant.renewed:
            self.commit(assignment_of(grant, now))
            self.queue.settle_grant(grant, durable=True)
        return grant

    def judge(self, grant: Grant, now: int = NOW, revision: int = 1) -> bool:
        """Whether it counts."""
        claim = self.queue.claim(grant.facts.task, grant.annotator, revision, now)
        self.commit(judgment(grant, revision, late=claim.late))
        self.queue.settle_claim(claim, "same" if claim.repeated else "new")
        return not claim.late


def task(name: str, *, overlap: int = 1, **fields: Any) -> e.Task:
    side = e.Candidate(output=f"o-{name}", position=0, response=e.Response(digest="d", length=3))
    return e.Task(
        task=name, a=side, b=side, prompt_digest="p", prompt_length=3, overlap=overlap, correlation="o", **fields
    )


def judgment(grant: Grant, revision: int, *, late: bool = False) -> e.Judgment:
    return e.Judgment(
        judgment=judgment_id(grant.facts.task, grant.annotator, revision),
        task=grant.facts.task,
        annotator=grant.annotator,
        revision=revision,
        choice="a",
        role=grant.role,
        late=late,
    )


def assessed(annotator: str, accuracy: float) -> e.Assessment:
    known = e.Reliability(
        accuracy=accuracy,
        accuracy_low=0.0,
        accuracy_high=1.0,
        side_bias=0.0,
        tie_rate=0.1,
        judgments=HEARD,
        evidence=2 * LEAST_EVIDENCE,
    )
    return e.Assessment(
        judgment="j", task="none", annotator=annotator, revision=1, choice="a", swapped=False, reliability=known
    )


@pytest.fixture(params=KINDS)
def desk(request: pytest.FixtureRequest) -> Desk:
    return Desk(fresh_queue(request.param, request))


def name_of(grant: Grant | None) -> str | None:
    return grant.facts.task if grant else None


# ---------------------------------------------------------------- who gets what


def test_begun_tasks_first_then_priority_then_age(desk: Desk) -> None:
    desk.commit(task("old"), task("urgent", priority=5), task("young"), task("two", overlap=2, priority=9))
    assert name_of(desk.next("ada")) == "two"
    assert [name_of(desk.next("bob")) for _ in range(3)] == ["two", "urgent", "old"]


def test_never_twice_to_one(desk: Desk) -> None:
    desk.commit(task("t", overlap=3))
    grant = desk.next("ada")
    assert grant is not None
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
    again = desk.next("ada")
    assert again is not None
    assert again.renewed
    assert name_of(again) == first[0]
    assert name_of(desk.next("ada", exclude=("t0", "t1"))) == "t2"


def test_the_last_task_comes_again_to_who_holds_it_and_does_not_say_so(desk: Desk) -> None:
    desk.commit(task("t"))
    assert name_of(desk.next("ada")) == "t"
    again = desk.next("ada")
    assert again is not None
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


# ---------------------------------------------------------------- who is asked for what

CROWD = {"good": 0.9, "fine": 0.9, "usual": 0.75, "coin": 0.5}


def test_the_better_ones_finish_what_others_begin(desk: Desk) -> None:
    desk.learn(CROWD)
    desk.commit(*[task(f"t{i}", overlap=3) for i in range(3)])
    assert name_of(desk.next("usual")) == "t0"
    assert name_of(desk.next("usual")) == "t1"
    assert name_of(desk.next("good")) == "t0"
    assert name_of(desk.next("newcomer")) == "t2"  # the bar is above what is expected of who is not known


def test_what_is_begun_is_left_to_the_better_ones_while_one_is_about(desk: Desk) -> None:
    desk.learn(CROWD)
    desk.commit(task("t", overlap=3), task("u", skills=("law",)))
    assert name_of(desk.next("good")) == "t"
    assert name_of(desk.next("usual")) == "t"  # nobody better is about who has not had it
    assert name_of(desk.next("good", skills=frozenset({"law"}))) == "u"
    desk.learn({"better": 0.9}, count=1)
    assert name_of(desk.next("better", exclude=("t",))) is None
    assert desk.next("newcomer") is None
    assert name_of(desk.next("newcomer", NOW + ABOUT_MS + 1)) == "t"


def test_who_waits_for_better_ones_does_not_wait_for_ever(desk: Desk) -> None:
    desk.learn(CROWD)
    desk.commit(task("t", overlap=3), task("u", skills=("law",)))
    assert name_of(desk.next("usual")) == "t"
    assert name_of(desk.next("good", skills=frozenset({"law"}), exclude=("t",))) == "u"
    assert [name_of(desk.next("newcomer")) for _ in range(SELDOM)] == [None] * (SELDOM - 1) + ["t"]
    assert [name_of(desk.next("coin")) for _ in range(SELDOM**2)] == [None] * (SELDOM**2 - 1) + ["t"]


def test_a_coin_is_asked_seldom(desk: Desk) -> None:
    desk.learn(CROWD)
    desk.commit(*[task(f"t{i}") for i in range(3)])
    given = [name_of(desk.next("coin")) for _ in range(2 * SELDOM)]
    assert given == [None] * (SELDOM - 1) + ["t0"] + ["t0"] * (SELDOM - 1) + ["t1"]


def test_it_says_where_everybody_stands(desk: Desk) -> None:
    assert desk.queue.grade("good") == "better"  # nothing is known yet
    desk.learn(CROWD)
    grades = {name: desk.queue.grade(name) for name in (*CROWD, "newcomer")}
    assert grades == {"good": "better", "fine": "better", "usual": "usual", "coin": "seldom", "newcomer": "usual"}


# ---------------------------------------------------------------- quotas and leases


def test_a_lease_takes_a_slot_until_it_ends(desk: Desk) -> None:
    desk.commit(task("t"))
    grant = desk.next("ada")
    assert grant is not None
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
    grant = desk.next("ada")
    assert grant is not None
    desk.judge(grant)
    with pytest.raises(ConflictError):
        desk.queue.skip("t", "ada", "", NOW)


def test_more_slots_are_wanted_and_closed(desk: Desk) -> None:
    desk.commit(task("t"))
    grant = desk.next("ada")
    assert grant is not None
    desk.judge(grant)
    desk.commit(e.TaskUpdate(task="t", status="open", slots_wanted=2, judgments=1))
    assert desk.queue.counts().open == 1
    second = desk.next("bob")
    assert second is not None
    assert second.slot == 1
    desk.commit(e.TaskUpdate(task="t", status="closed", slots_wanted=2, judgments=2))
    assert desk.queue.counts().open == 0
    assert desk.next("cy") is None
    assert desk.judge(second)  # the slot was theirs


def test_a_withdrawn_judgment_keeps_its_slot_until_one_more_is_wanted(desk: Desk) -> None:
    desk.commit(task("t"))
    grant = desk.next("ada")
    assert grant is not None
    desk.judge(grant)
    told = e.Retraction(judgment=judgment_id("t", "ada", 1), task="t", annotator="ada", standing="s", withdrawn=True)
    desk.commit(told)
    assert desk.next("bob") is None
    desk.commit(e.TaskUpdate(task="t", status="open", slots_wanted=2, judgments=0))
    assert name_of(desk.next("bob")) == "t"
    assert desk.next("cy") is None


def test_a_withdrawn_adjudication_is_done_again(desk: Desk) -> None:
    desk.commit(task("t"), e.TaskUpdate(task="t", status="escalated", slots_wanted=0, judgments=0))
    grant = desk.next("ada", adjudicates=True)
    assert grant is not None
    desk.judge(grant)
    assert desk.next("bob", adjudicates=True) is None
    told = e.Retraction(judgment=judgment_id("t", "ada", 1), task="t", annotator="ada", standing="s", withdrawn=True)
    desk.commit(told)
    assert name_of(desk.next("bob", adjudicates=True)) == "t"


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


# ---------------------------------------------------------------- judging


def test_the_same_judgment_again_is_a_repetition_even_after_the_lease(desk: Desk) -> None:
    desk.commit(task("t"))
    grant = desk.next("ada")
    assert grant is not None
    desk.judge(grant)
    assert desk.queue.claim("t", "ada", 1, NOW + 10 * LEASE).repeated


def test_undo_while_the_lease_lasts(desk: Desk) -> None:
    desk.commit(task("t"))
    grant = desk.next("ada")
    assert grant is not None
    desk.judge(grant)
    assert desk.judge(grant, NOW + LEASE, revision=2)
    with pytest.raises(InputError, match="does not follow"):
        desk.queue.claim("t", "ada", 7, NOW)
    with pytest.raises(GoneError):
        desk.queue.claim("t", "ada", 3, NOW + LEASE + 1)


def test_a_late_one_takes_a_slot_that_is_still_free(desk: Desk) -> None:
    desk.commit(task("t"))
    grant = desk.next("ada")
    assert grant is not None
    desk.queue.expire(NOW + LEASE + 1)
    assert desk.judge(grant, NOW + LEASE + 1)
    assert desk.next("bob", NOW + LEASE + 2) is None


def test_a_late_one_whose_slot_is_gone_stays_outside(desk: Desk) -> None:
    desk.commit(task("t"))
    grant = desk.next("ada")
    assert grant is not None
    desk.queue.expire(NOW + LEASE + 1)
    assert desk.next("bob", NOW + LEASE + 1) is not None
    assert not desk.judge(grant, NOW + LEASE + 2)


def test_a_judgment_that_could_not_be_written_leaves_the_lease(desk: Desk) -> None:
    desk.commit(task("t"))
    grant = desk.next("ada")
    assert grant is not None
    desk.queue.settle_claim(desk.queue.claim("t", "ada", 1, NOW), None)
    assert desk.judge(grant, NOW + 1)


def test_a_lease_does_not_end_while_its_judgment_is_written(desk: Desk) -> None:
    desk.commit(task("t"))
    grant = desk.next("ada")
    assert grant is not None
    claim = desk.queue.claim("t", "ada", 1, NOW + LEASE)
    assert desk.queue.expire(NOW + LEASE + 1) == []
    assert desk.next("bob", NOW + LEASE + 1) is None
    desk.queue.settle_claim(claim, "new")


def test_foreign_and_unknown_tasks(desk: Desk) -> None:
    desk.commit(task("t"))
    with pytest.raises(ForbiddenError, match="not given to you"):
        desk.queue.claim("t", "ada", 1, NOW)
    with pytest.raises(NotFoundError):
        desk.queue.claim("nowhere", "ada", 1, NOW)


def test_the_lease_can_be_looked_at_while_it_lasts(desk: Desk) -> None:
    desk.commit(task("t"))
    desk.next("ada")
    assert desk.queue.held("t", "ada", NOW + LEASE).facts.task == "t"
    with pytest.raises(GoneError):
        desk.queue.held("t", "ada", NOW + LEASE + 1)


# ---------------------------------------------------------------- gold and adjudication


def test_gold_is_mixed_in_at_its_rate_once_an_annotator_and_without_quota(desk: Desk) -> None:
    desk.commit(e.Campaign(name="default", version=1, gold_rate=0.5))
    desk.commit(*[task(f"t{i}", overlap=2) for i in range(200)], *[task(f"g{i}", gold="a") for i in range(10)])
    for name in ("ada", "bob"):
        seen = []
        for _ in range(100):
            grant = desk.next(name)
            assert grant is not None
            desk.judge(grant)
            seen.append(grant.facts.task)
        gold = [one for one in seen if one.startswith("g")]
        assert len(gold) == len(set(gold)) == 10
        assert 10 <= seen.index(gold[-1]) <= 60


def test_no_gold_where_there_is_nothing_else(desk: Desk) -> None:
    desk.commit(e.Campaign(name="default", version=1, gold_rate=1.0), task("g", gold="a"))
    assert desk.next("ada") is None


def test_gold_that_rests_or_is_retired_is_not_given_until_it_is_open_again(desk: Desk) -> None:
    desk.commit(e.Campaign(name="default", version=1, gold_rate=1.0))
    desk.commit(task("t"), task("u"), task("v"), task("g", gold="a"))
    update = e.TaskUpdate(task="g", status="closed", slots_wanted=0, judgments=0)
    desk.commit(update)
    assert name_of(desk.next("ada")) == "t"
    counts = desk.queue.counts()
    assert (counts.open, counts.escalated) == (3, 0)
    desk.commit(replace(update, status="open"))
    assert name_of(desk.next("bob")) == "g"


def test_an_annotators_own_share_of_gold_comes_before_the_campaigns(desk: Desk) -> None:
    desk.commit(e.Campaign(name="default", version=1, gold_rate=1.0))
    desk.commit(task("t", overlap=2), task("g", gold="a"))
    assert name_of(desk.next("ada", gold_rates={"default": 0.0})) == "t"
    assert name_of(desk.next("bob", gold_rates={"other": 0.0})) == "g"


def test_who_has_to_qualify_gets_gold_alone_there_and_anything_elsewhere(desk: Desk) -> None:
    desk.commit(e.Campaign(name="default", version=1, gold_rate=0.0), e.Campaign(name="easy", version=1, gold_rate=0.0))
    desk.commit(task("t"), task("g", gold="a"), task("e", campaign="easy"))
    beginner: dict[str, Any] = {"unqualified": frozenset({"default"})}
    given = [name_of(desk.next("ada", **beginner)) for _ in range(2)]
    assert given == ["g", "e"]
    assert name_of(desk.next("bob", barred=frozenset({"default", "easy"}))) is None
    assert name_of(desk.next("cy")) == "t"


def test_escalated_tasks_go_to_one_adjudicator_who_never_judged_them(desk: Desk) -> None:
    desk.commit(task("t"))
    grant = desk.next("ada")
    assert grant is not None
    desk.judge(grant)
    desk.commit(e.TaskUpdate(task="t", status="escalated", slots_wanted=1, judgments=1))
    assert desk.queue.counts().escalated == 1
    assert desk.next("bob") is None
    assert desk.next("ada", adjudicates=True) is None
    adjudicated = desk.next("eve", adjudicates=True)
    assert adjudicated is not None
    assert (adjudicated.role, adjudicated.slot) == ("adjudicator", -1)
    assert desk.next("flo", adjudicates=True) is None
    desk.judge(adjudicated)
    assert desk.next("flo", adjudicates=True) is None


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

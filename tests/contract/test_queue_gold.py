"""What every assignment queue must keep: gold, qualification and adjudication."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from streams import events as e
from streams.admission import judgment_id
from tests.contract.queues import Desk, name_of, task


def test_gold_is_mixed_in_at_its_rate_once_an_annotator_and_without_quota(desk: Desk) -> None:
    desk.commit(e.Campaign(name="default", version=1, gold_rate=0.5))
    desk.commit(*[task(f"t{i}", overlap=2) for i in range(200)], *[task(f"g{i}", gold="a") for i in range(10)])
    for name in ("ada", "bob"):
        seen = []
        for _ in range(100):
            grant = desk.given(name)
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
    grant = desk.given("ada")
    desk.judge(grant)
    desk.commit(e.TaskUpdate(task="t", status="escalated", slots_wanted=1, judgments=1))
    assert desk.queue.counts().escalated == 1
    assert desk.next("bob") is None
    assert desk.next("ada", adjudicates=True) is None
    adjudicated = desk.given("eve", adjudicates=True)
    assert (adjudicated.role, adjudicated.slot) == ("adjudicator", -1)
    assert desk.next("flo", adjudicates=True) is None
    desk.judge(adjudicated)
    assert desk.next("flo", adjudicates=True) is None


def test_a_withdrawn_adjudication_is_done_again(desk: Desk) -> None:
    desk.commit(task("t"), e.TaskUpdate(task="t", status="escalated", slots_wanted=0, judgments=0))
    grant = desk.given("ada", adjudicates=True)
    desk.judge(grant)
    assert desk.next("bob", adjudicates=True) is None
    told = e.Retraction(judgment=judgment_id("t", "ada", 1), task="t", annotator="ada", standing="s", withdrawn=True)
    desk.commit(told)
    assert name_of(desk.next("bob", adjudicates=True)) == "t"

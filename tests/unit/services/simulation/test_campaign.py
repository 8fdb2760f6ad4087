"""A campaign in memory is the service without its log: same grants, same verdicts, same suspensions."""

from __future__ import annotations

import random
from functools import partial
from pathlib import Path

import pytest

from services.bootstrap import open_service
from services.settings import Settings
from services.simulation.campaign import InMemoryCampaign
from services.store import models as m
from streams.engines.port import Transaction
from streams.errors import ForbiddenError, InputError
from streams.events import (
    Campaign,
    Choice,
    Event,
    GoldPolicy,
    Judgment,
    Output,
    Qualification,
    Rule,
    Standing,
    Targets,
)
from streams.quality.consensus import CHOICES

NOW = 1_790_000_000_000
MINUTE = 60_000


def campaign(**changes: object) -> Campaign:
    fields = {
        "rules": (Rule(overlap=2),),
        "targets": Targets(posterior=0.9, overlap_cap=5),
        "gold_rate": 0.0,
        **changes,
    }
    return Campaign(id="c", name="trial", version=1, **fields)  # type: ignore[arg-type]


def work(trial: InMemoryCampaign, choices: dict[str, Choice], at: int = NOW) -> int:
    """Everybody takes turns until nothing is left; the time then."""
    eager = dict(choices)
    while eager:
        for name, choice in list(eager.items()):
            at += MINUTE
            grant = trial.next_task(name, at)
            if grant is None:
                del eager[name]
            else:
                trial.judge(grant, choice, at + MINUTE // 2, shown_at=at)
    return at


def append(event: Event, transaction: Transaction) -> int:
    return transaction.append(event)


def test_people_who_agree_close_every_pair() -> None:
    trial = InMemoryCampaign(campaign())
    for n in range(20):
        trial.add_pair(f"pair-{n}")
    work(trial, {"ada": "a", "bo": "a", "cy": "a"})
    closed = trial.closed()
    assert set(closed) == {f"pair-{n}" for n in range(20)}
    assert {one.verdict for one in closed.values()} == {"a"}
    assert all(one.posterior[0] >= 0.9 and one.reached == "target" for one in closed.values())
    assert sum(one.judgments for one in closed.values()) == trial.judgments


def test_refined_everybody_is_looked_at_again() -> None:
    """Who is wrong with the others is believed less, on what they said before as well."""
    trial, draw, now = InMemoryCampaign(campaign()), random.Random(4), NOW
    truth: dict[str, Choice] = {f"pair-{n}": draw.choice(("a", "b")) for n in range(150)}
    accuracy = {"ada": 0.9, "bo": 0.9, "cy": 0.6, "dot": 0.6, "eve": 0.6}
    for pair in truth:
        trial.add_pair(pair)
    trial.add_pair("gold", gold="a")
    for _ in range(3_000):
        name, now = draw.choice(list(accuracy)), now + MINUTE
        if grant := trial.next_task(name, now):
            right = truth.get(grant.facts.correlation, "a")
            wrong: Choice = "b" if right == "a" else "a"
            trial.judge(grant, right if draw.random() < accuracy[name] else wrong, now + 1)
    refined, closed = trial.refined(), trial.closed()
    assert set(closed) <= set(refined) <= set(truth), "gold needs none"
    assert all(sum(belief) == pytest.approx(1) for belief in refined.values())
    right_then = sum(one.verdict == truth[pair] for pair, one in closed.items())
    right_now = sum(CHOICES[refined[pair].index(max(refined[pair]))] == truth[pair] for pair in closed)
    assert right_now >= right_then
    assert any(refined[pair] != one.posterior for pair, one in closed.items())


def test_a_pair_is_never_given_twice_to_one_person_nor_to_more_than_its_quota() -> None:
    trial = InMemoryCampaign(campaign())
    trial.add_pair("pair")
    first, second = trial.next_task("ada", NOW), trial.next_task("bo", NOW)
    assert first is not None
    assert second is not None
    assert {first.facts.correlation, second.facts.correlation} == {"pair"}
    assert trial.next_task("cy", NOW) is None
    trial.judge(first, "a", NOW + MINUTE)
    assert trial.next_task("ada", NOW + MINUTE) is None


def test_a_lease_that_ends_frees_its_slot_and_a_skip_does_too() -> None:
    trial = InMemoryCampaign(campaign(rules=(Rule(overlap=1),), lease_seconds=60))
    trial.add_pair("pair")
    assert trial.next_task("ada", NOW) is not None
    assert trial.next_task("bo", NOW + MINUTE // 2) is None
    second = trial.next_task("bo", NOW + 2 * MINUTE)
    assert second is not None
    trial.skip(second, NOW + 2 * MINUTE)
    assert trial.next_task("cy", NOW + 2 * MINUTE) is not None


def test_who_is_always_wrong_on_gold_calls_an_alarm_and_is_suspended() -> None:
    trial = InMemoryCampaign(campaign(gold_rate=1.0))
    for n in range(60):
        trial.add_pair(f"pair-{n}")
        trial.add_pair(f"gold-{n}", gold="a")
    work(trial, {"bad": "b"})
    assert trial.suspended()["bad"].reason
    assert "gold" in {alert.hypothesis for alert in trial.alerts}
    assert trial.judgments_on_gold > 0
    assert trial.next_task("bad", NOW + 10**9) is None
    assert all(not pair.startswith("gold") for pair in trial.closed())


def test_a_judgment_of_somebody_suspended_meanwhile_is_refused() -> None:
    trial = InMemoryCampaign(campaign())
    trial.add_pair("pair")
    grant = trial.next_task("ada", NOW)
    assert grant is not None
    trial.push(Standing(id="s", annotator="ada", standing="suspended", weight=0.0, by="lead", reason="asked to stop"))
    with pytest.raises(ForbiddenError, match="asked to stop"):
        trial.judge(grant, "a", NOW + MINUTE)
    assert trial.suspended()["ada"].by == "lead"


def test_equal_responses_leave_nothing_to_judge_and_bad_words_are_refused() -> None:
    trial = InMemoryCampaign(campaign())
    trial.add_pair("pair", a="same", b="same")
    assert trial.next_task("ada", NOW) is None
    with pytest.raises(InputError):
        trial.add_pair("pair-2", prompt="\x00")


def test_the_service_says_the_same_of_the_same_judgments(tmp_path: Path) -> None:
    heard: list[Event] = []
    trial = InMemoryCampaign(campaign(), heard.append)
    for n in range(12):
        trial.add_pair(f"pair-{n}")
    work(trial, {"ada": "a", "bo": "a", "cy": "a", "di": "a", "eve": "b"})
    service = open_service(Settings(data=tmp_path))
    try:
        for event in heard:
            if isinstance(event, Campaign | Output | Judgment):
                service.log.submit(partial(append, event)).result()
                service.engine.drain()
        with service.database.connect() as sql:
            rows = sql.execute(m.preferences.select()).mappings().all()
    finally:
        service.close()
    table = {row["task"]: (row["verdict"], row["p_a"], row["p_b"], row["p_tie"], row["revision"]) for row in rows}
    assert table  # there is something to compare
    assert table == {
        task: (one.verdict, one.p_a, one.p_b, one.p_tie, one.revision) for task, one in trial.preferences.items()
    }


def test_the_same_calls_give_the_same_campaign() -> None:
    runs = []
    for _ in range(2):
        heard: list[Event] = []
        trial = InMemoryCampaign(campaign(), heard.append)
        for n in range(8):
            trial.add_pair(f"pair-{n}")
        work(trial, {"ada": "a", "bo": "b", "cy": "a"})
        runs.append(heard)
    assert runs[0] == runs[1]


def test_a_look_at_the_crowd_finds_who_copies_reasons_and_tells_it_once() -> None:
    trial = InMemoryCampaign(campaign(rules=(Rule(overlap=4),), targets=Targets(posterior=0.999, overlap_cap=4)))
    at = NOW
    for n in range(40):
        trial.add_pair(f"{n} eggs")
    for name in ("ada", "bo", "copycat", "di") * 60:
        at += MINUTE
        if (grant := trial.next_task(name, at)) is not None:
            pair = grant.facts.correlation
            copied = f"the {pair} are counted twice in the second basket of {pair}"
            trial.judge(grant, "a", at, reason=copied if name in ("bo", "copycat") else f"{name} likes {pair}")
    told = trial.look_at_crowd(at)
    assert {alert.annotator for alert in told if alert.hypothesis == "copying"} == {"bo", "copycat"}
    assert trial.alerts[-len(told) :] == told
    assert trial.look_at_crowd(at) == []
    assert not trial.suspended()


# ---------------------------------------------------------------- gold that depends on who asks


def test_a_qualification_round_comes_first_and_lets_nobody_on_who_guesses() -> None:
    trial = InMemoryCampaign(campaign(qualification=Qualification(tasks=20)))
    for n in range(20):
        trial.add_pair(f"gold-{n}", gold="ab"[n % 2])  # type: ignore[arg-type]
    trial.add_pair("pair")
    at, given = NOW, []
    while (grant := trial.next_task("ada", at := at + MINUTE)) is not None:
        given.append(grant.facts.correlation)
        trial.judge(grant, "a", at, shown_at=at - MINUTE)
    assert trial.qualified("ada") == "failed"
    assert all(pair.startswith("gold") for pair in given)
    assert trial.qualified("bo") == "open"
    while trial.qualified("bo") == "open":
        grant = trial.next_task("bo", at := at + MINUTE)
        assert grant is not None
        assert grant.facts.gold is not None
        trial.judge(grant, grant.facts.gold, at, shown_at=at - MINUTE)
    grant = trial.next_task("bo", at + MINUTE)
    assert grant is not None
    assert grant.facts.correlation == "pair"


def test_adaptive_gold_is_less_for_who_is_known_well() -> None:
    shares = []
    for adaptive in (False, True):
        trial = InMemoryCampaign(campaign(gold_rate=0.5, gold=GoldPolicy(adaptive=adaptive), rules=(Rule(overlap=1),)))
        for n in range(400):
            trial.add_pair(f"pair-{n}", gold="a" if n % 2 else None)
        work(trial, {"ada": "a"})
        shares.append(trial.judgments_on_gold / trial.judgments)
    assert shares[1] < 0.7 * shares[0]

"""Calibration rounds: everybody judges the same few tasks; a report says who agrees with whom."""

from __future__ import annotations

from typing import Any

from services.analysis.calibration import agreed
from services.coordinator.calibration import DAY_MS, RoundKeeper, chosen, next_round_at, round_of
from streams.events import Calibration
from tests.integration.test_gold import campaign, judge, person, tasks
from tests.integration.world import World


def report(world: World) -> list[dict[str, Any]]:
    rounds: list[dict[str, Any]] = world("lead", "GET", "/v1/campaigns/default/calibration").json()["rounds"]
    return rounds


def test_a_round_lasts_its_days_and_is_named_by_the_first() -> None:
    terms = Calibration(tasks=3, every_days=7)
    begin = 20_000 * DAY_MS // (7 * DAY_MS) * (7 * DAY_MS)
    assert round_of(terms, begin) == round_of(terms, begin + 7 * DAY_MS - 1) != round_of(terms, begin + 7 * DAY_MS)
    assert round_of(Calibration(), begin) == ""


def test_the_choice_is_the_same_each_time_and_another_in_another_round() -> None:
    terms, names = Calibration(tasks=5), [f"t{n}" for n in range(50)]
    assert chosen(names, terms, "2026-11-16") == chosen(names[::-1], terms, "2026-11-16")
    assert chosen(names, terms, "2026-11-16") != chosen(names, terms, "2026-11-23")


def test_agreement_is_with_the_others_on_the_same_tasks() -> None:
    labels = [("t", "ada", "a"), ("t", "bob", "a"), ("t", "cy", "b"), ("u", "ada", "b")]
    rates = agreed(labels)
    assert {who: rate.rate for who, rate in rates.items()} == {"ada": 0.5, "bob": 0.5, "cy": 0.0}
    assert {rate.n for rate in rates.values()} == {1}, "two others on one task are one look"
    assert all(rate.rate is not None and rate.low <= rate.rate <= rate.high for rate in rates.values())


def test_the_next_round_begins_where_this_one_ends() -> None:
    terms, now = Calibration(tasks=3, every_days=7), 20_000 * DAY_MS
    after = next_round_at(terms, now)
    assert after is not None
    assert round_of(terms, after - 1) == round_of(terms, now) != round_of(terms, after)
    assert next_round_at(Calibration(), now) is None


def test_everybody_judges_the_rounds_tasks_once_and_they_are_not_trained_on(world: World) -> None:
    campaign(world, gold_rate=0.0, targets={"posterior": 0.5}, calibration={"tasks": 2, "every_days": 7})
    tasks(world, 6, gold=False)
    people = [person(world, name) for name in ("ada", "bob", "cy")]
    for number in range(6):
        assert judge(world, *people[number % 3]) is False
    closed = closed_tasks(world)
    assert len(closed) == 6
    keeper = RoundKeeper(service=world.service)
    made = keeper.tick()
    world.service.engine.drain()
    assert made == 2
    assert keeper.tick() == 0
    assert RoundKeeper(service=world.service).tick() == 0  # one that starts anew begins none either
    (begun,) = report(world)
    assert (begun["tasks"], begun["people"], begun["judgments"], begun["alpha"]) == (2, 3, 0, None)
    for number, (who, key) in enumerate(people):
        assert [judge(world, who, key, right=number > 0) for _ in range(2)] == [False, False]
        assert judge(world, who, key) is None
        assert report(world)[0]["finished"] == number + 1
    (found,) = report(world)
    assert (found["tasks"], found["judgments"], found["closed"]) == (2, 6, 2)
    assert found["alpha"]["low"] <= found["alpha"]["value"] <= found["alpha"]["high"]
    assert found["annotators"][0]["judged"] == 2
    shares = {one["annotator"]: one["agreement"]["rate"] for one in found["annotators"]}
    assert shares == {people[0][0]: 0.0, people[1][0]: 0.5, people[2][0]: 0.5}
    batch = world("engineer", "POST", "/v1/batches", {"campaign": "default"}).json()
    members = world("engineer", "GET", f"/v1/batches/{batch['batch']}").json()["definition"]["members"]
    assert {task for task, _ in members} == closed


def closed_tasks(world: World) -> set[str]:
    with world.service.database.connect() as sql:
        return set(sql.exec_driver_sql("SELECT task FROM tasks WHERE status = 'closed'").scalars())

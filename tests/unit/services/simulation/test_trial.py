"""A trial: a made-up crowd through a campaign, to its end."""

from __future__ import annotations

from services.simulation.annotators import Item
from services.simulation.plan import Plan
from services.simulation.trial import Trial, words
from streams.events import Qualification

PLAN = Plan(
    pairs=150, annotators=12, crowd={}, gold=20, difficulty_sd=0.0, ties=0.0, accuracy=0.85, concentration=200.0
)


def test_every_pair_is_decided_and_paid_for() -> None:
    result = Trial(PLAN, 0.9, seed=1).run()
    assert result.undecided == 0
    assert result.right > 0.85
    assert result.judgments == sum(record.judgments for record in result.records)
    assert result.cost == result.judgments * PLAN.price + result.adjudicated * PLAN.adjudication_price
    assert 1.0 < result.labels_per_pair < PLAN.overlap_cap
    assert result.hours > 0
    assert result.requests >= result.judgments
    assert (result.by_bad, 0 <= result.in_vain < 1) == (0.0, True)


def test_a_higher_target_costs_more_and_is_more_often_right() -> None:
    low, high = Trial(PLAN, 0.75, seed=1).run(), Trial(PLAN, 0.97, seed=1).run()
    assert low.labels_per_pair < high.labels_per_pair
    assert low.right < high.right


def test_the_same_seed_gives_the_same_result_and_another_one_does_not() -> None:
    small = Plan(pairs=40, annotators=6, crowd={"ring": 0.3, "sybil": 0.2})
    assert Trial(small, 0.9, seed=3).run() == Trial(small, 0.9, seed=3).run()
    assert Trial(small, 0.9, seed=3).run() != Trial(small, 0.9, seed=4).run()


def test_who_hurries_or_asks_a_model_is_stopped_and_counted_from_their_first_judgment() -> None:
    plan = Plan(pairs=400, annotators=10, crowd={"language_model": 0.1, "fast": 0.1}, accuracy=0.9)
    records = {record.kind: record for record in Trial(plan, 0.9, seed=2).run().records}
    for kind in ("language_model", "fast"):
        stopped = records[kind].suspended_after
        assert stopped is not None
        assert stopped <= 40
        assert records[kind].counted >= stopped


def test_sybils_come_late_and_are_counted_only_then() -> None:
    plan = Plan(pairs=300, annotators=10, crowd={"sybil": 0.3, "adversarial": 0.1}, since=0.5)
    records = Trial(plan, 0.9, seed=2).run().records
    sybils = [record for record in records if record.kind == "sybil"]
    honest = [record for record in records if record.kind == "honest"]
    assert all(record.counted == record.judgments for record in [*sybils, *honest])
    assert max(record.judgments for record in sybils) < max(record.judgments for record in honest)
    (adversary,) = [record for record in records if record.kind == "adversarial"]
    assert 0 < adversary.counted < adversary.judgments


def test_what_is_shown_is_as_long_as_the_item() -> None:
    prompt, a, b = words(Item(pair="pair-1", truth="a", length=1_000))
    assert len(prompt) + len(a) + len(b) == 1_000
    assert a != b


def test_a_qualification_round_turns_those_away_who_guess() -> None:
    plan = Plan(pairs=100, annotators=12, crowd={"random": 0.3}, accuracy=0.9, qualification=Qualification(tasks=30))
    records = Trial(plan, 0.9, seed=1).run().records
    turned_away = [record.kind for record in records if record.turned_away]
    assert turned_away.count("random") >= 3
    assert turned_away.count("honest") <= 1

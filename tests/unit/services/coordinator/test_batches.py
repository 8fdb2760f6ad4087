from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.coordinator.batches import Ready, batch_id, plan_batch, requested_run
from streams.events import Batch, Campaign, Training

NOW = 1_000_000_000
TRAINING = Training(batch_size=4, batch_min=2, batch_max_age_s=60)


def ready(count: int, *, age_s: int = 0, holdout: int = 0) -> list[Ready]:
    fresh = [Ready(task=f"t{n}", revision=1, at=NOW - 1000 * age_s) for n in range(count)]
    return fresh + [Ready(task=f"h{n}", revision=1, at=0, holdout=True) for n in range(holdout)]


def test_enough_make_a_batch_of_everything_ready() -> None:
    plan = plan_batch(ready(6, holdout=2), TRAINING, NOW)
    assert plan is not None
    assert plan.members == tuple((f"t{n}", 1) for n in range(6))
    assert plan.holdout == (("h0", 1), ("h1", 1))
    assert plan.reason.startswith("count: 6")


def test_too_few_and_young_make_none() -> None:
    assert plan_batch(ready(3, age_s=59), TRAINING, NOW) is None


def test_age_makes_a_smaller_batch() -> None:
    plan = plan_batch(ready(2, age_s=60), TRAINING, NOW)
    assert plan is not None
    assert plan.reason.startswith("age: ")


def test_age_makes_no_batch_below_the_least_size() -> None:
    assert plan_batch(ready(1, age_s=600), TRAINING, NOW) is None


def test_held_out_pairs_neither_count_nor_age_nor_make_a_batch_alone() -> None:
    assert plan_batch(ready(3, holdout=50), TRAINING, NOW) is None
    assert plan_batch(ready(0, holdout=50), TRAINING, NOW, by_hand=True) is None


def test_by_hand_one_is_enough() -> None:
    plan = plan_batch(ready(1), TRAINING, NOW, by_hand=True)
    assert plan is not None
    assert plan.reason == "by hand"


members = st.lists(st.tuples(st.text(max_size=4), st.integers(1, 9)), unique=True, min_size=1, max_size=8)


@given(members, st.randoms())
def test_the_id_follows_from_the_members_whatever_their_order(
    chosen: list[tuple[str, int]], chance: random.Random
) -> None:
    shuffled = list(chosen)
    chance.shuffle(shuffled)
    assert batch_id("c", chosen) == batch_id("c", shuffled)
    assert batch_id("c", chosen) != batch_id("d", chosen)
    assert batch_id("c", chosen) != batch_id("c", [*chosen, ("other", 1)])


def campaign(**training: object) -> Campaign:
    return Campaign(name="c", version=3, training=Training(**training))  # type: ignore[arg-type]


def test_a_batch_requests_a_run_from_the_champion() -> None:
    batch = Batch(batch="b1", members=(("t", 1),))
    run = requested_run(batch, campaign(base_model="m/anchor", config={"seed": 3}), "champion-7")
    assert run is not None
    assert (run.batch, run.status, run.base_model, run.parent) == ("b1", "requested", "m/anchor", "champion-7")
    assert (run.config, run.campaign, run.campaign_version) == ({"seed": 3}, "c", 3)
    assert run.id


@pytest.mark.parametrize("training", [{"base_model": ""}, {"base_model": "m", "auto": False}])
def test_no_run_is_requested_where_the_campaign_wants_none(training: dict[str, object]) -> None:
    assert requested_run(Batch(batch="b1", members=()), campaign(**training), "") is None

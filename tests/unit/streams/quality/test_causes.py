"""Causes on simulated crowds, where what is behind each slice is known."""

from functools import cache

import numpy as np
import pytest

from streams.quality.causes import Cause, Slice, clustered_variance, fit, ranked, shrunken
from streams.quality.intervals import normal
from streams.quality.pairs import Ints, Pairs, pairs_of

PEOPLE, ITEMS, EACH = 40, 2_000, 4
NEWCOMERS = 10


def crowd(seed: int) -> tuple[Ints, list[Slice]]:
    """Law items are ambiguous; newcomers are unreliable and judge most of what is German; `part` means nothing."""
    dice = np.random.default_rng(seed)
    domain = dice.choice(["code", "mail", "law"], ITEMS, p=[0.5, 0.3, 0.2])
    german = dice.random(ITEMS) < 0.3
    part = dice.integers(0, 8, ITEMS)
    new = np.arange(PEOPLE) < NEWCOMERS
    accuracy = np.where(new, 0.62, 0.88) + dice.normal(0, 0.03, PEOPLE)
    truth = dice.integers(0, 2, ITEMS)
    rows = []
    for item in range(ITEMS):
        share = np.where(new, 4.0 if german[item] else 0.5, 1.0)
        for person in dice.choice(PEOPLE, EACH, replace=False, p=share / share.sum()):
            right = 0.5 + (accuracy[person] - 0.5) * (0.4 if domain[item] == "law" else 1.0)
            rows.append((item, person, truth[item] ^ int(dice.random() >= right)))
    slices = [
        *(Slice(tag="domain", value=name, of="items", members=domain == name) for name in ("code", "mail", "law")),
        Slice(tag="locale", value="de", of="items", members=german),
        Slice(tag="cohort", value="new", of="annotators", members=new),
        *(Slice(tag="part", value=str(n), of="items", members=part == n) for n in range(8)),
    ]
    return np.array(rows, dtype=np.int64), slices


@cache
def found(seed: int) -> dict[str, Cause]:
    rows, slices = crowd(seed)
    return {f"{one.tag}={one.value}": one for one in ranked(pairs_of(*rows.T), slices)}


@pytest.mark.parametrize("seed", range(3))
def test_what_is_behind_each_slice_is_told_apart(seed: int) -> None:
    causes = found(seed)
    assert set(list(causes)[:3]) == {"cohort=new", "domain=law", "locale=de"}  # the lowest first
    assert causes["domain=law"].looks == "guideline"
    assert causes["locale=de"].looks == "annotators"  # the same people agree as little elsewhere
    assert causes["cohort=new"].looks == "annotators"
    assert causes["domain=code"].looks == "no lower"


@pytest.mark.parametrize("seed", range(3))
def test_good_annotators_disagree_where_the_guideline_is_ambiguous_and_nowhere_else(seed: int) -> None:
    causes = found(seed)
    law, german = causes["domain=law"], causes["locale=de"]
    assert law.control_here is not None
    assert law.control_elsewhere is not None
    assert law.control_here.high < law.control_elsewhere.low
    assert german.control_here is not None
    assert german.control_elsewhere is not None
    assert abs(german.control_here.value - german.control_elsewhere.value) < 0.1


def test_parts_add_up_and_gains_are_shares() -> None:
    for cause in found(0).values():
        assert cause.items.value + cause.annotators.value == pytest.approx(cause.effect.value)
        assert abs(cause.shrunk.value) <= abs(cause.effect.value)
        assert 0 <= cause.gain < 0.2


@pytest.mark.slow
def test_slices_without_meaning_are_seldom_called_a_cause() -> None:
    looks = [cause.looks for seed in range(4) for name, cause in found(seed).items() if name.startswith("part")]
    assert len(looks) == 32
    assert sum(look != "no lower" for look in looks) <= 3  # 2.5 % are expected below their interval


def test_people_seen_nowhere_else_leave_it_unclear() -> None:
    """Two crowds that never meet: what belongs to the items and what to the people cannot be known."""
    dice = np.random.default_rng(1)
    rows = []
    for item in range(600):
        bad = item >= 400
        people = dice.choice(10, 3, replace=False) + (10 if bad else 0)
        rows += [(item, who, int(dice.random() < (0.5 if bad else 0.9))) for who in people]
    members = np.arange(600) >= 400
    pairs = pairs_of(*np.array(rows, dtype=np.int64).T)
    (cause,) = ranked(pairs, [Slice(tag="locale", value="fi", of="items", members=members)])
    assert cause.shrunk.high < 0
    assert cause.known == 0
    assert cause.looks == "unclear"


def test_the_fit_finds_the_unreliable_and_a_level_near_the_mean() -> None:
    rows, _ = crowd(4)
    pairs = pairs_of(*rows.T)
    fitted = fit(pairs)
    assert fitted.person[:NEWCOMERS].max() < fitted.person[NEWCOMERS:].min()
    mean = float(pairs.weight @ pairs.same / pairs.weight.sum())
    assert fitted.level == pytest.approx(mean, abs=0.06)


@pytest.mark.slow
def test_intervals_of_effects_hold_the_truth_as_often_as_they_say() -> None:
    """Crowds of random people and items, a slice that means nothing: the true effect is zero."""
    held = 0
    for seed in range(200):
        dice = np.random.default_rng(seed)
        people, items = dice.beta(8, 3, 25), dice.random(150)
        rows = [
            (item, who, int(dice.random() < (0.5 + (people[who] - 0.5) * items[item])))
            for item in range(150)
            for who in dice.choice(25, 4, replace=False)
        ]
        members = np.arange(150) < 50
        pairs = pairs_of(*np.array(rows, dtype=np.int64).T)
        (cause,) = ranked(pairs, [Slice(tag="t", value="v", of="items", members=members)])
        held += cause.effect.low <= 0 <= cause.effect.high
    assert 180 <= held <= 200


def test_pairs_weigh_every_judgment_alike() -> None:
    item = np.array([0, 0, 1, 1, 1, 1, 2])
    pairs = pairs_of(item, np.array([0, 1, 0, 1, 2, 3, 0]), np.array([0, 0, 1, 1, 2, 1, 0]))
    assert len(pairs.same) == 1 + 6
    by_item = np.bincount(pairs.item, weights=pairs.weight, minlength=3)
    assert by_item.tolist() == pytest.approx([1.0, 2.0, 0.0])  # half the number of judgments that can be compared
    assert pairs.same.sum() == 1 + 3


def test_clustering_by_item_is_the_textbook_sum() -> None:
    """With people who never come twice only items are clusters: the variance is the sum of squared cluster sums."""
    one, other = np.arange(0, 12, 2), np.arange(1, 12, 2)
    item = np.array([0, 0, 0, 1, 1, 2])
    pairs = Pairs(
        items=3, annotators=12, item=item, one=one, other=other, first=one, second=other,
        same=np.ones(6), weight=np.ones(6),
    )  # fmt: skip
    influence = np.array([0.1, 0.2, -0.1, 0.3, 0.1, -0.2])
    assert clustered_variance(pairs, influence) == pytest.approx(0.2**2 + 0.4**2 + 0.2**2)


def test_a_slice_must_show_the_more_the_less_is_known_of_it_and_the_less_the_others_differ() -> None:
    sure, unsure, other = shrunken([normal(-0.1, 0.01), normal(-0.1, 0.06), normal(0.0, 0.01)])
    assert -0.1 < sure.value < unsure.value < 0 < other.high - other.low
    alone, among = (shrunken([normal(-0.05, 0.03), *rest])[0] for rest in ([], [normal(0.001, 0.005)] * 8))
    assert alone.value < among.value < 0
    assert shrunken([]) == []


@pytest.mark.parametrize("slices", [1, 2, 4, 12])
@pytest.mark.parametrize("spread", [0.02, 0.1, 0.2])
def test_believed_intervals_hold_the_truth_as_often_as_they_say(slices: int, spread: float) -> None:
    """Few slices say little of how much slices differ; one estimate of that covered half of them."""
    dice, held = np.random.default_rng(slices), []
    for _ in range(300):
        truth, errors = dice.normal(0, spread, slices), dice.uniform(0.01, 0.06, slices)
        seen = [normal(*one) for one in zip(dice.normal(truth, errors), errors, strict=True)]
        held += [found.low <= true <= found.high for found, true in zip(shrunken(seen), truth, strict=True)]
    assert 0.89 <= np.mean(held) <= 0.995


def test_between_slices_that_do_not_differ_hardly_anything_is_believed() -> None:
    for found in shrunken([normal(0.01, 0.05), normal(-0.02, 0.05)]):
        assert abs(found.value) < 0.01
        assert found.low < 0 < found.high

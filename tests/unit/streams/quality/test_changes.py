"""What holds of somebody who may have changed, against a sum over every segmentation written out."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import gammaln

from streams.quality.changes import MOST_SPANS, SPAN, Array, Spans, averaged

PRIOR = np.array([5.0, 2.0, 1.0])

spans = st.lists(st.lists(st.floats(0, 30), min_size=3, max_size=3), min_size=1, max_size=7)


def log_evidence(counts: Array) -> float:
    beta = gammaln(counts + PRIOR).sum() - gammaln((counts + PRIOR).sum())
    return float(beta - gammaln(PRIOR).sum() + gammaln(PRIOR.sum()))


def by_hand(counts: Array, change: float) -> Array:
    """The mean over all 2^(spans - 1) segmentations, each by its prior and its evidence."""
    number = len(counts)
    total, held = 0.0, np.zeros_like(counts)
    for pattern in range(2 ** (number - 1)):
        borders = [0, *[at for at in range(1, number) if pattern >> (at - 1) & 1], number]
        changes = len(borders) - 2
        log = changes * math.log(change) + (number - 1 - changes) * math.log(1 - change)
        weight = math.exp(log + sum(log_evidence(counts[a:b].sum(0)) for a, b in pairwise(borders)))
        total += weight
        for a, b in pairwise(borders):
            held[a:b] += weight * counts[a:b].sum(0)
    return held / total


@given(spans, st.floats(0.01, 0.5))
@settings(max_examples=60, deadline=None)
def test_it_is_the_mean_over_all_segmentations(own: list[list[float]], change: float) -> None:
    counts = np.array(own)
    held = averaged(counts[None], PRIOR, np.array([[change]]))[0]
    np.testing.assert_allclose(held, by_hand(counts, change), rtol=1e-5, atol=1e-6)


def person(*spans: tuple[float, float]) -> Array:
    """Spans of (same, opposite)."""
    return np.array([(same, opposite, 0.0) for same, opposite in spans])


def test_who_turns_and_turns_back_is_known_in_all_three_parts() -> None:
    counts = person(*[(20, 5)] * 5, *[(5, 20)] * 3, *[(20, 5)] * 4)
    held = averaged(counts[None], PRIOR, np.array([[0.05]]))[0]
    same = held[:, 0] / held.sum(axis=1)
    assert min(*same[:5], *same[8:]) > 0.7 > 0.3 > max(same[5:8])


def test_who_never_changes_is_judged_by_nearly_all_they_said() -> None:
    held = averaged(person(*[(20, 5)] * 12)[None], PRIOR, np.array([[0.05]]))[0]
    assert held.sum(axis=1).min() > 0.9 * 12 * 25


def test_people_of_any_number_of_spans_are_kept_apart() -> None:
    """Who is looked at beside others is found to be as alone."""
    draw = np.random.default_rng(3)
    given = (1, SPAN, SPAN + 1, 3 * SPAN, 5 * SPAN, 40 * SPAN)
    who = draw.permutation(np.repeat(np.arange(len(given)), given))
    together = Spans(who)
    counts = draw.uniform(0, 25, (len(together.owner), 3))
    held = together.held(counts, PRIOR)
    for one, judgments in enumerate(given):
        own = together.owner == one
        alone = Spans(np.zeros(judgments, dtype=np.int64)).held(counts[own], PRIOR)
        np.testing.assert_allclose(held[own], alone)


@pytest.mark.parametrize(("judgments", "spans"), [(1, 1), (25, 1), (26, 2), (400, 16), (401, 16), (100_000, 16)])
def test_spans_are_of_25_judgments_and_longer_for_the_busy(judgments: int, spans: int) -> None:
    found = Spans(np.zeros(judgments, dtype=np.int64))
    assert len(found.owner) == spans <= MOST_SPANS
    sizes = np.bincount(found.of)
    assert set(sizes[:-1]) <= {max(SPAN, math.ceil(judgments / MOST_SPANS))}
    assert np.isfinite(found.held(np.ones((spans, 3)), PRIOR)).all()


def test_spans_follow_the_order_of_each_ones_own_judgments() -> None:
    who = np.tile([1, 0], 60)
    found = Spans(who)
    assert found.owner.tolist() == [0, 0, 0, 1, 1, 1]
    assert found.first.tolist() == [0, 3]
    assert found.of[who == 1].tolist() == [3] * 25 + [4] * 25 + [5] * 10

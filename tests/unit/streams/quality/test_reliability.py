import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta

from streams.events import Choice
from streams.quality import reliability
from streams.quality.consensus import Posterior
from streams.quality.reliability import GOLD, HALF_LIFE_MS, Counts, learn_choice, learn_graded, summary

choices: st.SearchStrategy[Choice] = st.sampled_from(("a", "b", "tie"))
posteriors = st.tuples(st.floats(0.01, 1), st.floats(0.01, 1), st.floats(0, 1)).map(
    lambda raw: (raw[0] / sum(raw), raw[1] / sum(raw), raw[2] / sum(raw))
)
lessons = st.lists(st.tuples(choices, st.booleans(), posteriors, st.integers(1, 10) | st.just(0)), max_size=12)
DAY = 86_400_000


def graded(n: int, accuracy: float, certainty: float, seed: int = 0) -> Counts:
    """Judgments of an annotator of known accuracy, taught by others whose favourite is right with that certainty."""
    draw = random.Random(seed)
    counts = Counts()
    for _ in range(n):
        truth: Choice = draw.choice(("a", "b"))
        other: Choice = "b" if truth == "a" else "a"
        choice = truth if draw.random() < accuracy else other
        favourite = truth if draw.random() < certainty else other
        others = (certainty, 1 - certainty, 0.0) if favourite == "a" else (1 - certainty, certainty, 0.0)
        counts = learn_graded(counts, 0, choice, draw.random() < 0.5, others)
    return counts


@pytest.mark.parametrize("accuracy", [0.5, 0.7, 0.9])
@pytest.mark.parametrize("certainty", [0.75, 0.95, 1.0])
def test_the_accuracy_is_found_however_unsure_the_others_are(accuracy: float, certainty: float) -> None:
    known = summary(graded(3000, accuracy, certainty), 3000)
    assert known.accuracy == pytest.approx(accuracy, abs=0.04)
    assert known.accuracy_low < accuracy < known.accuracy_high


def test_others_who_know_nothing_teach_nothing() -> None:
    counts = graded(50, 0.9, 0.5)
    assert summary(counts, 0) == summary(Counts(), 0)


@given(lessons=lessons, order=st.randoms(use_true_random=False))
def test_everything_learned_can_be_unlearned_in_any_order(
    lessons: list[tuple[Choice, bool, Posterior, int]], order: random.Random
) -> None:
    counts = Counts()
    for choice, swapped, truth, day in lessons:
        counts = learn_graded(learn_choice(counts, day * DAY, choice), day * DAY, choice, swapped, truth)
    order.shuffle(lessons)
    for choice, swapped, truth, day in lessons:
        counts = learn_graded(learn_choice(counts, day * DAY, choice, -1), day * DAY, choice, swapped, truth, -1)
    if all(day for *_, day in lessons):  # times unknown are not faded, so they cannot be taken back exactly
        left = (counts.right, counts.wrong_left, counts.wrong_right, counts.ties, counts.decisive)
        assert left == pytest.approx((0, 0, 0, 0, 0), abs=1e-9)


def test_gold_counts_whole_and_ties_say_nothing_of_accuracy() -> None:
    counts = learn_graded(Counts(), 0, "a", False, GOLD["a"])
    counts = learn_graded(counts, 0, "b", False, GOLD["a"])
    counts = learn_graded(counts, 0, "tie", False, GOLD["a"])
    assert (counts.right, counts.wrong_left, counts.wrong_right) == (1, 0, 1)


def test_side_bias_shows_in_the_wrong_ones() -> None:
    counts = Counts()
    for _ in range(40):
        counts = learn_graded(counts, 0, "b", True, GOLD["a"])
    assert summary(counts, 40).side_bias > 0.3
    assert summary(Counts(), 0).side_bias == 0


def test_tie_rate() -> None:
    counts = Counts()
    for n in range(400):
        counts = learn_choice(counts, 0, "tie" if n % 4 == 0 else "a")
    assert summary(counts, 400).tie_rate == pytest.approx(0.25, abs=0.01)


def test_old_evidence_counts_half_after_a_half_life_whatever_comes_first() -> None:
    old, new = 10 * DAY, 10 * DAY + HALF_LIFE_MS
    in_order = learn_graded(learn_graded(Counts(), old, "a", False, GOLD["a"]), new, "b", True, GOLD["a"])
    reversed_ = learn_graded(learn_graded(Counts(), new, "b", True, GOLD["a"]), old, "a", False, GOLD["a"])
    assert (in_order.right, in_order.wrong_left, in_order.at) == (0.5, 1, new)
    assert in_order == reversed_


@pytest.mark.parametrize(("right", "wrong"), [(0, 0), (5, 1), (40, 10), (200, 160)])
def test_the_interval_is_near_the_beta_posteriors(right: float, wrong: float) -> None:
    known = summary(Counts(right=right, wrong_left=wrong), 0)
    exact = beta(reliability.PRIOR_RIGHT + right, reliability.PRIOR_WRONG + wrong).interval(0.95)
    assert (known.accuracy_low, known.accuracy_high) == pytest.approx(exact, abs=0.06)


@given(st.builds(Counts, right=st.floats(-50, 1e4), wrong_left=st.floats(-50, 1e4), wrong_right=st.floats(-50, 1e4)))
def test_a_summary_is_always_in_range(counts: Counts) -> None:
    known = summary(counts, 1)
    assert 0 < known.accuracy < 1
    assert 0 <= known.accuracy_low <= known.accuracy_high <= 1
    assert -0.5 < known.side_bias < 0.5
    assert known.evidence >= 0

import random
from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from scipy.stats import binom

from streams.events import Choice
from streams.quality import floor, reliability
from streams.quality.consensus import Posterior
from streams.quality.reliability import GOLD, HALF_LIFE_MS, LEVELS, PRIOR, Grades, learn_choice, learn_graded, summary

choices: st.SearchStrategy[Choice] = st.sampled_from(("a", "b", "tie"))
posteriors = st.tuples(st.floats(0.01, 1), st.floats(0.01, 1), st.floats(0, 1)).map(
    lambda raw: (raw[0] / sum(raw), raw[1] / sum(raw), raw[2] / sum(raw))
)
lessons = st.lists(st.tuples(choices, st.booleans(), posteriors, st.integers(1, 10) | st.just(0)), max_size=12)
DAY = 86_400_000


def graded(n: int, accuracy: float, certainty: float, seed: int = 0) -> Grades:
    """Judgments of an annotator of known accuracy, taught by others whose favourite is right with that certainty."""
    draw = random.Random(seed)
    grades = Grades()
    for _ in range(n):
        truth: Choice = draw.choice(("a", "b"))
        other: Choice = "b" if truth == "a" else "a"
        choice = truth if draw.random() < accuracy else other
        favourite = truth if draw.random() < certainty else other
        others = (certainty, 1 - certainty, 0.0) if favourite == "a" else (1 - certainty, certainty, 0.0)
        grades = learn_graded(grades, 0, choice, others)
    return grades


@pytest.mark.parametrize("accuracy", [0.5, 0.7, 0.9])
@pytest.mark.parametrize("certainty", [0.75, 0.95, 1.0])
def test_the_accuracy_is_found_however_unsure_the_others_are(accuracy: float, certainty: float) -> None:
    known = summary(graded(3000, accuracy, certainty), 3000)
    assert known.accuracy == pytest.approx(accuracy, abs=0.04)
    assert known.accuracy_low < accuracy < known.accuracy_high


def test_others_who_know_nothing_teach_nothing() -> None:
    grades = graded(50, 0.9, 0.5)
    assert summary(grades, 0) == summary(Grades(), 0)


@given(lessons=lessons, order=st.randoms(use_true_random=False))
def test_everything_learned_can_be_unlearned_in_any_order(
    lessons: list[tuple[Choice, bool, Posterior, int]], order: random.Random
) -> None:
    grades = Grades()
    for choice, swapped, truth, day in lessons:
        grades = learn_graded(learn_choice(grades, day * DAY, choice, swapped), day * DAY, choice, truth)
    order.shuffle(lessons)
    for choice, swapped, truth, day in lessons:
        grades = learn_choice(grades, day * DAY, choice, swapped, -1)
        grades = learn_graded(grades, day * DAY, choice, truth, -1)
    if all(day for *_, day in lessons):  # times unknown are not faded, so they cannot be taken back exactly
        left = (*grades.levels, grades.evidence, grades.on_left, grades.on_right, grades.ties)
        assert left == pytest.approx((0,) * len(left), abs=1e-9)


def test_gold_is_the_binomial_posterior_on_the_levels() -> None:
    """An independent oracle: Bayes' rule with scipy's binomial likelihood."""
    grades = Grades()
    for n in range(20):
        grades = learn_graded(grades, 0, "b" if n < 6 else "a", GOLD["a"])
    raw = np.array(PRIOR) * binom.pmf(14, 20, LEVELS)
    assert reliability.belief(grades) == pytest.approx(raw / raw.sum(), abs=5e-3)
    assert grades.evidence == pytest.approx(20)
    assert learn_graded(grades, 0, "tie", GOLD["a"]) == grades


@pytest.mark.parametrize("accuracy", [0.1, 0.35, 0.5])
def test_those_who_judge_against_the_truth_are_found_as_well(accuracy: float) -> None:
    assert summary(graded(600, accuracy, 0.9), 600).accuracy == pytest.approx(accuracy, abs=0.06)


def test_what_the_interval_says_holds() -> None:
    """Annotators drawn from the prior, graded by unsure others: 95 % of the intervals hold the truth."""
    draw = random.Random(1)
    held = 0
    for seed in range(300):
        level = draw.choices(LEVELS, PRIOR)[0]
        known = summary(graded(40, level, 0.85, seed), 40)
        held += known.accuracy_low - 0.005 <= level <= known.accuracy_high + 0.005
    assert held / 300 == pytest.approx(0.95, abs=0.035)


def test_a_crowds_prior_is_learned_from_its_members() -> None:
    members = [reliability.belief(graded(150, 0.9 if n % 2 else 0.6, 0.95, n)) for n in range(80)]
    learned = reliability.crowd_prior(members)
    mean = sum(share * level for share, level in zip(learned, LEVELS, strict=True))
    assert sum(learned) == pytest.approx(1)
    assert mean == pytest.approx(0.75, abs=0.02)
    assert sum(share for share, level in zip(learned, LEVELS, strict=True) if 0.72 < level < 0.8) < 0.1


def test_a_suspected_change_moves_the_belief_to_what_it_is_a_change_to() -> None:
    shares = reliability.belief(graded(300, 0.85, 0.95))
    assert reliability.changed(shares, ()) == shares
    assert reliability.changed(shares, (0.0, 0.0, 0.0)) == pytest.approx(shares)
    reversed_since = reliability.changed(shares, (0.0, 0.0, 1e6))
    assert sum(reversed_since) == pytest.approx(1)
    assert LEVELS[int(np.argmax(reversed_since))] == pytest.approx(floor.WATCH[2], abs=0.03)


def test_even_odds_of_a_change_are_half_of_the_belief() -> None:
    shares = reliability.belief(Grades())
    even = reliability.changed(shares, (3 / reliability.CHANGES, 0.0, 0.0))
    assert even[reliability.CHANGED_TO[0]] == pytest.approx(0.5 + shares[reliability.CHANGED_TO[0]] / 2)


def test_side_bias_shows_in_what_is_picked() -> None:
    grades = Grades()
    for n in range(80):
        grades = learn_choice(grades, 0, "a" if n % 2 else "b", n % 2 == 0)
    assert summary(grades, 80).side_bias > 0.4
    assert summary(Grades(), 0).side_bias == 0


def test_picks_of_somebody_who_hardly_guesses_tell_little_of_a_side_bias() -> None:
    picked, knowing = Grades(on_left=25.0, on_right=38.0), Grades(levels=tuple(60 * log(each) for each in LEVELS))
    guesser, expert = summary(picked, 63), summary(replace(knowing, on_left=25.0, on_right=38.0), 63)
    assert expert.accuracy > 0.95 > guesser.accuracy
    assert -0.05 < expert.side_bias < 0
    assert guesser.side_bias < -0.1


def test_tie_rate() -> None:
    grades = Grades()
    for n in range(400):
        grades = learn_choice(grades, 0, "tie" if n % 4 == 0 else "a", n % 2 == 0)
    assert summary(grades, 400).tie_rate == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize(("bias", "ties", "judgments"), [(0.0, 0.1, 20), (0.2, 0.3, 40), (-0.3, 0.15, 200)])
def test_intervals_of_side_bias_and_tie_rate_hold_what_is_true(bias: float, ties: float, judgments: int) -> None:
    """Of guessers; narrower with more judgments, and the whole prior before any."""
    dice, held = random.Random(7), {"side": 0, "ties": 0}
    for _ in range(300):
        grades = Grades()
        for _ in range(judgments):
            said: Choice = "tie" if dice.random() < ties else "a" if dice.random() < 0.5 + bias else "b"
            grades = learn_choice(grades, 0, said, False)
        side, tied = reliability.side_bias(grades, 0.5), reliability.tie_rate(grades)
        held["side"] += side.low <= bias <= side.high
        held["ties"] += tied.low <= ties <= tied.high
    assert held["side"] >= 270, "95 % stated; fewer where the prior pulls a strong bias towards none"
    assert held["ties"] >= 279
    side = reliability.side_bias(Grades(), 0.5)
    assert side.high == -side.low == pytest.approx(1.96 * reliability.SIDE_SD, abs=0.001)


def test_old_evidence_counts_half_after_a_half_life_whatever_comes_first() -> None:
    old, new = 10 * DAY, 10 * DAY + HALF_LIFE_MS
    lessons: list[tuple[int, Choice]] = [(old, "a"), (new, "b")]
    orders = []
    for order in (lessons, lessons[::-1]):
        grades = Grades()
        for at, choice in order:
            grades = learn_graded(learn_choice(grades, at, choice, False), at, choice, GOLD["a"])
        orders.append(grades)
    assert (orders[0].on_left, orders[0].on_right, orders[0].evidence, orders[0].at) == pytest.approx(
        (0.5, 1, 1.5, new)
    )
    assert orders[0].levels == pytest.approx(orders[1].levels)


sums = st.floats(-5, 1e4)


@given(
    st.builds(
        Grades,
        levels=st.tuples(*[st.floats(-1e4, 0)] * len(LEVELS)),
        evidence=sums,
        on_left=sums,
        on_right=sums,
        ties=sums,
    )
)
def test_a_summary_is_always_in_range(grades: Grades) -> None:
    known = summary(grades, 1)
    assert 0 < known.accuracy < 1
    assert 0 <= known.accuracy_low <= known.accuracy <= known.accuracy_high <= 1
    assert None not in (known.side_bias_low, known.side_bias_high, known.tie_rate_low, known.tie_rate_high)
    assert -0.5 <= (known.side_bias_low or 0.0) <= known.side_bias <= (known.side_bias_high or 0.0) <= 0.5
    assert 0 <= (known.tie_rate_low or 0.0) <= known.tie_rate <= (known.tie_rate_high or 0.0) <= 1
    assert known.evidence >= 0

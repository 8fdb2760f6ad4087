from __future__ import annotations

import math
import random

from hypothesis import given
from hypothesis import strategies as st

from streams.quality.leaks import LEAST, Answer, evidence, leak, p_value, power, slope

RATE = 0.05


def crowd(
    dice: random.Random, answers: int, *, change: int = 10**9, sure: float = 1.0, faster: float = 1.0
) -> list[Answer]:
    """Answers to an item that is a little harder than its annotators are good, until something changes."""
    found = []
    for number in range(answers):
        accuracy, leaked = dice.betavariate(9, 3), number >= change
        right = dice.random() < (sure if leaked else max(0.3, accuracy - 0.1))
        pace = math.exp(dice.gauss(2.5, 0.6)) * (faster if leaked else 1)
        found.append(Answer(judgment=str(dice.random()), right=right, expected=accuracy, pace=pace))
    return found


def test_the_false_alarm_rate_is_kept_however_long_one_looks() -> None:
    dice = random.Random(7)
    alarms = sum(leak(crowd(dice, 150)).found(RATE) for _ in range(300))
    assert alarms <= 300 * RATE  # 15; Ville's inequality is not tight


def test_an_easy_item_that_was_always_right_is_no_leak() -> None:
    dice = random.Random(8)
    easy = [leak(crowd(dice, 150, change=0)).found(RATE) for _ in range(50)]
    assert sum(easy) <= 3


def test_an_item_that_is_suddenly_answered_faster_is_found_within_some_thirty_answers() -> None:
    dice = random.Random(9)
    assert sum(leak(crowd(dice, 90, change=60, faster=3.0)).found(RATE) for _ in range(50)) >= 45


def test_an_item_that_is_suddenly_always_right_is_found() -> None:
    dice = random.Random(10)
    found = [leak(crowd(dice, 160, change=60)) for _ in range(50)]
    assert sum(one.found(RATE) for one in found) >= 35
    assert sum(one.right > one.fast for one in found) >= 40


def test_few_answers_say_nothing() -> None:
    dice = random.Random(11)
    assert leak([]) == leak(crowd(dice, 0))
    assert leak(crowd(dice, LEAST)).right == 1.0
    unknown = [Answer(judgment=str(n), right=True, expected=0.7) for n in range(100)]
    assert leak(unknown).fast == 1.0


def test_bets_are_fair_on_average_over_uniform_p_values() -> None:
    steps = [(n + 0.5) / 100_000 for n in range(100_000)]
    for payoff, slack in ((slope, 1e-6), (power, 0.1)):  # a part of what `power` pays lies below the smallest step
        assert -slack < sum(map(payoff, steps)) / len(steps) - 1 < 1e-6
        assert min(map(payoff, steps)) >= 0


@given(st.lists(st.floats(-1, 1), min_size=LEAST, max_size=40), st.floats(-1, 1))
def test_p_values_are_probabilities_and_fall_as_the_score_rises(seen: list[float], score: float) -> None:
    seen.sort()
    assert 0 < p_value(seen, score, "j") <= 1
    assert p_value(seen, 2.0, "j") <= p_value(seen, score, "j") <= p_value(seen, -2.0, "j")


@given(st.lists(st.tuples(st.text(max_size=3), st.floats(-1, 1)), max_size=40))
def test_evidence_only_grows_with_more_answers(scores: list[tuple[str, float]]) -> None:
    grown = [evidence(scores[:n]) for n in range(len(scores) + 1)]
    if len(scores) > LEAST:
        assert grown[LEAST + 1 :] == sorted(grown[LEAST + 1 :])

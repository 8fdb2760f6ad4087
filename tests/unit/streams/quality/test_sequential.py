import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.quality.sequential import Bet, Test, correct, evidence, observe, ratios, since

NULL, ALTERNATIVES = 0.3, (0.45, 0.7)


def run(rates: list[float], seed: int, threshold: float = 20, watch: bool = False) -> int | None:
    """The step at which a test of NULL alarms, looking after every observation."""
    draw = random.Random(seed)
    test = Test()
    for step, rate in enumerate(rates, start=1):
        test = observe(test, ratios(draw.random() < rate, NULL, ALTERNATIVES), step, watch)
        if evidence(test, watch) >= threshold:
            return step
    return None


def test_the_stated_false_alarm_rate_holds_under_constant_looking() -> None:
    """At the null's edge, 400 looks in each of 800 lives: at most 5 % may alarm (three standard errors allowed)."""
    alarms = sum(run([NULL] * 400, seed) is not None for seed in range(800))
    assert 0 < alarms / 800 <= 0.05 + 3 * (0.05 * 0.95 / 800) ** 0.5


def test_a_watch_alarms_after_its_run_length_on_average() -> None:
    """At the null's edge; a life that is cut at 600 counts as 600, which can only lower the mean."""
    lives = [run([NULL] * 600, seed, threshold=100, watch=True) or 600 for seed in range(300)]
    assert 100 <= sum(lives) / len(lives) < 300


def test_trouble_is_found_soon_from_the_start_and_after_a_change() -> None:
    from_start = [run([0.7] * 300, seed) for seed in range(50)]
    turned = [run([0.1] * 100 + [0.7] * 300, seed) for seed in range(50)]
    assert all(step is not None and step <= 80 for step in from_start)
    assert all(step is not None and 100 < step <= 220 for step in turned)


def test_a_watch_finds_a_late_change_as_soon_as_an_early_one() -> None:
    early, late = (
        [(run([0.1] * n + [0.7] * 100, seed, threshold=400, watch=True) or 10**6) - n for seed in range(60)]
        for n in (20, 500)
    )
    assert sorted(late)[30] <= sorted(early)[30] + 3 < 25


def test_since_is_near_the_change() -> None:
    draw = random.Random(1)
    test = Test()
    for step in range(1, 161):
        test = observe(test, ratios(draw.random() < (0.1 if step <= 100 else 0.8), NULL, ALTERNATIVES), step)
    assert abs(since(test) - 101) <= 10
    assert since(Test()) == 0


capitals = st.tuples(*[st.builds(Bet, capital=st.floats(0, 1e6))] * 2)


@given(test=st.builds(Test, steps=st.integers(0, 10**6), bets=capitals), watch=st.booleans())
def test_under_the_null_evidence_grows_by_no_more_than_was_put_in(test: Test, watch: bool) -> None:
    """A supermartingale; a watch puts in one a step."""
    won, lost = (evidence(observe(test, ratios(bad, NULL, ALTERNATIVES), 1, watch), watch) for bad in (True, False))
    before = evidence(test, watch) + (1 if watch else 0)
    assert NULL * won + (1 - NULL) * lost <= before * (1 + 1e-9)


@given(first=st.booleans(), second=st.booleans(), watch=st.booleans())
def test_a_correction_puts_the_new_ratio_in_the_old_ones_place(first: bool, second: bool, watch: bool) -> None:
    old, new = ratios(first, NULL, ALTERNATIVES), ratios(second, NULL, ALTERNATIVES)
    corrected = correct(observe(Test(), old, 1, watch), [x / y for x, y in zip(new, old, strict=True)])
    plain = observe(Test(), new, 1, watch)
    assert evidence(corrected, watch) == pytest.approx(evidence(plain, watch))
    assert corrected.steps == 1


def test_what_was_never_bet_on_is_not_corrected() -> None:
    assert correct(Test(), [2.0, 3.0]) == Test()


def test_the_capital_starts_at_one_and_stays_finite() -> None:
    test = Test()
    assert (evidence(test), evidence(test, watch=True)) == (1.0, 0.0)
    for step in range(10_000):
        test = observe(test, [3.0, 2.0], step)
    assert math.isfinite(evidence(test))
    assert evidence(test) < 1e10

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.quality.sequential import Test, bet, capital, ratio

NULL, ALTERNATIVE = 0.3, 0.6


def run(rates: list[float], seed: int) -> int | None:
    """The step at which a test of NULL alarms at a rate of 5 %, looking after every observation."""
    draw = random.Random(seed)
    test = Test()
    for step, rate in enumerate(rates, start=1):
        test = bet(test, ratio(draw.random() < rate, NULL, ALTERNATIVE), step)
        if capital(test) >= 20:
            return step
    return None


def test_the_stated_false_alarm_rate_holds_under_constant_looking() -> None:
    """At the null's edge, 500 looks in each of 1000 lives: at most 5 % may alarm (three standard errors allowed)."""
    alarms = sum(run([NULL] * 500, seed) is not None for seed in range(1000))
    assert alarms / 1000 <= 0.05 + 3 * (0.05 * 0.95 / 1000) ** 0.5


def test_trouble_is_found_soon_from_the_start_and_after_a_change() -> None:
    from_start = [run([0.7] * 300, seed) for seed in range(50)]
    turned = [run([0.1] * 100 + [0.7] * 300, seed) for seed in range(50)]
    assert all(step is not None and step <= 80 for step in from_start)
    assert all(step is not None and 100 < step <= 220 for step in turned)


def test_since_is_near_the_change() -> None:
    draw = random.Random(1)
    test = Test()
    for step in range(1, 161):
        test = bet(test, ratio(draw.random() < (0.1 if step <= 100 else 0.8), NULL, ALTERNATIVE), step)
    assert abs(test.since - 101) <= 10


@given(test=st.builds(Test, steps=st.integers(0, 10**6), started=st.floats(0, 1e6)))
def test_under_the_null_the_capital_never_grows_on_average(test: Test) -> None:
    won, lost = (capital(bet(test, ratio(bad, NULL, ALTERNATIVE), 1)) for bad in (True, False))
    assert NULL * won + (1 - NULL) * lost <= capital(test) * (1 + 1e-12)


def test_the_capital_starts_at_one_and_stays_finite() -> None:
    test = Test()
    assert capital(test) == pytest.approx(1.0)
    for step in range(10_000):
        test = bet(test, 3.0, step)
    assert capital(test) < 1e10

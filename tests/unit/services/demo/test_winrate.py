from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.demo.winrate import win_rate, wins

GOOD, BAD = "Yes, my friend!", "No " + "and then some more of it " * 6


def test_wins_count_every_pair_of_responses_and_half_a_tie() -> None:
    assert wins([GOOD, BAD], [BAD]) == pytest.approx(0.75)


def test_a_policy_that_is_always_better_wins_everything() -> None:
    rate = win_rate([[GOOD]] * 10, [[BAD]] * 10)
    assert (rate.estimate, rate.low, rate.high) == (1.0, 1.0, 1.0)


def test_a_policy_against_itself_is_even() -> None:
    answers = [[GOOD, BAD], [BAD, GOOD]] * 10
    rate = win_rate(answers, answers)
    assert rate.estimate == pytest.approx(0.5)
    assert rate.low <= 0.5 <= rate.high


def test_more_prompts_give_a_narrower_interval() -> None:
    def width(times: int) -> float:
        rate = win_rate([[GOOD], [BAD]] * times, [[BAD], [GOOD]] * times)
        return rate.high - rate.low

    assert width(100) < width(10) / 2


@given(st.lists(st.sampled_from([(GOOD, BAD), (BAD, GOOD), (GOOD, GOOD)]), min_size=1, max_size=30))
def test_swapping_the_policies_mirrors_the_rate(outcomes: list[tuple[str, str]]) -> None:
    new, old = [[one] for one, _ in outcomes], [[other] for _, other in outcomes]
    one, other = win_rate(new, old), win_rate(old, new)
    assert 0 <= one.low <= one.estimate <= one.high <= 1
    assert one.estimate == pytest.approx(1 - other.estimate)
    assert one.low == pytest.approx(1 - other.high)


def test_different_numbers_of_prompts_are_refused() -> None:
    with pytest.raises(ValueError, match="longer"):
        win_rate([[GOOD]], [[BAD], [BAD]])

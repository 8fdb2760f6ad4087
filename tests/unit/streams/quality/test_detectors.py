"""The detectors: speed, side, pattern, gold, floor, and the table that joins them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.events import Choice, Judgment
from streams.quality import alarms, floor, gold, pattern, side, speed
from streams.quality.sequential import Test, bet, capital


def judgment(choice: Choice = "a", **fields: Any) -> Judgment:
    return Judgment(judgment="j", task="t", annotator="w", choice=choice, **fields)


def test_speed_fails_what_cannot_have_been_read() -> None:
    times: dict[str, Any] = {"length_a": 600, "length_b": 600, "shown_at": 1000}
    quick, slow = speed.check(judgment(answered_at=4000, **times)), speed.check(judgment(answered_at=14_000, **times))
    assert quick is not None
    assert not quick.passed
    assert quick.detail == "3.0 s for 1,200 characters, at least 12.0 s"
    assert slow is not None
    assert slow.passed


def test_speed_asks_no_more_than_its_bound_of_very_long_texts() -> None:
    check = speed.check(judgment(length_a=10**6, length_b=10**6, shown_at=1, answered_at=20_000))
    assert check is not None
    assert check.passed


@pytest.mark.parametrize("times", [{}, {"shown_at": 5, "answered_at": 0}, {"answered_at": 5}])
def test_speed_says_nothing_without_times(times: dict[str, Any]) -> None:
    assert speed.check(judgment(length_a=500, **times)) is None


@pytest.mark.parametrize(
    ("choice", "swapped", "on_left"), [("a", False, True), ("a", True, False), ("b", True, True), ("tie", False, None)]
)
def test_side(choice: Choice, swapped: bool, on_left: bool | None) -> None:
    assert side.picked_left(judgment(choice, swapped=swapped)) is on_left


@pytest.mark.parametrize("period", ["L", "LR", "LRT", "LLR", "T"])
def test_patterns_are_predicted(period: str) -> None:
    rhythm, hits = pattern.Rhythm(), 0
    for pressed in period * 20:
        rhythm, predicted = pattern.observe(rhythm, pressed)
        hits += predicted is True
    assert hits >= 20 * len(period) - 2 - 2 * len(period)


@given(st.text("LRT", max_size=60))
def test_a_prediction_uses_the_past_alone(pressed: str) -> None:
    """The last answer cannot change what was predicted for it."""
    rhythm = pattern.Rhythm()
    for symbol in pressed[:-1]:
        rhythm, _ = pattern.observe(rhythm, symbol)
    outcomes = [pattern.observe(rhythm, symbol)[1] for symbol in "LRT"]
    assert outcomes == [None] * 3 or outcomes.count(True) == 1


def test_gold() -> None:
    missed = gold.check(judgment("b", gold="a"))
    assert missed is not None
    assert (missed.passed, missed.detail) == (False, "said b, known answer a")
    assert gold.check(judgment()) is None


def test_floor_is_a_likelihood_ratio() -> None:
    """Summed over the outcomes under an accuracy at the floor it is 1: a fair bet."""
    others = (0.7, 0.2, 0.1)
    at_floor = [0.05 + floor.FLOOR * x + (1 - floor.FLOOR) * y for x, y in ((0.7, 0.2), (0.2, 0.7))]
    for alternative in (floor.GUESSING, floor.REVERSED):
        ratios = [floor.ratio(choice, others, alternative) for choice in ("a", "b")]
        assert sum(p * r for p, r in zip(at_floor, ratios, strict=True)) == pytest.approx(1)
    assert floor.ratio("tie", others, floor.GUESSING) == 1


def test_an_even_majority_is_no_evidence() -> None:
    assert floor.ratio("b", (0.45, 0.45, 0.1), floor.REVERSED) == pytest.approx(1)


def test_levels_rise_with_the_evidence() -> None:
    kind, test, levels = alarms.TESTS["gold"], Test(), []
    for _ in range(40):
        test = bet(test, kind.ratio(True), 1)
        levels.append(alarms.reached("gold", test))
    assert levels == sorted(levels)
    assert {0, 1, 2} == set(levels)
    assert levels.index(1) == next(n for n, _ in enumerate(levels) if _capital(kind, n + 1) >= 100)


def _capital(kind: alarms.Kind, failures: int) -> float:
    test = Test()
    for _ in range(failures):
        test = bet(test, kind.ratio(True), 1)
    return capital(test)


def test_the_shares_of_a_hypothesis_sum_to_its_rate() -> None:
    shares: dict[str, float] = {}
    for kind in alarms.TESTS.values():
        shares[kind.hypothesis] = shares.get(kind.hypothesis, 0) + kind.share
        assert 0 < kind.null < kind.alternative < 1
    assert set(shares.values()) == {1.0}

"""The detectors: speed, side, pattern, gold, floor, and the table that joins them."""

import itertools
import math
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.events import Check, Choice, Judgment
from streams.quality import alarms, floor, gold, pattern, reasons, side, speed
from streams.quality.sequential import Test, observe


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


@pytest.mark.parametrize("period", ["L", "LR", "LRT", "LLR", "T", "LLRRT", "LRLRTTRL"])
def test_patterns_are_foretold(period: str) -> None:
    history, hits = "", 0
    for pressed in period * 20:
        history, foretold = pattern.observe(history, pressed)
        hits += foretold is True
    assert hits >= 20 * len(period) - 1 - 3 * len(period)
    assert len(history) <= pattern.REMEMBERED


def test_chance_is_not_foretold() -> None:
    draw, history, hits = random.Random(3), "", 0
    for _ in range(2000):
        history, foretold = pattern.observe(history, draw.choice("LR"))
        hits += foretold is True
    assert 0.46 < hits / 2000 < 0.54


@given(st.text("LRT", max_size=60))
def test_what_is_foretold_uses_the_past_alone(pressed: str) -> None:
    """The last answer cannot change what was foretold for it."""
    history = ""
    for symbol in pressed[:-1]:
        history, _ = pattern.observe(history, symbol)
    outcomes = [pattern.observe(history, symbol)[1] for symbol in "LRT"]
    assert outcomes == [None] * 3 or outcomes.count(True) == 1


def test_gold() -> None:
    missed = gold.check(judgment("b", gold="a"))
    assert missed is not None
    assert (missed.passed, missed.detail) == (False, "said b, known answer a")
    assert gold.check(judgment()) is None


def test_floor_is_a_likelihood_ratio() -> None:
    """Summed over the outcomes under an accuracy at the floor it is 1: a fair bet."""
    others = (0.7, 0.3, 0.0)
    at_floor = [floor.FLOOR * floor.tempered(x) + (1 - floor.FLOOR) * floor.tempered(1 - x) for x in (0.7, 0.3)]
    for alternatives in (floor.LIFETIME, floor.WATCH):
        both = [floor.ratios(choice, others, alternatives) for choice in ("a", "b")]
        for pair in zip(*both, strict=True):
            assert sum(p * r for p, r in zip(at_floor, pair, strict=True)) == pytest.approx(1)
    assert floor.ratios("tie", others, floor.WATCH) == [1.0] * len(floor.WATCH)


def test_an_even_majority_is_no_evidence() -> None:
    assert floor.ratios("b", (0.45, 0.45, 0.1), floor.LIFETIME) == pytest.approx([1.0] * 4)


def test_no_single_task_decides() -> None:
    assert max(floor.ratios("b", (1.0, 0.0, 0.0), floor.LIFETIME)) < 3


# ---------------------------------------------------------------- pace


def reading(taken: float, characters: int = 1000) -> Judgment:
    """A judgment that took so many seconds."""
    return judgment(
        length_a=characters // 2, length_b=characters // 2, shown_at=1000, answered_at=1000 + int(taken * 1000)
    )


def readers(rate: float, spread: float, n: int, seed: int) -> tuple[speed.Pace, int]:
    """Somebody who reads `rate` characters a second give or take: the pace learned, and how often it was called off."""
    draw, pace, failed = random.Random(seed), speed.Pace(), 0
    for _ in range(n):
        characters = draw.randint(200, 3000)
        one = reading((characters + speed.CLICK) / rate * math.exp(draw.gauss(0, spread)), characters)
        check = speed.pace_check(pace, one)
        failed += check is not None and not check.passed
        pace = speed.paced(pace, one)
    return pace, failed


@pytest.mark.parametrize(("rate", "spread"), [(8, 0.3), (15, 0.6), (30, 0.5), (60, 0.8)])
def test_an_honest_pace_is_learned_and_seldom_called_off(rate: float, spread: float) -> None:
    pace, failed = readers(rate, spread, 500, seed=1)
    assert math.exp(-pace.mean) == pytest.approx(rate, rel=0.35)
    assert failed / 500 < speed.PACE_NULL / 3


def test_a_slow_reader_who_starts_to_click_is_told_from_a_fast_one() -> None:
    slow, _ = readers(8, 0.3, 200, seed=2)
    fast, _ = readers(60, 0.5, 200, seed=2)
    hurried = reading(1000 / 50)  # faster than careful reading, slower than the bound for everybody
    assert speed.check(hurried) == Check(name="speed", passed=True)
    found = speed.pace_check(slow, hurried)
    assert found is not None
    assert not found.passed
    assert found.detail.startswith("20.0 s, usually about 1")
    assert speed.pace_check(fast, hurried) == Check(name="pace", passed=True)


def test_a_beginner_has_no_pace_yet() -> None:
    assert speed.pace_check(speed.Pace(), reading(0.1)) is None
    assert speed.paced(speed.Pace(), judgment()) == speed.Pace()


# ---------------------------------------------------------------- reasons

REASON = "The first one cites the statute and explains how the deadline is counted, the second only guesses."


def test_a_reason_is_known_again_and_its_words_are_not_told() -> None:
    edited = REASON.replace("only guesses", "just guesses")
    other = "Both invent a case number but the left at least says that it is unsure about the court."
    sketch = reasons.sketch(REASON)
    assert reasons.likeness(sketch, reasons.sketch(REASON.upper())) == 1
    assert reasons.repeated(reasons.sketch(edited), [reasons.sketch(other), sketch])
    assert reasons.repeated(reasons.sketch(other), [sketch]) is False
    assert reasons.repeated(sketch, []) is None
    assert len(sketch) == reasons.MINIMA * reasons.WIDTH


def test_short_reasons_are_not_compared() -> None:
    assert reasons.sketch("left is better") == ""
    assert reasons.repeated("", [reasons.sketch(REASON)]) is None


@given(st.lists(st.sampled_from("abcdefghij"), min_size=6, max_size=40), st.integers(0, 39))
def test_likeness_estimates_the_share_of_word_pairs_in_common(words: list[str], cut: int) -> None:
    """Within four standard errors of Jaccard's index (of 16 minima: 0.5)."""
    other = words[: max(5, cut)]
    one_pairs, other_pairs = (set(itertools.pairwise(w)) for w in (words, other))
    truth = len(one_pairs & other_pairs) / len(one_pairs | other_pairs)
    found = reasons.likeness(reasons.sketch(" ".join(words)), reasons.sketch(" ".join(other)))
    assert abs(found - truth) <= 4 * 0.125


@pytest.mark.parametrize(
    ("reason", "found"),
    [
        ("As an AI language model, I find B clearer.", ("as an AI",)),
        ("Both responses provide accurate information.", ("both responses",)),
        ("**Clarity**: better", ("markup",)),
        (REASON, ()),
        ("I'm sorry but both are wrong about the dose", ()),
    ],
)
def test_signs_of_a_model(reason: str, found: tuple[str, ...]) -> None:
    assert reasons.signs(reason) == found


# ---------------------------------------------------------------- the table


@pytest.mark.parametrize("name", alarms.TESTS)
def test_levels_rise_with_the_evidence(name: str) -> None:
    kind, test, levels = alarms.TESTS[name], Test(), []
    for _ in range(120):
        test = observe(test, kind.ratios(True), 1, kind.watch)
        levels.append(alarms.reached(name, test))
    assert levels == sorted(levels)
    assert {0, 1, 2} == set(levels)


def test_the_lifetime_tests_of_an_annotator_share_one_rate() -> None:
    assert sum(kind.share for kind in alarms.TESTS.values()) == pytest.approx(1)
    for kind in alarms.TESTS.values():
        assert all(0 < kind.null < alternative < 1 for alternative in kind.alternatives)
        assert kind.watch == (kind.share == 0)

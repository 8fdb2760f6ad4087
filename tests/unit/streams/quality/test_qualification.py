from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from streams.events import Qualification
from streams.quality.qualification import decide

TERMS = Qualification(tasks=30, pass_mark=0.85, fail_mark=0.6, error=0.05)


def outcomes(accuracy: float, rounds: int, terms: Qualification = TERMS) -> list[str]:
    dice = random.Random(int(accuracy * 100))
    return [decide([dice.random() < accuracy for _ in range(terms.tasks)], terms)[0] for _ in range(rounds)]


def test_without_a_round_everybody_has_passed() -> None:
    assert decide([False] * 50, Qualification()) == ("passed", 0)


def test_it_ends_as_early_as_the_answers_allow() -> None:
    assert decide([True] * 30, TERMS) == ("passed", 9)
    outcome, answers = decide([False] * 30, TERMS)
    assert (outcome, answers) == ("failed", 4)
    assert decide([], TERMS) == ("open", 0)
    assert decide([True] * 8, TERMS) == ("open", 8)


def test_the_error_rates_are_kept_without_an_end() -> None:
    endless = Qualification(tasks=100_000, pass_mark=0.85, fail_mark=0.6, error=0.05)
    for accuracy, wrong in ((0.6, "passed"), (0.5, "passed"), (0.85, "failed"), (0.95, "failed")):
        dice = random.Random(3)
        found: list[str] = [decide((dice.random() < accuracy for _ in range(2_000)), endless)[0] for _ in range(1_000)]
        assert found.count(wrong) <= 1_000 * endless.error
        assert found.count("open") == 0


def test_at_the_end_the_likelier_side_is_taken() -> None:
    assert set(outcomes(0.75, 200)) == {"passed", "failed"}
    assert "open" not in outcomes(0.72, 200)


@given(st.lists(st.booleans(), max_size=60), st.lists(st.booleans(), max_size=20))
def test_the_first_decision_stands_whatever_comes_after(first: list[bool], later: list[bool]) -> None:
    before, after = decide(first, TERMS), decide([*first, *later], TERMS)
    assert before[0] == "open" or before == after

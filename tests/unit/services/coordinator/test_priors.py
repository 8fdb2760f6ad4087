"""The crowd's prior: learned from its members, told where it moved."""

from __future__ import annotations

from random import Random

import pytest

from services.coordinator.priors import FEWEST, has_moved, learned
from streams.quality.reliability import LEVELS, PRIOR, Grades, learn_graded, summary


def member(accuracy: float, judgments: int, seed: int) -> Grades:
    draw, grades = Random(seed), Grades()
    for _ in range(judgments):
        grades = learn_graded(grades, 0, "a" if draw.random() < accuracy else "b", (1.0, 0.0, 0.0))
    return grades


def test_too_few_say_nothing_of_a_crowd() -> None:
    assert learned([member(0.9, 40, n) for n in range(FEWEST - 1)]) is None
    assert learned([Grades()] * 50) is None


@pytest.mark.parametrize("accuracy", [0.6, 0.93])
def test_a_newcomer_is_taken_for_one_of_the_crowd(accuracy: float) -> None:
    shares = learned([member(accuracy, 30, n) for n in range(60)])
    assert shares is not None
    assert sum(shares) == pytest.approx(1, abs=1e-3)
    assert summary(Grades(), 0).accuracy == pytest.approx(0.74, abs=0.01)
    assert summary(Grades(), 0, shares).accuracy == pytest.approx(accuracy, abs=0.05)


def test_two_kinds_of_people_stay_two() -> None:
    shares = learned([member(0.95 if n % 2 else 0.5, 40, n) for n in range(80)]) or ()
    between = sum(share for share, level in zip(shares, LEVELS, strict=True) if 0.6 < level < 0.85)
    assert between < 0.15


def test_only_what_moved_is_told() -> None:
    assert not has_moved(None, PRIOR)
    moved = (*PRIOR[:-2], PRIOR[-2] - 0.06, PRIOR[-1] + 0.06)
    assert has_moved(None, moved)
    assert not has_moved(moved, moved)

"""Simulated crowds with a reward model of known error: nobody innocent is accused, who answers backwards is."""

from __future__ import annotations

from random import Random

import pytest

from streams.quality.disagreement import Scored, band_of, odds
from streams.quality.discovery import accused

PEOPLE = 40
RATE = 0.05


def judged(
    seed: int,
    *,
    pairs: int = 500,
    each: int = 3,
    model_right: float = 0.95,
    wrong_slice: float = 0.0,
    adversaries: int = 0,
    lowest: float = 0.65,
) -> list[Scored]:
    """A crowd at 0.78 on average, nobody below `lowest`; a sixth of the pairs are a slice that ten people judge, on
    which the model errs more often by `wrong_slice`."""
    draw = Random(seed)
    accuracies = [max(lowest, draw.betavariate(9.4, 2.6)) for _ in range(PEOPLE)]
    found = []
    for pair in range(pairs):
        confidence, in_slice = draw.choice((0.92, 0.97, 0.995)), pair % 6 == 0
        right = draw.random() < model_right - wrong_slice * in_slice
        for who in draw.sample(range(10) if in_slice else range(PEOPLE), each):
            bears_out = draw.random() < (1 - accuracies[who] if who >= PEOPLE - adversaries else accuracies[who])
            found.append(
                Scored(
                    task=str(pair),
                    annotator=str(who),
                    confidence=confidence,
                    contradicts=bears_out != right,
                    accuracy=accuracies[who],
                )
            )
    return found


def guilty(judgments: list[Scored]) -> list[str]:
    return accused({who: one.evidence for who, one in odds(judgments).items()}, RATE)


@pytest.mark.parametrize(
    "crowd",
    [
        {},
        {"model_right": 0.7},
        {"model_right": 0.3},  # wrong against everybody
        {"wrong_slice": 0.6},  # wrong where ten people work and hardly anybody else
        {"lowest": 0.78},
    ],
)
def test_the_honest_are_not_accused_however_wrong_the_model_is(crowd: dict[str, float]) -> None:
    runs = [guilty(judged(seed, **crowd)) for seed in range(20)]  # type: ignore[arg-type]
    assert sum(bool(run) for run in runs) <= 1


def test_who_answers_against_the_truth_is_found() -> None:
    found = [guilty(judged(seed, pairs=1_500, adversaries=3)) for seed in range(6)]
    caught = [who for run in found for who in run]
    assert sum(int(who) >= PEOPLE - 3 for who in caught) >= 10, "of 18, after some hundred judgments each"
    assert all(int(who) >= PEOPLE - 3 for who in caught)


def test_pairs_of_which_the_model_is_not_sure_say_nothing() -> None:
    assert [band_of(0.89), band_of(0.9), band_of(0.97), band_of(1.0)] == [-1, 0, 1, 2]
    unsure = [Scored(task=str(n), annotator="a", confidence=0.8, contradicts=True, accuracy=0.7) for n in range(99)]
    assert odds(unsure) == {}


def test_too_few_others_are_no_yardstick() -> None:
    alone = [Scored(task=str(n), annotator="a", confidence=0.99, contradicts=True, accuracy=0.7) for n in range(99)]
    assert odds(alone)["a"].evidence == 1.0


def test_the_order_of_judgments_does_not_matter() -> None:
    judgments = judged(3, pairs=60, adversaries=2)
    shuffled = judgments.copy()
    Random(1).shuffle(shuffled)
    one, other = odds(judgments), odds(shuffled)
    assert {who: one[who].evidence for who in one} == pytest.approx({who: other[who].evidence for who in one})

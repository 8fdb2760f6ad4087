"""The benchmark's arrays are the stage's tests: same bets, same evidence."""

import numpy as np
import pytest

from benchmarks.alarms import bernoulli, cusum, first, graded, trajectories
from streams.quality import floor
from streams.quality.alarms import TESTS, evidence
from streams.quality.sequential import Test, observe


@pytest.mark.parametrize("name", TESTS)
def test_arrays_and_steps_give_the_same_evidence(name: str) -> None:
    bad = np.random.default_rng(1).random((3, 60)) < 0.5
    found = bernoulli(bad, name)
    for person in range(3):
        test = Test()
        for step in range(60):
            test = observe(test, TESTS[name].ratios(bool(bad[person, step])), step, TESTS[name].watch)
            assert found[person, step] == pytest.approx(evidence(name, test))


@pytest.mark.parametrize(("name", "alternatives"), [("accuracy", floor.LIFETIME), ("change", floor.WATCH)])
def test_graded_judgments_too(name: str, alternatives: tuple[float, ...]) -> None:
    agrees = np.random.default_rng(2).random((1, 40)) < 0.6
    found = trajectories(graded(agrees, 0.9, alternatives), TESTS[name].watch)
    test = Test()
    for step, agreed in enumerate(agrees[0]):
        ratios = floor.ratios("a" if agreed else "b", (0.9, 0.1, 0.0), alternatives)
        test = observe(test, ratios, step, TESTS[name].watch)
        assert found[0, step] == pytest.approx(evidence(name, test))


def test_first_and_cusum() -> None:
    assert first(np.array([[False, True, True], [False, False, False]])).tolist()[0] == 2
    right = np.array([[True, False, False]])
    won, lost = np.log(0.5 / 0.8), np.log(0.5 / 0.2)
    assert cusum(right, 0.8, 0.5)[0] == pytest.approx([won, lost, 2 * lost])

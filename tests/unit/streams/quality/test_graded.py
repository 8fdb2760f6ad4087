"""The accuracy of annotators by what others say, against the exact posterior where the truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import beta

from streams.quality.graded import accuracies


def of_one(graded: list[tuple[float, float, float]], weight: float = 1.0) -> list[float]:
    who = np.zeros(len(graded), dtype=np.int64)
    return accuracies(who, np.array(graded), np.full(len(graded), weight), (6.0, 2.0), 1)[0].tolist()  # type: ignore[no-any-return]


@pytest.mark.parametrize(("right", "wrong"), [(0, 1), (3, 1), (40, 10), (0, 60), (300, 20)])
def test_where_the_others_are_sure_it_is_the_beta_posterior(right: int, wrong: int) -> None:
    found = of_one([(1.0, 0.0, 0.0)] * right + [(0.0, 1.0, 0.0)] * wrong)
    exact = beta(6 + right, 2 + wrong)
    assert found == pytest.approx([exact.mean(), exact.ppf(0.025), exact.ppf(0.975)], abs=0.004)


def test_the_less_the_others_are_sure_the_wider_it_is() -> None:
    width = [high - low for _, low, high in (of_one([(p, 1 - p, 0.0)] * 50) for p in (0.95, 0.7, 0.55, 0.5))]
    assert width == sorted(width)
    exact = beta(6, 2)
    assert width[-1] == pytest.approx(exact.ppf(0.975) - exact.ppf(0.025), abs=0.004)  # the prior's own


def test_what_has_no_weight_says_nothing() -> None:
    assert of_one([(1.0, 0.0, 0.0)] * 30, weight=0.0) == pytest.approx(
        [0.75, *beta(6, 2).ppf([0.025, 0.975])], abs=0.004
    )


def test_everybody_is_graded_by_their_own_judgments() -> None:
    who = np.array([0, 2, 0, 2, 2])
    graded = np.array([(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.5, 0.4, 0.1)])
    found = accuracies(who, graded, np.ones(5), (6.0, 2.0), 3)
    assert found[0, 0] > found[1, 0] == pytest.approx(0.75, abs=0.004)
    assert found[1, 0] > found[2, 0]

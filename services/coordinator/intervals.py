"""Intervals for proportions and their differences that hold for small counts.

Newcombe R. G., Statistics in Medicine 17 (1998): "Interval estimation for the difference between independent
proportions: comparison of eleven methods" (pp. 873-890, method 10) and "Improved confidence intervals for the
difference between binomial proportions based on paired data" (pp. 2635-2650, method 10). Both combine Wilson's
score intervals (E. B. Wilson, JASA 22 (1927) 209-212) of the two proportions by "square and add".
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

from streams.quality.intervals import wilson as score_interval


@dataclass(frozen=True, kw_only=True)
class Interval:
    """An estimate with the ends of its interval."""

    estimate: float
    low: float
    high: float


def wilson(hits: int, count: int, level: float = 0.9) -> Interval:
    """The share hits/count, in [0, 1], with Wilson's score interval at that level. `count` must be positive."""
    share = hits / count
    low, high = score_interval(share, count, NormalDist().inv_cdf(0.5 + level / 2))
    return Interval(estimate=share, low=min(share, low), high=max(share, high))


def difference(first: Interval, second: Interval, correlation: float = 0.0) -> Interval:
    """first - second, in [-1, 1], from the Wilson intervals of both and their correlation (0: independent)."""
    below, above = first.estimate - first.low, first.high - first.estimate
    other_below, other_above = second.estimate - second.low, second.high - second.estimate
    estimate = first.estimate - second.estimate
    return Interval(
        estimate=estimate,
        low=max(-1.0, estimate - _combined(below, other_above, correlation)),
        high=min(1.0, estimate + _combined(above, other_below, correlation)),
    )


def paired_difference(both: int, first_only: int, second_only: int, neither: int, level: float = 0.9) -> Interval:
    """Share right by the first minus share right by the second, on the same items, with its interval.

    The four counts are the items that both got right, one alone, the other alone, none; one must be positive.
    """
    count = both + first_only + second_only + neither
    first = wilson(both + first_only, count, level)
    second = wilson(both + second_only, count, level)
    return difference(first, second, _correlation(both, first_only, second_only, neither))


def _combined(one: float, other: float, correlation: float) -> float:
    return sqrt(max(0.0, one * one - 2 * correlation * one * other + other * other))


def _correlation(both: int, first_only: int, second_only: int, neither: int) -> float:
    """Phi of the table, with Newcombe's continuity correction where it is positive; 0 where a margin is empty."""
    margins = (both + first_only) * (second_only + neither) * (both + second_only) * (first_only + neither)
    if margins == 0:
        return 0.0
    covariance = both * neither - first_only * second_only
    if covariance > 0:
        covariance = max(0, covariance - (both + first_only + second_only + neither) / 2)  # type: ignore[assignment]
    return covariance / sqrt(margins)

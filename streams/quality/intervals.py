"""Intervals: of a proportion, and of what has a standard error. Without numpy: the API's process reads this."""

from __future__ import annotations

from math import sqrt

from streams.events import Struct

Z95 = 1.959964  # two-sided 95 % of the normal distribution


class Estimate(Struct, frozen=True, kw_only=True):
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def clear(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low > 0.0 or self.high < 0.0


def normal(value: float, error: float) -> Estimate:
    """From a standard error."""
    return Estimate(value=value, low=value - Z95 * error, high=value + Z95 * error)


def wilson(rate: float, n: float, z: float = Z95) -> tuple[float, float]:
    """The Wilson score interval of a rate seen in n trials (n may be a fraction); (0, 1) without trials.

    Source: Wilson, "Probable inference, the law of succession, and statistical inference", JASA 1927.
    """
    if n <= 0:
        return 0.0, 1.0
    shrink = 1.0 + z * z / n
    centre = (rate + z * z / (2.0 * n)) / shrink
    half = z / shrink * sqrt(rate * (1.0 - rate) / n + z * z / (4.0 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)

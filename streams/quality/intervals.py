"""Intervals: of a proportion, and of anything by its resamples."""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.typing import ArrayLike

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


def percentiles(value: float, resampled: ArrayLike) -> Estimate | None:
    """The middle 95 % of the resamples in which it could be computed; None where it never could, or has no value."""
    found = np.asarray(resampled, dtype=float)
    found = found[np.isfinite(found)]
    if not len(found) or not np.isfinite(value):
        return None
    low, high = np.percentile(found, (2.5, 97.5))
    return Estimate(value=float(value), low=float(low), high=float(high))


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

"""Intervals of anything by its resamples (Efron and Tibshirani, "An Introduction to the Bootstrap", section 13.3)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from streams.quality.intervals import Estimate


def percentiles(value: float, resampled: ArrayLike) -> Estimate | None:
    """The middle 95 % of the resamples in which it could be computed; None where it never could, or has no value."""
    found = np.asarray(resampled, dtype=float)
    found = found[np.isfinite(found)]
    if not len(found) or not np.isfinite(value):
        return None
    low, high = np.percentile(found, (2.5, 97.5))
    return Estimate(value=float(value), low=float(low), high=float(high))

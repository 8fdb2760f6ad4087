"""How often one policy is preferred to another, with an interval, by the hidden truth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from services.coordinator.intervals import Interval
from services.demo.taste import truth

POINTS = {"a": 1.0, "tie": 0.5, "b": 0.0}
RESAMPLES = 4_000


def wins(new: Sequence[str], old: Sequence[str]) -> float:
    """The share of all pairs (one response of each policy, to the same prompt) that the new one wins; a tie is half."""
    return sum(POINTS[truth(one, other)] for one in new for other in old) / (len(new) * len(old))


def win_rate(new: Sequence[Sequence[str]], old: Sequence[Sequence[str]], level: float = 0.95) -> Interval:
    """The mean over prompts, with a percentile bootstrap over prompts (Efron and Tibshirani 1993, ch. 13).

    `new` and `old`: the responses of each policy to each prompt, in the same order; at least one prompt. Responses
    to one prompt are not independent of each other, so whole prompts are drawn. The draw is seeded.
    """
    shares = np.array([wins(one, other) for one, other in zip(new, old, strict=True)])
    draws = np.random.default_rng(0).integers(0, len(shares), (RESAMPLES, len(shares)))
    low, high = np.quantile(shares[draws].mean(axis=1), [(1 - level) / 2, (1 + level) / 2])
    return Interval(estimate=float(shares.mean()), low=float(low), high=float(high))

"""The posteriors of tasks from all that is known by now."""

from __future__ import annotations

from collections.abc import Sequence

from streams.quality.consensus import Posterior
from streams.quality.labelled import Labelled
from streams.quality.refinement import refine

DIGITS = 4  # a batch's event holds thousands of them
LEAST = 1e-4  # nothing is certain: a loss may take the logarithm


def refined_posteriors(judged: Sequence[Labelled]) -> dict[str, Posterior]:
    """Of every task judged, over (a, b, tie), rounded. The judgments come in the order of the log."""
    return {task: rounded(belief) for task, belief in refine(judged).posteriors.items()}


def rounded(belief: Posterior) -> Posterior:
    """Sums to 1, and no share is below LEAST."""
    shares = [max(round(share, DIGITS), LEAST) for share in belief]
    largest = shares.index(max(shares))
    shares[largest] = round(shares[largest] + 1.0 - sum(shares), DIGITS)
    a, b, tie = shares
    return a, b, tie

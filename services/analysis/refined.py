"""The posteriors of tasks from all that is known by now."""

from __future__ import annotations

from collections.abc import Sequence

from streams.quality.consensus import Posterior
from streams.quality.labelled import Labelled
from streams.quality.refinement import refine

DIGITS = 4  # a batch's event holds thousands of them


def refined_posteriors(judged: Sequence[Labelled]) -> dict[str, Posterior]:
    """Of every task judged, over (a, b, tie), rounded. The judgments come in the order of the log."""
    return {task: _rounded(belief) for task, belief in refine(judged).posteriors.items()}


def _rounded(belief: Posterior) -> Posterior:
    a, b = round(belief[0], DIGITS), round(belief[1], DIGITS)
    return a, b, round(max(1.0 - a - b, 0.0), DIGITS)

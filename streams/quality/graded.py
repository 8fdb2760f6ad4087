"""The accuracy of annotators from what the others say of their answers: exactly, on a grid.

Where the others hold the annotator's answer for right with probability p and for wrong with q, it has the likelihood
p·θ + q·(1 - θ) + rest under the accuracy θ; the rest is what says nothing of it, as on a tie. So an answer on which the
others are not sure tells little, and the interval has the width that is left. Counted as if each were checked against
the truth, it would hold the accuracy in 64 to 93 of 100 cases (docs/quality.md).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.int64]

CELLS = 200
GRID: Array = (np.arange(CELLS) + 0.5) / CELLS


def accuracies(who: Index, graded: Array, weight: Array, prior: tuple[float, float], people: int) -> Array:
    """Posterior mean, 2.5 % and 97.5 % point of everybody's accuracy, (people, 3).

    `who` is the annotator of each decisive judgment; `graded` has its (right, wrong, rest), (judgments, 3); `prior` are
    the counts of a Beta distribution, right and wrong.
    """
    right, wrong, rest = graded.T
    logs = (prior[0] - 1.0) * np.log(GRID) + (prior[1] - 1.0) * np.log1p(-GRID) + np.zeros((people, 1))
    for cell, accuracy in enumerate(GRID):
        told = weight * np.log(accuracy * right + (1.0 - accuracy) * wrong + rest)
        logs[:, cell] += np.bincount(who, told, people)
    shares = np.exp(logs - logs.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    return np.column_stack([shares @ GRID, *(quantiles(shares, at) for at in (0.025, 0.975))])


def quantiles(shares: Array, at: float) -> Array:
    """Below which that share of each row lies, each cell's share spread over it."""
    rows, below = np.arange(len(shares)), np.cumsum(shares, axis=1)
    cell = np.minimum((below < at).sum(axis=1), CELLS - 1)
    inside = 1.0 - (below[rows, cell] - at) / np.maximum(shares[rows, cell], 1e-12)
    found: Array = (cell + np.clip(inside, 0.0, 1.0)) / CELLS
    return found

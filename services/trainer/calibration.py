"""Statistics of a reward model, in numpy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def calibration_error(confidence: Sequence[float], correct: Sequence[bool], bins: int = 10) -> float:
    """Expected calibration error over bins of equal mass: the mean |accuracy - confidence| (Nixon et al. 2019).

    0 where there is nothing to measure.
    """
    if not confidence:
        return 0.0
    order = np.argsort(np.asarray(confidence), kind="stable")
    gaps = [
        len(part) * abs(float(np.asarray(confidence)[part].mean()) - float(np.asarray(correct, float)[part].mean()))
        for part in np.array_split(order, min(bins, len(order)))
    ]
    return float(sum(gaps) / len(order))


WARMTHS = np.geomspace(0.05, 20.0, 200)  # temperatures that are tried


def temperature(margins: Sequence[float], p: Sequence[float]) -> float:
    """What to divide reward differences by, so that 1/(1 + exp(-difference)) is calibrated (Guo et al. 2017).

    `p` is the probability that the response ahead by the margin is the better one. The best of a grid from 0.05 to
    20 by cross-entropy; a model that knows nothing gets 20 and is never sure.
    """
    logits = np.asarray(margins, float)[:, None] / WARMTHS
    label = np.asarray(p, float)[:, None]
    loss = np.logaddexp(0.0, logits) - label * logits
    return float(WARMTHS[loss.mean(axis=0).argmin()])


def spearman(x: Sequence[float], y: Sequence[float]) -> float:
    """Spearman's rank correlation, equal values sharing their mean rank; 0 where either side is constant."""
    if len(x) < 2:
        return 0.0
    ranks_x, ranks_y = _ranks(x), _ranks(y)
    if ranks_x.std() == 0 or ranks_y.std() == 0:
        return 0.0
    return float(np.corrcoef(ranks_x, ranks_y)[0, 1])


def _ranks(values: Sequence[float]) -> NDArray[np.float64]:
    _, inverse, counts = np.unique(np.asarray(values, float), return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return ((last - counts + 1 + last) / 2.0)[inverse]

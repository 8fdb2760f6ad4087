"""Logistic regression with errors that allow for judgments on the same item: wins explained by what differs.

Newton's method on the penalised likelihood; covariance by the sandwich over clusters (Liang and Zeger 1986). A tie is
half a win. With one column a model (+1 for a's, -1 for b's) this is Bradley and Terry's model (1952).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streams.quality.pairs import Floats, Ints

STEPS = 50
SETTLED = 1e-9
BOUND = 30.0  # log-odds; beyond, a probability is 0 or 1 in every digit


@dataclass(frozen=True, kw_only=True)
class Logistic:
    """Coefficients (log-odds a unit) and their covariance."""

    weights: Floats
    covariance: Floats

    def probability(self, features: Floats) -> Floats:
        """Of a win, for each row of features."""
        return sigmoid(features @ self.weights)

    def errors(self, features: Floats) -> Floats:
        """Standard errors of the log-odds, for each row of features."""
        variance = ((features @ self.covariance) * features).sum(axis=1)
        return np.asarray(np.sqrt(np.maximum(variance, 0.0)))


def sigmoid(log_odds: Floats) -> Floats:
    """1 / (1 + exp(-x)), without overflow."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(log_odds, -BOUND, BOUND))))


def fit(features: Floats, wins: Floats, clusters: Ints, ridge: float = 1e-6, weight: Floats | None = None) -> Logistic:
    """`features` n × k, `wins` in [0, 1], `clusters` numbers from 0; `ridge` keeps separable data finite."""
    count, size = features.shape
    weight = np.ones(count) if weight is None else weight
    penalty = ridge * np.eye(size)
    found = np.zeros(size)
    for _ in range(STEPS):
        p = sigmoid(features @ found)
        slope = features.T @ (weight * (wins - p)) - penalty @ found
        step = np.linalg.solve(_curvature(features, p, weight) + penalty, slope)
        found = found + np.clip(step, -5, 5)
        if np.abs(step).max(initial=0.0) < SETTLED:
            break
    p = sigmoid(features @ found)
    bread = np.linalg.inv(_curvature(features, p, weight) + penalty)
    scores = np.zeros((int(clusters.max(initial=-1)) + 1, size))
    np.add.at(scores, clusters, features * (weight * (wins - p))[:, None])
    return Logistic(weights=found, covariance=bread @ (scores.T @ scores) @ bread)


def _curvature(features: Floats, p: Floats, weight: Floats) -> Floats:
    return np.asarray((features * (weight * p * (1 - p))[:, None]).T @ features)


def log_loss(p: Floats, wins: Floats) -> Floats:
    """Of each row, in nats; a tie is half a win."""
    p = np.clip(p, 1e-6, 1 - 1e-6)
    return np.asarray(-(wins * np.log(p) + (1 - wins) * np.log(1 - p)))

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]

from streams.quality import logistic


def test_weights_are_those_of_sklearn() -> None:
    dice = np.random.default_rng(0)
    features = dice.normal(size=(500, 3))
    wins = (dice.random(500) < logistic.sigmoid(features @ np.array([0.5, -1.0, 0.2]))).astype(float)
    found = logistic.fit(features, wins, np.arange(500), ridge=0.7)
    oracle = LogisticRegression(C=1 / 0.7, fit_intercept=False, tol=1e-9).fit(features, wins)
    assert found.weights == pytest.approx(oracle.coef_[0], abs=1e-4)


def test_copies_of_an_item_teach_nothing_new() -> None:
    """The same rows five times, in the same clusters: the same weights and the same errors."""
    dice = np.random.default_rng(1)
    features, wins = dice.normal(size=(300, 2)), (dice.random(300) < 0.5).astype(float)
    clusters = np.arange(300)
    once = logistic.fit(features, wins, clusters)
    often = logistic.fit(np.tile(features, (5, 1)), np.tile(wins, 5), np.tile(clusters, 5))
    assert often.weights == pytest.approx(once.weights, abs=1e-6)
    assert often.covariance == pytest.approx(once.covariance, rel=1e-4)


def test_separable_data_stay_finite() -> None:
    features = np.array([[1.0], [1.0], [-1.0]])
    found = logistic.fit(features, np.array([1.0, 1.0, 0.0]), np.arange(3), ridge=0.1)
    assert np.isfinite(found.weights).all()
    assert found.probability(features)[0] > 0.8


def test_log_loss_of_certainty_is_finite() -> None:
    assert np.isfinite(logistic.log_loss(np.array([0.0, 1.0]), np.array([1.0, 0.5]))).all()

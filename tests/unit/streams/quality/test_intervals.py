import pytest
from scipy.stats import binomtest

from streams.quality.intervals import wilson


@pytest.mark.parametrize(("hits", "n"), [(0, 5), (3, 7), (50, 100), (999, 1000), (4, 4)])
def test_wilson_equals_scipy(hits: int, n: int) -> None:
    expected = binomtest(hits, n).proportion_ci(method="wilson")
    assert wilson(hits / n, n) == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_without_trials_anything_is_possible() -> None:
    assert wilson(0.0, 0) == (0.0, 1.0)

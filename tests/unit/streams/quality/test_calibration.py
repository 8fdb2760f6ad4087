import pytest

from streams.quality.calibration import calibration_error


def test_right_as_often_as_said_is_no_error() -> None:
    assert calibration_error([(0.8, n % 5 != 0) for n in range(100)], bins=1) == pytest.approx(0)


def test_the_error_is_the_mean_gap() -> None:
    sure_and_wrong_half_the_time = [(1.0, n % 2 == 0) for n in range(10)]
    honest_coin = [(0.5, n % 2 == 0) for n in range(10)]
    assert calibration_error(sure_and_wrong_half_the_time + honest_coin, bins=2) == pytest.approx(0.25)


def test_fewer_pairs_than_bins_and_none() -> None:
    assert calibration_error([(0.9, True)]) == pytest.approx(0.1)
    assert calibration_error([]) == 0

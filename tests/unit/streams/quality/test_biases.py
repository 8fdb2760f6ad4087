import pytest

from streams.events import Choice
from streams.quality import biases

PAIRS: list[tuple[int, int, Choice]] = [(300, 100, "a"), (100, 300, "b"), (500, 100, "b"), (10, 10, "a"), (9, 5, "tie")]


def test_longer_wins_leaves_ties_and_equal_lengths_out() -> None:
    rate = biases.longer_wins(PAIRS)
    assert rate.rate == pytest.approx(2 / 3)
    assert rate.n == 3
    assert 0 < rate.low < 2 / 3 < rate.high < 1


def test_the_curve_goes_from_shorter_to_longer() -> None:
    curve = biases.length_curve(PAIRS)
    assert [(point.difference, point.rate, point.pairs) for point in curve] == [
        (-200, 0.0, 1),
        (0, 1.0, 1),
        (200, 1.0, 1),
        (400, 0.0, 1),
    ]


def test_left_rate_follows_the_order_shown() -> None:
    rate = biases.left_rate([("a", False), ("b", True), ("a", True), ("tie", False)])
    assert rate.rate == pytest.approx(2 / 3)
    assert rate.n == 3


def test_nothing_to_count() -> None:
    assert biases.longer_wins([]) == biases.Rate(rate=None, low=0.0, high=1.0, n=0)
    assert biases.length_curve([]) == []

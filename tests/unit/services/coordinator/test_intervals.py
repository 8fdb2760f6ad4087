from __future__ import annotations

from math import factorial
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.coordinator.intervals import difference, paired_difference, wilson


def test_wilson_as_published() -> None:
    """Newcombe 1998, two-sided: 81 of 263."""
    interval = wilson(81, 263, 0.95)
    assert (interval.low, interval.high) == pytest.approx((0.2553, 0.3662), abs=5e-5)


def test_difference_of_independent_shares_as_published() -> None:
    """Newcombe 1998, independent proportions, method 10: 56/70 against 48/80."""
    interval = difference(wilson(56, 70, 0.95), wilson(48, 80, 0.95))
    assert (interval.low, interval.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_paired_difference_as_published() -> None:
    """Altman et al., Statistics with confidence (2000), table 6.2: 14, 5, 0, 22."""
    interval = paired_difference(14, 5, 0, 22, 0.95)
    assert interval.estimate == pytest.approx(5 / 41)
    assert (interval.low, interval.high) == pytest.approx((0.011, 0.226), abs=5e-4)


counts = st.integers(0, 200)


@given(counts, counts, counts, counts)
def test_paired_difference_is_an_interval_and_has_no_favourite(both: int, one: int, other: int, neither: int) -> None:
    if both + one + other + neither == 0:
        neither = 1
    interval = paired_difference(both, one, other, neither)
    assert -1 <= interval.low <= interval.estimate <= interval.high <= 1
    mirrored = paired_difference(both, other, one, neither)
    assert (mirrored.low, mirrored.high) == pytest.approx((-interval.high, -interval.low), abs=1e-9)


@given(st.integers(1, 300), st.floats(0.5, 0.99))
def test_wilson_holds_the_share_at_every_level(count: int, level: float) -> None:
    for hits in (0, count // 2, count):
        interval = wilson(hits, count, level)
        assert 0 <= interval.low <= interval.estimate <= interval.high <= 1


class Cells(NamedTuple):
    both: float
    one: float
    other: float
    neither: float


@pytest.mark.parametrize(
    "cells", [Cells(0.5, 0.2, 0.1, 0.2), Cells(0.6, 0.1, 0.1, 0.2), Cells(0.3, 0.35, 0.2, 0.15)], ids=str
)
def test_coverage_is_near_the_level_by_enumeration(cells: Cells) -> None:
    """Every table of 20 pairs, weighted by its multinomial probability: no simulation, no seed."""
    n, truth, covered = 20, cells.one - cells.other, 0.0
    for both in range(n + 1):
        for one in range(n + 1 - both):
            for other in range(n + 1 - both - one):
                neither = n - both - one - other
                interval = paired_difference(both, one, other, neither, 0.9)
                if interval.low <= truth <= interval.high:
                    ways = factorial(n) // (factorial(both) * factorial(one) * factorial(other) * factorial(neither))
                    covered += ways * (cells.both**both * cells.one**one * cells.other**other * cells.neither**neither)
    assert 0.87 < covered < 0.97

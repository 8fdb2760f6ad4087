"""Biases of the data: whether the longer response wins, and whether the left one does."""

from __future__ import annotations

from collections.abc import Iterable

from streams.events import Choice, Struct
from streams.quality.intervals import wilson
from streams.quality.reliability import left

EDGES = (25, 50, 100, 200, 400, 800)  # characters; bins of the length difference on either side of zero


class Rate(Struct, frozen=True, kw_only=True):
    """A share of n with its 95 % interval (Wilson); None without anything to count."""

    rate: float | None
    low: float
    high: float
    n: int


class CurvePoint(Struct, frozen=True, kw_only=True):
    """Share of a's wins among the pairs whose length difference (a minus b, characters) lies in a bin."""

    difference: float  # mean of the bin
    rate: float
    low: float
    high: float
    pairs: int


def rate_of(hits: int, n: int) -> Rate:
    """hits of n."""
    low, high = wilson(hits / n if n else 0.0, n)
    return Rate(rate=hits / n if n else None, low=low, high=high, n=n)


def longer_wins(rows: Iterable[tuple[int, int, Choice]]) -> Rate:
    """How often the longer response wins; rows of (length of a, of b, choice). Ties and equal lengths are out."""
    wins = [(a > b) == (choice == "a") for a, b, choice in rows if choice != "tie" and a != b]
    return rate_of(sum(wins), len(wins))


def length_curve(rows: Iterable[tuple[int, int, Choice]]) -> list[CurvePoint]:
    """a's win rate by length difference, from a much shorter to a much longer. One half: no part."""
    bins: dict[int, list[tuple[int, bool]]] = {}
    for a, b, choice in rows:
        if choice != "tie":
            bins.setdefault(bin_of(a - b), []).append((a - b, choice == "a"))
    return [point_of(found) for _, found in sorted(bins.items())]


def bin_of(difference: int) -> int:
    """0 in the middle, negative where a is shorter."""
    size = sum(abs(difference) >= edge for edge in EDGES)
    return size if difference > 0 else -size


def point_of(found: list[tuple[int, bool]]) -> CurvePoint:
    """One bin's point."""
    rate = rate_of(sum(won for _, won in found), len(found))
    mean = sum(difference for difference, _ in found) / len(found)
    return CurvePoint(difference=round(mean, 1), rate=rate.rate or 0.0, low=rate.low, high=rate.high, pairs=rate.n)


def left_rate(rows: Iterable[tuple[Choice, bool]]) -> Rate:
    """How often the left one is picked; rows of (choice, swapped). Ties are out; one half where sides play no part."""
    picked = [left(choice, swapped) for choice, swapped in rows if choice != "tie"]
    return rate_of(sum(picked), len(picked))

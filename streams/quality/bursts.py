"""Bursts: many newcomers at once who are also wrong more often than the rest, as made-up accounts are.

A burst alone is often innocent: a team was hired. So both must hold: more first judgments in a window than the usual
rate of arrival explains (a scan with a Poisson tail, corrected for every window looked at: Naus 1965, with the union
bound), and more dissent in the group than among everybody else (a one-sided test of two proportions).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from math import erfc, exp, log, sqrt

from streams.events import Struct

HOUR_MS = 3_600_000
WINDOWS_MS = (HOUR_MS // 6, HOUR_MS, 24 * HOUR_MS)
FEW = 4  # newcomers that make no burst
RATE = 0.001  # for either half of the finding: both must hold


class Newcomer(Struct, frozen=True, kw_only=True):
    """Somebody's first judgment (ms), and how they compare with answers that stand."""

    annotator: str
    at: int
    compared: int
    dissents: int


class Burst(Struct, frozen=True, kw_only=True):
    """People who came together and err together."""

    members: tuple[str, ...]
    since: int  # ms
    until: int
    expected: float  # newcomers in such a window, usually
    chance: float  # of so many anywhere
    dissent: float  # share of the group's judgments
    usual_dissent: float  # of everybody else's


def find(people: Sequence[Newcomer]) -> Burst | None:
    """The most surprising burst; None without one."""
    ranked = sorted(people, key=_moment)
    candidates = [found for window in WINDOWS_MS if (found := _densest(ranked, window))]
    bursts = [burst for group, expected, chance in candidates if (burst := _judged(ranked, group, expected, chance))]
    return min(bursts, key=lambda burst: burst.chance, default=None)


def _densest(ranked: Sequence[Newcomer], window: int) -> tuple[list[Newcomer], float, float] | None:
    """The fullest window of that length, with how many are usual in it, and the chance of so many in any."""
    ends = [bisect_left(ranked, first.at + window, key=_moment) for first in ranked]
    begin = max(range(len(ranked)), key=lambda first: ends[first] - first, default=0)
    group = list(ranked[begin : ends[begin]]) if ranked else []
    span = ranked[-1].at - ranked[0].at if ranked else 0
    if len(group) < FEW or len(group) == len(ranked) or span <= window:
        return None
    expected = (len(ranked) - len(group)) * window / (span - window)
    looked_at = len(WINDOWS_MS) * len(ranked)
    return group, expected, min(1.0, looked_at * poisson_tail(len(group) - 1, expected))


def _moment(one: Newcomer) -> int:
    return one.at


def _judged(everybody: Sequence[Newcomer], group: Sequence[Newcomer], expected: float, chance: float) -> Burst | None:
    """The group as a burst, where it is one and dissents more than the rest."""
    members = {one.annotator for one in group}
    rest = [one for one in everybody if one.annotator not in members]
    mine, theirs = _counts(group), _counts(rest)
    if chance > RATE or not mine[1] or not theirs[1] or excess(mine, theirs) > RATE:
        return None
    return Burst(
        members=tuple(sorted(members)),
        since=group[0].at,
        until=group[-1].at,
        expected=expected,
        chance=chance,
        dissent=mine[0] / mine[1],
        usual_dissent=theirs[0] / theirs[1],
    )


def _counts(people: Sequence[Newcomer]) -> tuple[int, int]:
    return sum(one.dissents for one in people), sum(one.compared for one in people)


def excess(mine: tuple[int, int], theirs: tuple[int, int]) -> float:
    """One-sided p-value that my share (count, of how many) is no larger than theirs: pooled normal test."""
    pooled = (mine[0] + theirs[0]) / (mine[1] + theirs[1])
    spread = sqrt(pooled * (1 - pooled) * (1 / mine[1] + 1 / theirs[1]))
    difference = mine[0] / mine[1] - theirs[0] / theirs[1]
    return 0.5 * erfc(difference / spread / sqrt(2)) if spread else 1.0


def poisson_tail(k: int, mean: float) -> float:
    """P(more than k) where `mean` are expected."""
    if mean <= 0:
        return 0.0
    term = cdf = exp(-mean)
    for n in range(1, k + 1):
        term *= mean / n
        cdf += term
    return max(0.0, 1.0 - cdf) or exp(k * (1 - log(k / mean)) - mean if k > mean else 0.0)


def by_annotator(burst: Burst) -> Mapping[str, float | int | str]:
    """What an alert about one member says."""
    return {
        "newcomers": len(burst.members),
        "expected": round(burst.expected, 2),
        "chance": float(f"{burst.chance:.2g}"),
        "dissent": round(burst.dissent, 3),
        "usual_dissent": round(burst.usual_dissent, 3),
    }

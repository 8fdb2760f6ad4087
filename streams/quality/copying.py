"""Copied reasons: one person's words on a task come again as another's.

Two people who read the same texts may hit on the same words; that they share seven word pairs of ten happens seldom.
For each pair, every task on which both gave a reason is a bet that it does not; e-BH keeps the false discovery rate.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import combinations

from streams.events import Struct
from streams.quality.reasons import ALIKE, likeness
from streams.quality.sequential import ratios

Pair = tuple[str, str]
NULL, ALTERNATIVES = 0.02, (0.15, 0.6)  # innocent people's reasons are alike on at most one shared task of fifty


class Alike(Struct, frozen=True, kw_only=True):
    """What the reasons of a pair have in common."""

    shared: int = 0  # tasks on which both gave a reason
    alike: int = 0
    capitals: tuple[float, ...] = (1.0,) * len(ALTERNATIVES)

    @property
    def evidence(self) -> float:
        """The e-value."""
        return sum(self.capitals) / len(self.capitals)


def pairs(tasks: Iterable[Mapping[str, str]]) -> dict[Pair, Alike]:
    """Every pair with reasons on one task. `tasks`: annotator -> sketch of the reason, one mapping a task."""
    found: dict[Pair, Alike] = defaultdict(Alike)
    for sketches in tasks:
        for pair in combinations(sorted(who for who, sketch in sketches.items() if sketch), 2):
            found[pair] = _compared(found[pair], likeness(sketches[pair[0]], sketches[pair[1]]) >= ALIKE)
    return dict(found)


def _compared(one: Alike, alike: bool) -> Alike:
    bets = ratios(alike, NULL, ALTERNATIVES)
    capitals = tuple([capital * factor for capital, factor in zip(one.capitals, bets, strict=True)])
    return Alike(shared=one.shared + 1, alike=one.alike + alike, capitals=capitals)

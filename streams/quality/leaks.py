"""Gold that got around: an item that is suddenly always right, or answered much faster than before.

Nobody says beforehand how hard an item is, so the item is compared with its own past. If nothing changed, its answers
are exchangeable: each new score is equally likely to have any rank among those so far. The ranks' p-values are then
independent and uniform, and a bet against that (a conformal test martingale) reaches 1/r with a probability of at most
r, however often one looks and however easy the item is. Bets begin at every answer anew, to find a late change too.

Two hypotheses share the rate: answers more right than what is known of their authors says, and answers given faster.

Sources: Vovk, Nouretdinov and Gammerman, "Testing exchangeability on-line" (ICML 2003), for p-values and mixture;
Shin, Ramdas and Rinaldo, "E-detectors" (2023), section 2, for the mixture over begins.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from streams.events import digest

LEAST = 8  # answers before the first bet: a rank among fewer says little
PATIENCE = 20.0  # half of the money is in play after so many bets
SLOPE = 0.9
CEILING = 1e12


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One answer to a gold item, in the order of arrival."""

    judgment: str
    right: bool
    expected: float  # P(right), as was known of its author then
    pace: float | None = None  # characters a second; None unknown


@dataclass(frozen=True, kw_only=True)
class Leak:
    """The evidence, as capital (1 is none); the greatest it ever was."""

    right: float = 1.0
    fast: float = 1.0
    answers: int = 0

    def found(self, rate: float) -> bool:
        """Whether the item counts as leaked at this false-alarm rate."""
        return max(self.right, self.fast) >= 2 / rate


NO_LEAK = Leak()


def leak(answers: Sequence[Answer]) -> Leak:
    """The evidence that something changed."""
    paces = [(answer.judgment, math.log(answer.pace)) for answer in answers if answer.pace]
    return Leak(
        right=evidence([(answer.judgment, answer.right - answer.expected) for answer in answers]),
        fast=evidence(paces),
        answers=len(answers),
    )


def evidence(scores: Sequence[tuple[str, float]]) -> float:
    """The greatest capital of the bets that scores have grown; (id, score) in the order of arrival."""
    seen: list[float] = []
    ranks: list[float] = []
    for identity, score in scores:
        if len(seen) >= LEAST:
            ranks.append(p_value(seen, score, identity))
        insort(seen, score)
    both = zip(capitals(ranks, slope), capitals(ranks, power), strict=True)
    return max((sum(pair) / 2 for pair in both), default=1.0)


def capitals(ranks: Sequence[float], payoff: Callable[[float], float]) -> list[float]:
    """The capital after each p-value, of a bet that begins at every one of them anew with a part of the money."""
    played, found = 0.0, []
    for bets, p in enumerate(ranks):
        played = min((played + waiting(bets) - waiting(bets + 1)) * payoff(p), CEILING)
        found.append(played + waiting(bets + 1))
    return found


def waiting(bets: int) -> float:
    """The part of the money that is not in play after so many bets; falls slowly to 0."""
    return PATIENCE / (PATIENCE + bets)


def p_value(seen: Sequence[float], score: float, identity: str) -> float:
    """How high the score ranks among those seen, in (0, 1]; a hash of the id breaks ties, the same one each time."""
    greater = len(seen) - bisect_right(seen, score)
    equal = bisect_right(seen, score) - bisect_left(seen, score)
    drawn = (int(digest("rank", identity)[:12], 16) + 1) / 2**48
    return (greater + drawn * (equal + 1)) / (len(seen) + 1)


def slope(p: float) -> float:
    """Pays where p is in its lower half: for answers that are right again and again. 1 on average over uniform p."""
    return 1 + SLOPE * (1 - 2 * p)


def power(p: float) -> float:
    """The mean of e * p**(e - 1) over e uniform in (0, 1): pays much for tiny p. 1 on average over uniform p."""
    if p > 1 - 1e-6:
        return 0.5
    logarithm = math.log(p)
    return (1 - p + p * logarithm) / (p * logarithm**2)

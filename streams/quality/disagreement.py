"""At odds with a reward model that is sure: somebody who contradicts it far more often than the crowd does.

A reward model may be wrong, and may be wrong in a way that everybody sees. So its word is not the yardstick; how often
*the others* contradict it is. Of the pairs on which it is confident (0.9 and more; in three bands, since it may claim
too much) an honest annotator contradicts it with a probability of at most

    max(the others' rate in that band, their rate on this very pair) + max(0, their mean accuracy - FLOOR)

Both rates leave the annotator out. The band's is the upper end of its 95 % interval; the pair's has four judgments at
the band's rate as a prior, so that a slice in which the model errs speaks against nobody. The last term is what
separates the others' mean from an annotator who is just good enough: if the model is right with a probability s,
somebody of accuracy α contradicts it at the rate α(1 - s) + (1 - α)s, whose slope in α is 1 - 2s, never below -1.
A bet against that for each judgment, multiplied, is an e-value as far as the others are another sample of the same
crowd; e-BH (discovery.py) accuses, and how many pairs a model scores bounds what it can say against anybody.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from streams.events import Struct
from streams.quality.floor import FLOOR
from streams.quality.intervals import wilson
from streams.quality.sequential import ratios

BANDS = (0.9, 0.95, 0.99)  # lower ends of the model's confidence; below the first it is not asked
FEW = 50  # judgments of others in a band below which nothing is bet on it
PAIR_PRIOR = 4.0  # judgments at the band's rate that a pair's own rate starts from
MOST_LIKELY = 0.6  # where the innocent contradict the model more often than this, doing so is no evidence
ALTERNATIVES = (0.2, 0.5, 0.9)  # of the way from the null rate to always


class Scored(Struct, frozen=True, kw_only=True):
    """A decisive judgment on a pair that a reward model scored."""

    task: str
    annotator: str
    confidence: float  # of the model in the side it prefers, in [0.5, 1]
    contradicts: bool
    accuracy: float  # what was known of the annotator's when they judged


class Odds(Struct, frozen=True, kw_only=True):
    """How one annotator stands to the model."""

    compared: int = 0
    contradicted: int = 0
    expected: float = 0.0  # contradictions of somebody just good enough, at most
    capitals: tuple[float, ...] = (1.0,) * len(ALTERNATIVES)

    @property
    def evidence(self) -> float:
        """The e-value."""
        return sum(self.capitals) / len(self.capitals)


@dataclass(kw_only=True)
class Count:
    """Judgments of a group, how many contradict the model, and the sum of their authors' accuracies."""

    n: int = 0
    contradict: int = 0
    accuracy: float = 0.0

    def add(self, one: Scored) -> None:
        """Counts a judgment."""
        self.n += 1
        self.contradict += one.contradicts
        self.accuracy += one.accuracy


@dataclass(kw_only=True)
class Counts:
    """Of everybody, and of each annotator, so that one can be taken out of all."""

    everybody: Count = field(default_factory=Count)
    by_annotator: dict[str, Count] = field(default_factory=lambda: defaultdict(Count))

    def add(self, one: Scored) -> None:
        """Counts a judgment."""
        self.everybody.add(one)
        self.by_annotator[one.annotator].add(one)

    def without(self, annotator: str) -> Count:
        """All others."""
        mine, all_of_us = self.by_annotator[annotator], self.everybody
        return Count(
            n=all_of_us.n - mine.n,
            contradict=all_of_us.contradict - mine.contradict,
            accuracy=all_of_us.accuracy - mine.accuracy,
        )


def band_of(confidence: float) -> int:
    """The number of the band; -1 where the model is not confident."""
    return sum(confidence >= low for low in BANDS) - 1


def odds(judgments: Iterable[Scored]) -> dict[str, Odds]:
    """Every annotator with a judgment on a pair of which the model is sure. Order does not matter."""
    sure = [one for one in judgments if band_of(one.confidence) >= 0]
    bands, pairs = defaultdict[int, Counts](Counts), defaultdict[str, Counts](Counts)
    for one in sure:
        bands[band_of(one.confidence)].add(one)
        pairs[one.task].add(one)
    found: dict[str, Odds] = defaultdict(Odds)
    rates = _rates(bands)
    for one in sure:
        rate, margin = rates[band_of(one.confidence), one.annotator]
        null = max(rate, _on_the_pair(pairs[one.task].without(one.annotator), rate)) + margin
        found[one.annotator] = _after(found[one.annotator], one.contradicts, null)
    return dict(found)


def _rates(bands: Mapping[int, Counts]) -> dict[tuple[int, str], tuple[float, float]]:
    """(band, annotator) -> the others' rate of contradiction, at most, and their lead over somebody just good enough.

    Where the others are too few, the rate is 1.
    """
    found = {}
    for band, counts in bands.items():
        for annotator in list(counts.by_annotator):
            others = counts.without(annotator)
            rate = wilson(others.contradict / others.n, others.n)[1] if others.n >= FEW else 1.0
            lead = max(0.0, others.accuracy / others.n - FLOOR) if others.n else 0.0
            found[band, annotator] = rate, lead
    return found


def _on_the_pair(others: Count, rate: float) -> float:
    return (others.contradict + PAIR_PRIOR * rate) / (others.n + PAIR_PRIOR)


def _after(one: Odds, contradicts: bool, null: float) -> Odds:
    """With another judgment; where the innocent would often contradict the model too, nothing is bet."""
    capitals: Sequence[float] = one.capitals
    if null < MOST_LIKELY:
        bets = ratios(contradicts, null, [null + share * (1.0 - null) for share in ALTERNATIVES])
        capitals = [capital * factor for capital, factor in zip(capitals, bets, strict=True)]
    return Odds(
        compared=one.compared + 1,
        contradicted=one.contradicted + contradicts,
        expected=one.expected + min(null, 1.0),
        capitals=tuple(capitals),
    )

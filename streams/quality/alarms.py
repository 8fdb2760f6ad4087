"""All running tests of an annotator in one table, and the two levels at which they raise an alarm.

The lifetime tests share one false-alarm rate an annotator (the shares sum to 1: Bonferroni with weights), so the
family of them accuses an innocent with a probability of at most that rate, however long one looks. The watch has no
such rate: it states after how many judgments of an innocent it alarms on average, and the moment it points to.
"""

from __future__ import annotations

from collections.abc import Sequence

from streams.events import Hypothesis, StandingName, Struct
from streams.quality import floor, gold, pattern, reasons, sequential, side, speed


class Kind(Struct, frozen=True, kw_only=True):
    """A test: the null rate of the bad thing, the alternatives bet on, and its share of the family's rate."""

    hypothesis: Hypothesis
    null: float
    alternatives: tuple[float, ...]  # rates of the bad thing, all above `null`
    share: float = 0.0
    watch: bool = False

    def ratios(self, bad: bool) -> list[float]:
        """The bets' returns on one observation."""
        return sequential.ratios(bad, self.null, self.alternatives)


class Level(Struct, frozen=True, kw_only=True):
    """What follows when the evidence holds at this false-alarm rate, or in a watch at this average run length."""

    rate: float  # of all lifetime tests of an annotator together
    run_length: int  # judgments of an innocent at the floor until the watch alarms, on average, at least
    standing: StandingName
    weight: float


def wrong(accuracies: Sequence[float]) -> tuple[float, ...]:
    """Rates of error; the accuracy tests bet on accuracies and compute their own ratios (floor.ratios)."""
    return tuple(1.0 - accuracy for accuracy in accuracies)


TESTS: dict[str, Kind] = {
    "accuracy": Kind(hypothesis="accuracy", null=1 - floor.FLOOR, alternatives=wrong(floor.LIFETIME), share=0.4),
    "gold": Kind(hypothesis="gold", null=gold.NULL, alternatives=gold.ALTERNATIVES, share=0.15),
    "speed": Kind(hypothesis="speed", null=speed.NULL, alternatives=speed.ALTERNATIVES, share=0.1),
    "pace": Kind(hypothesis="speed", null=speed.PACE_NULL, alternatives=speed.PACE_ALTERNATIVES, share=0.05),
    "left": Kind(hypothesis="side", null=side.NULL, alternatives=side.ALTERNATIVES, share=0.05),
    "right": Kind(hypothesis="side", null=side.NULL, alternatives=side.ALTERNATIVES, share=0.05),
    "pattern": Kind(hypothesis="pattern", null=pattern.NULL, alternatives=pattern.ALTERNATIVES, share=0.1),
    "reason": Kind(hypothesis="reasons", null=reasons.NULL, alternatives=reasons.ALTERNATIVES, share=0.05),
    "machine": Kind(hypothesis="reasons", null=reasons.SIGNS_NULL, alternatives=reasons.SIGNS_ALTERNATIVES, share=0.05),
    "change": Kind(hypothesis="change", null=1 - floor.FLOOR, alternatives=wrong(floor.WATCH), watch=True),
}

LEVELS = (
    Level(rate=0.01, run_length=1_000, standing="weighted", weight=0.5),
    Level(rate=0.001, run_length=20_000, standing="suspended", weight=0.0),
)


def evidence(name: str, test: sequential.Test) -> float:
    """Against the null, as it stands."""
    return sequential.evidence(test, TESTS[name].watch)


def threshold(name: str, level: Level) -> float:
    """The evidence that reaches the level."""
    kind = TESTS[name]
    return level.run_length if kind.watch else 1.0 / (level.rate * kind.share)


_bounds = {name: [threshold(name, level) for level in LEVELS] for name in TESTS}
_returns = {name: (kind.ratios(False), kind.ratios(True)) for name, kind in TESTS.items()}


def returns(name: str, bad: bool) -> list[float]:
    """The bets' returns on one observation of that test."""
    return _returns[name][bad]


def reached(name: str, test: sequential.Test) -> int:
    """How many levels the test's evidence reaches now."""
    found = sequential.evidence(test, TESTS[name].watch)
    bounds = _bounds[name]
    return 0 if found < bounds[0] else sum([found >= bound for bound in bounds])

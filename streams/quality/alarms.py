"""All running tests of an annotator in one table, and the two levels at which they raise an alarm."""

from __future__ import annotations

from typing import Literal

from streams.events import StandingName, Struct
from streams.quality import floor, gold, pattern, sequential, side, speed

Hypothesis = Literal["accuracy", "speed", "side", "pattern", "gold"]


class Kind(Struct, frozen=True, kw_only=True):
    """A test's null and alternative rate of the bad thing, and its share of its hypothesis' false-alarm rate."""

    hypothesis: Hypothesis
    null: float
    alternative: float
    share: float = 1.0

    def ratio(self, bad: bool) -> float:
        """The bet's return on one observation."""
        return sequential.ratio(bad, self.null, self.alternative)


class Level(Struct, frozen=True, kw_only=True):
    """What follows when the evidence against a hypothesis holds at this false-alarm rate, however long one looks."""

    rate: float
    standing: StandingName
    weight: float


TESTS: dict[str, Kind] = {
    "speed": Kind(hypothesis="speed", null=speed.NULL, alternative=speed.ALTERNATIVE),
    "left": Kind(hypothesis="side", null=side.NULL, alternative=side.ALTERNATIVE, share=0.5),
    "right": Kind(hypothesis="side", null=side.NULL, alternative=side.ALTERNATIVE, share=0.5),
    "pattern": Kind(hypothesis="pattern", null=pattern.NULL, alternative=pattern.ALTERNATIVE),
    "gold": Kind(hypothesis="gold", null=gold.NULL, alternative=gold.ALTERNATIVE),
    # the accuracy tests compute their own ratios (floor.ratio); null and alternative are error rates here
    "guessing": Kind(hypothesis="accuracy", null=1 - floor.FLOOR, alternative=1 - floor.GUESSING, share=0.5),
    "reversed": Kind(hypothesis="accuracy", null=1 - floor.FLOOR, alternative=1 - floor.REVERSED, share=0.5),
}

LEVELS = (
    Level(rate=0.01, standing="weighted", weight=0.5),
    Level(rate=0.001, standing="suspended", weight=0.0),
)


def reached(name: str, test: sequential.Test) -> int:
    """How many levels the test's evidence reaches now."""
    evidence = sequential.capital(test) * TESTS[name].share
    return sum(evidence * level.rate >= 1.0 for level in LEVELS)

"""Too fast: an answer given sooner than the texts can be read, or far sooner than this annotator reads such texts.

The first is a bound for everybody. The second is a model of each annotator's own pace: the logarithm of the time
taken, less that of the length, is about normal (reading times are lognormal: van der Linden 2006), with a mean and a
spread that are learned, forgotten slowly, and started from careful reading.
"""

from __future__ import annotations

from math import exp, log, sqrt

from streams.events import Check, Judgment, Struct

SKIM = 100.0  # characters a second, four times careful reading (238 words a minute: Brysbaert 2019)
ENOUGH = 15.0  # seconds after which nobody is called too fast, however long the texts
NULL, ALTERNATIVES = 0.2, (0.35, 0.5, 0.9)  # an honest annotator is this fast in at most one judgment of five

CAREFUL = 25.0  # characters a second; who is slower is never called hurried
CLICK = 50.0  # characters that looking and clicking are worth
FEW = 20.0  # judgments below which nothing is said of an annotator's own pace
MEMORY = 100.0  # judgments that the pace remembers
LEAST_VARIANCE = 0.04  # nobody's time is steadier than a fifth either way
QUANTILE = 2.33  # standard deviations below the own mean: one in a hundred of a normal distribution
PACE_NULL, PACE_ALTERNATIVES = 0.1, (0.25, 0.6)  # ten times what the model expects: it need not be exact


class Pace(Struct, frozen=True, kw_only=True, array_like=True):
    """Of log seconds a character: an average over `weight` judgments, of which five are prior."""

    weight: float = 5.0
    mean: float = -log(CAREFUL)
    variance: float = 0.5


def least_seconds(judgment: Judgment) -> float:
    """The time below which the two responses cannot have been read."""
    return min((judgment.length_a + judgment.length_b) / SKIM, ENOUGH)


def seconds(judgment: Judgment) -> float | None:
    """The time taken; None where it is not known."""
    if not judgment.shown_at or judgment.answered_at < judgment.shown_at:
        return None
    return (judgment.answered_at - judgment.shown_at) / 1000


def check(judgment: Judgment) -> Check | None:
    """Whether the texts can have been read at all; None where the times are not known."""
    taken, least = seconds(judgment), least_seconds(judgment)
    if taken is None:
        return None
    if taken >= least:
        return Check(name="speed", passed=True)
    characters = judgment.length_a + judgment.length_b
    detail = f"{taken:.1f} s for {characters:,} characters, at least {least:.1f} s"
    return Check(name="speed", passed=False, detail=detail)


def pace_check(pace: Pace, judgment: Judgment) -> Check | None:
    """Whether the answer came at the annotator's usual pace; None where time or pace is not known."""
    taken = seconds(judgment)
    if taken is None or pace.weight < FEW:
        return None
    characters = judgment.length_a + judgment.length_b + CLICK
    usual = characters * exp(pace.mean)
    least = min(characters * exp(pace.mean - QUANTILE * sqrt(pace.variance)), characters / CAREFUL)
    if taken >= least:
        return Check(name="pace", passed=True)
    return Check(name="pace", passed=False, detail=f"{taken:.1f} s, usually about {usual:.0f} s for such texts")


def paced(pace: Pace, judgment: Judgment) -> Pace:
    """The pace with this judgment in it. What is far out counts as just out: a fit of haste does not become usual."""
    taken = seconds(judgment)
    if taken is None:
        return pace
    found = log(max(taken, 0.05) / (judgment.length_a + judgment.length_b + CLICK))
    reach = QUANTILE * sqrt(pace.variance)
    off = min(max(found - pace.mean, -reach), reach)
    weight = min(pace.weight + 1.0, MEMORY)
    variance = pace.variance + (off * off - pace.variance) / weight
    return Pace(weight=weight, mean=pace.mean + off / weight, variance=max(variance, LEAST_VARIANCE))

"""The alarms: false alarms kept or not, run length, and delay against a test that is told the truth.

    python -m benchmarks.alarms

Everything is simulated with known truth, thousands of annotators at once (the very tables of streams/quality/alarms.py;
a test holds the arrays here against the stage's own steps). Prints tables, asserts nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from streams.quality import floor
from streams.quality.alarms import LEVELS, TESTS, threshold
from streams.quality.sequential import CEILING, FROM_THE_START, waiting

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
USUAL, LOOKED = 0.78, 400  # accuracy of the innocent the thresholds are tuned on, and their judgments
TUNED = 0.01  # share of them that may alarm
WATCHED = 0.8  # of that share, what the watch may spend; the lifetime test has the rest
NEVER = 10**9


# ---------------------------------------------------------------- many annotators at once


def trajectories(ratios: Sequence[Floats], watch: bool) -> Floats:
    """The evidence after each observation. `ratios`: one array (annotators, judgments) an alternative."""
    people, steps = ratios[0].shape
    total = np.zeros((people, steps))
    for ratio in ratios:
        capital = np.full(people, 0.0 if watch else FROM_THE_START)
        for step in range(steps):
            fresh = 1.0 if watch else waiting(step) - waiting(step + 1)
            capital = np.minimum((capital + fresh) * ratio[:, step], CEILING)
            total[:, step] += capital / len(ratios)
    return total if watch else total + np.array([waiting(step + 1) for step in range(steps)])


def bernoulli(bad: Bools, name: str) -> Floats:
    """The evidence of the test of that name where the bad thing is seen or not."""
    kind = TESTS[name]
    won, lost = kind.ratios(True), kind.ratios(False)
    return trajectories([np.where(bad, w, x) for w, x in zip(won, lost, strict=True)], kind.watch)


def graded(agrees: Bools, sure: float, alternatives: Sequence[float]) -> list[Floats]:
    """The ratios of floor.py for judgments that agree with the others' favourite, of posterior `sure`, or do not."""
    yes = floor.ratios("a", (sure, 1 - sure, 0.0), alternatives)
    no = floor.ratios("b", (sure, 1 - sure, 0.0), alternatives)
    return [np.where(agrees, x, y) for x, y in zip(yes, no, strict=True)]


def judged(dice: np.random.Generator, accuracy: Floats, people: int) -> Bools:
    """Right or wrong, (annotators, judgments), where `accuracy` is that of each judgment."""
    drawn: Bools = dice.random((people, len(accuracy))) < accuracy
    return drawn


def observed(dice: np.random.Generator, right: Bools, sure: float) -> Bools:
    """Whether the judgment agrees with the others' favourite, which is right with a probability of `sure`."""
    seen: Bools = right == (dice.random(right.shape) < sure)
    return seen


def first(reached: Bools) -> NDArray[np.int64]:
    """The 1-based judgment of the first alarm; NEVER without."""
    return np.asarray(np.where(reached.any(axis=1), reached.argmax(axis=1) + 1, NEVER))


def cusum(right: Bools, usual: float, turned: float) -> Floats:
    """Page's statistic, told the truth of every task and both accuracies."""
    ratio = np.log(np.where(right, turned / usual, (1 - turned) / (1 - usual)))
    sums, found = np.zeros(len(right)), np.empty(right.shape)
    for step in range(right.shape[1]):
        sums = np.maximum(sums, 0.0) + ratio[:, step]
        found[:, step] = sums
    return found


# ---------------------------------------------------------------- tables


def pair(dice: np.random.Generator, right: Bools, sure: float) -> tuple[Floats, Floats]:
    """The evidence of the lifetime test and of the watch."""
    agrees = observed(dice, right, sure)
    return (
        trajectories(graded(agrees, sure, floor.LIFETIME), watch=False),
        trajectories(graded(agrees, sure, floor.WATCH), watch=True),
    )


def delays(seed: int = 1, people: int = 4000) -> Table:
    """Judgments from the begin of the trouble to the alarm, where 1 % of the usual annotators alarm in 400."""
    table = Table(
        "the others are right", "trouble", "told the truth", "told all but it", "ours", "ratio", "within 200",
        title=f"Delay: {TUNED:.0%} of annotators at {USUAL} alarm in {LOOKED} judgments (told: CUSUM)",
    )  # fmt: skip
    cases = (("guessing", 0.5, 0), ("guessing", 0.5, 100), ("reversed", 1 - USUAL, 0), ("reversed", 1 - USUAL, 100))
    for sure in (1.0, 0.97, 0.95, 0.9):
        dice = np.random.default_rng(seed)
        innocent = judged(dice, np.full(LOOKED, USUAL), 3 * people)
        spent = (TUNED * (1 - WATCHED), TUNED * WATCHED)
        tops = [evidence.max(axis=1) for evidence in pair(dice, innocent, sure)]
        bounds = [float(np.quantile(top, 1 - share)) for top, share in zip(tops, spent, strict=True)]
        for name, turned, begin in cases:
            bound = float(np.quantile(cusum(innocent, USUAL, turned).max(axis=1), 1 - TUNED))
            right = judged(dice, np.repeat([USUAL, turned], [begin, LOOKED]), people)
            told = np.median(first(cusum(right, USUAL, turned)[:, begin:] >= bound))
            blind = blindfolded(dice, innocent, right, sure, turned, begin)
            lifetime, watch = pair(dice, right, sure)
            ours = first((lifetime[:, begin:] >= bounds[0]) | (watch[:, begin:] >= bounds[1]))
            when = f"after {begin}" if begin else "from the start"
            table.add_row(
                f"{sure:.2f}", f"{name} {when}", f"{told:.0f}", f"{blind:.0f}", f"{np.median(ours):.0f}",
                f"{np.median(ours) / told:.2f}", f"{np.mean(ours <= 200):.1%}",
            )  # fmt: skip
    return table


def blindfolded(
    dice: np.random.Generator, innocent: Bools, right: Bools, sure: float, turned: float, begin: int
) -> float:
    """The median delay of a CUSUM that is told both accuracies and how sure the others are, but sees only them."""
    usual, bad = ((1 - sure) + accuracy * (2 * sure - 1) for accuracy in (USUAL, turned))
    bound = np.quantile(cusum(observed(dice, innocent, sure), usual, bad).max(axis=1), 1 - TUNED)
    reached = cusum(observed(dice, right, sure), usual, bad)[:, begin:] >= bound
    return float(np.median(first(reached)))


def honest(dice: np.random.Generator, people: int) -> Floats:
    """Accuracies of honest annotators: Beta of mean .78 and concentration 12, those of at least the floor."""
    drawn = dice.beta(0.78 * 12, 0.22 * 12, 4 * people)
    return drawn[drawn >= floor.FLOOR][:people]


def family(dice: np.random.Generator, rates: dict[str, Any], people: int, steps: int) -> dict[str, list[Bools]]:
    """Who alarms at each level, by test. `rates` has each test's true rate of the bad thing (or one a person)."""
    found = {}
    for name in TESTS:
        bad: Bools = dice.random((people, steps)) < np.reshape(rates[name], (-1, 1))
        top = bernoulli(bad, name).max(axis=1)
        found[name] = [top >= threshold(name, level) for level in LEVELS]
    return found


def false_alarms(seed: int = 2, people: int = 10_000, steps: int = 1000) -> Table:
    """Innocent annotators who alarm in so many judgments: any lifetime test, and the watch."""
    table = Table(
        "who", "level", "stated", "any lifetime test", "watch: stated run length", "watch alarms",
        title=f"False alarms of {people:,} innocent annotators in {steps:,} judgments each",
    )  # fmt: skip
    dice = np.random.default_rng(seed)
    accuracies = honest(dice, people)
    edges = {name: kind.null for name, kind in TESTS.items()}
    usual = {name: 1 - accuracies if name in {"accuracy", "change"} else kind.null / 2 for name, kind in TESTS.items()}
    for who, rates in (("at the edge of every null", edges), ("honest, mean .78", usual)):
        found = family(dice, rates, people, steps)
        for at, level in enumerate(LEVELS):
            lifetime = np.logical_or.reduce([found[name][at] for name, kind in TESTS.items() if not kind.watch])
            table.add_row(
                who, level.standing, f"{level.rate:.1%}", f"{lifetime.mean():.2%}",
                f"{level.run_length:,}", f"{found['change'][at].mean():.2%}",
            )  # fmt: skip
    return table


def run_lengths(seed: int = 3, people: int = 2000) -> Table:
    """Mean judgments until the watch alarms, innocents of several accuracies; lives are cut at ten run lengths."""
    level = LEVELS[0]
    table = Table("accuracy", "mean judgments to a false alarm", title=f"The watch states {level.run_length:,} or more")
    dice = np.random.default_rng(seed)
    for accuracy in (floor.FLOOR, 0.7, 0.74):
        steps = 10 * level.run_length
        at = alarm_times(dice, accuracy, people, steps, level.run_length)
        cut = (at == NEVER).mean()
        mean = np.minimum(at, steps).mean()
        table.add_row(f"{accuracy:.2f}", f"{'over ' if cut > 0.01 else ''}{mean:,.0f}")
    return table


def alarm_times(dice: np.random.Generator, accuracy: float, people: int, steps: int, bound: float) -> NDArray[np.int64]:
    """The judgment at which the watch first reaches the bound; in pieces, so that memory stays small."""
    kind, at = TESTS["change"], np.full(people, NEVER)
    capital = np.zeros((people, len(kind.alternatives)))
    won, lost = np.array(kind.ratios(True)), np.array(kind.ratios(False))
    for step in range(1, steps + 1):
        bad = dice.random((people, 1)) >= accuracy
        capital = np.minimum((capital + 1.0) * np.where(bad, won, lost), CEILING)
        at = np.where((at == NEVER) & (capital.mean(axis=1) >= bound), step, at)
    return at


def stated(seed: int = 4, people: int = 2000) -> Table:
    """Delay at the thresholds in use."""
    table = Table("trouble", "the others are right", "weighted down after", "suspended after", title="As configured")
    dice = np.random.default_rng(seed)
    for name, turned, begin in (("guessing", 0.5, 0), ("guessing", 0.5, 200), ("reversed", 0.22, 200)):
        for sure in (1.0, 0.95, 0.9):
            right = judged(dice, np.repeat([USUAL, turned], [begin, 600]), people)
            both = dict(zip(("accuracy", "change"), pair(dice, right, sure), strict=True))
            medians = []
            for level in LEVELS:
                over = [evidence[:, begin:] >= threshold(test, level) for test, evidence in both.items()]
                medians.append(np.median(first(over[0] | over[1])))
            when = f"after {begin}" if begin else "from the start"
            table.add_row(f"{name} {when}", f"{sure:.2f}", f"{medians[0]:.0f}", f"{medians[1]:.0f}")
    return table


def main() -> None:
    """All tables."""
    console = Console(width=130)
    for table in (delays, false_alarms, run_lengths, stated):
        console.print(table(), "")


if __name__ == "__main__":
    main()

"""Tests that may be looked at after every judgment and still keep what they state.

A test is a set of bets against the annotator's innocence. The null hypothesis says: given the past, the bad thing
happens with a probability of at most `null`. Each bet has its own alternative; what it returns on an observation is
the likelihood ratio of alternative to null, whose mean is at most 1 under the null. Nobody knows the alternative
beforehand, so the capital is spread evenly over several: a mixture of bets is again a bet. Two ways to sum them up:

A *lifetime* test states a false-alarm rate. Its capital starts at 1 and is a non-negative supermartingale under the
null, so by Ville's inequality P(capital ever reaches 1/rate) <= rate. Half of the capital is bet from the first
observation on; the other half is put in slice by slice, so that somebody who turns bad later is found too.

A *watch* states an average run length. One unit is bet anew at every observation (the Shiryaev-Roberts sum), so the
sum less the number of observations is a supermartingale under the null, and an alarm at c comes after at least c
observations on average, whoever the innocent is. It never tires, as a lifetime test must, and finds a change sooner.

Sources: Ville 1939; Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting" (JRSS B 2024),
section 3; Shin, Ramdas and Rinaldo, "E-detectors" (NEJSDS 2023), section 2 for both sums and theorem 2.4 for the run
length; Page, "Continuous inspection schemes" (Biometrika 1954) for the begin of the trouble.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from streams.events import Struct

FROM_THE_START = 0.5  # share of a lifetime test's capital that is bet from the first observation on
PATIENCE = 20.0  # half of the other share is in play after this many observations
CEILING = 1e9  # capital above this says nothing more; cutting it keeps the inequality


class Bet(Struct, frozen=True, kw_only=False, array_like=True):
    """One alternative's bet. Positional, since every judgment makes a dozen."""

    capital: float
    run: float = 1.0  # likelihood ratio since the best begin of the trouble (cumulative-sum statistic)
    since: int = 0  # ms, that begin


class Test(Struct, frozen=True, kw_only=True, array_like=True):
    """One running test: a bet for each alternative. `level` counts the alarm levels already reached (and reported)."""

    __test__ = False  # no test case of pytest's

    steps: int = 0  # observations
    bets: tuple[Bet, ...] = ()  # empty before the first observation
    level: int = 0


def evidence(test: Test, watch: bool = False) -> float:
    """Against the null: a lifetime test alarms where it reaches 1/rate, a watch where it reaches its run length."""
    if not test.bets:
        return 0.0 if watch else 1.0
    mean = sum([bet.capital for bet in test.bets]) / len(test.bets)
    return mean if watch else mean + waiting(test.steps)


def since(test: Test) -> int:
    """When the trouble began (ms), as the alternative that explains it best has it; 0 before any observation."""
    return max(test.bets, key=lambda bet: bet.run).since if test.bets else 0


def waiting(steps: int) -> float:
    """The share of a lifetime test's capital not yet in play after so many observations; falls slowly to 0."""
    return (1.0 - FROM_THE_START) * PATIENCE / (PATIENCE + steps)


def ratios(bad: bool, null: float, alternatives: Sequence[float]) -> list[float]:
    """Each bet's return: the likelihood ratio of its alternative to the null for what was seen."""
    if bad:
        return [alternative / null for alternative in alternatives]
    return [(1.0 - alternative) / (1.0 - null) for alternative in alternatives]


def observe(test: Test, factors: Sequence[float], at: int, watch: bool = False) -> Test:
    """The test after one observation at time `at` (ms) whose likelihood ratios are `factors`, one an alternative."""
    bets = test.bets or (Bet(0.0 if watch else FROM_THE_START),) * len(factors)
    fresh = 1.0 if watch else waiting(test.steps) - waiting(test.steps + 1)
    moved = []
    for bet, factor in zip(bets, factors, strict=True):  # every judgment comes by here some twenty times: no calls
        capital = (bet.capital + fresh) * factor
        capital = capital if capital < CEILING else CEILING
        if bet.run <= 1.0:
            moved.append(Bet(capital, factor, at))
        else:
            run = bet.run * factor
            moved.append(Bet(capital, run if run < CEILING else CEILING, bet.since))
    return Test(steps=test.steps + 1, bets=tuple(moved), level=test.level)


def correct(test: Test, factors: Iterable[float]) -> Test:
    """The test after more became known of an observation it has bet on: `factors` are new ratio over old.

    The likelihood ratio of all that is known by now is a martingale under the null whatever order it comes in, so
    the bounds stand. A test that has not bet yet stays as it is.
    """
    corrected = []
    for bet, factor in zip(test.bets, factors, strict=False):  # as often as `observe`: no calls
        capital, run = bet.capital * factor, bet.run * factor
        corrected.append(Bet(capital if capital < CEILING else CEILING, run if run < CEILING else CEILING, bet.since))
    return Test(steps=test.steps, bets=tuple(corrected), level=test.level)

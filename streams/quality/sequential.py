"""Tests that may be looked at after every judgment and still keep their false-alarm rate.

A test is a bet against the annotator's innocence. The null hypothesis says: given the past, the bad thing happens
with a probability of at most `null`. Capital starts at 1 and is multiplied by a likelihood ratio, so under the null
it is a non-negative supermartingale, and by Ville's inequality P(capital ever reaches 1/rate) <= rate, however often
one looks. Half of the capital is bet from the first judgment on; the other half is put in slice by slice, so that
somebody who turns bad later is found too: a mixture of bets over start times is again such a supermartingale.

Sources: Ville 1939; Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting" (JRSS B 2024),
section 3; Shin, Ramdas and Rinaldo, "E-detectors" (2023), section 2, for the mixture over changepoints.
"""

from __future__ import annotations

from streams.events import Struct

FROM_THE_START = 0.5  # share of the capital that is bet from the first observation on
PATIENCE = 20.0  # half of the other share is in play after this many observations
CEILING = 1e9  # capital above this says nothing more; cutting it keeps the inequality


class Test(Struct, frozen=True, kw_only=True, array_like=True):
    """One running test. `level` counts the alarm levels already reached (and reported)."""

    __test__ = False  # no test case of pytest's

    steps: int = 0  # observations
    started: float = FROM_THE_START  # capital in play
    run: float = 1.0  # likelihood ratio of the best begin of the trouble so far (cumulative-sum statistic)
    since: int = 0  # ms, that begin
    level: int = 0


def capital(test: Test) -> float:
    """Evidence against the null, at least 0; alarm at a false-alarm rate r where it reaches 1/r."""
    return test.started + waiting(test.steps)


def waiting(steps: int) -> float:
    """The share of the capital not yet in play after so many observations; falls slowly to 0."""
    return (1.0 - FROM_THE_START) * PATIENCE / (PATIENCE + steps)


def ratio(bad: bool, null: float, alternative: float) -> float:
    """The bet's return: the likelihood ratio of alternative to null for what was seen (null < alternative)."""
    return alternative / null if bad else (1.0 - alternative) / (1.0 - null)


def bet(test: Test, factor: float, at: int) -> Test:
    """The test after one observation whose likelihood ratio is `factor`, at time `at` (ms)."""
    fresh = waiting(test.steps) - waiting(test.steps + 1)
    begins = test.run <= 1.0
    return Test(
        steps=test.steps + 1,
        started=min((test.started + fresh) * factor, CEILING),
        run=min(factor if begins else test.run * factor, CEILING),
        since=at if begins else test.since,
        level=test.level,
    )

"""What the next point of quality costs: expected error against further judgments, from a campaign's own posteriors.

Let a decided task have belief p in its verdict. If posteriors are calibrated, the share right is the mean of p. Were
the target raised to t, the tasks short of it would go on: the log-odds of the verdict moves from logit p until it
leaves (-B, B), and then the verdict is right with probability 1/(1 + e^-B). As a random walk with drift I where the
verdict is right and -I where it is wrong (I: what one judgment tells, in nats), the expected number of steps follows
from Wald's identities (Wald 1947, "Sequential analysis", appendix A). Judgments come in lumps, so B is logit t plus the
mean overshoot that was seen at the targets reached so far (Siegmund 1985, "Sequential analysis", section III.5).

I is measured, not assumed: by Wald's identity the judgments bought so far times I are the expected log-odds reached,
the sum of (2p - 1) logit p. So skill, ties, hard tasks and routing are in it as they were. What the cap then sends to
an adjudicator is not in it. Intervals: 95 %, whole stretches of the campaign resampled (a block bootstrap: Künsch,
Annals of Statistics 17, 1989), since tasks of one time have their people in common, and what is known of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from streams.quality.bootstrap import percentiles
from streams.quality.decided import Decided
from streams.quality.intervals import Estimate
from streams.quality.pairs import Floats

LEAST_TASKS = 50  # with fewer nothing is said
SAMPLES = 300
STRETCHES = 20  # of a campaign, each with as many tasks
MOST_SURE = 0.9995  # a belief above counts as this
TARGETS = (0.8, 0.85, 0.9, 0.925, 0.95, 0.96, 0.97, 0.98, 0.985, 0.99)
POINT = 0.01


@dataclass(frozen=True, kw_only=True)
class Point:
    """The campaign if its target were this."""

    target: float
    right: Estimate  # expected share of verdicts that are right
    judgments: Estimate  # a task, in all


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """Where the campaign is, and what more quality would cost."""

    tasks: int
    right: Estimate  # now
    judgments: Estimate  # a task, so far
    told: Estimate  # what one judgment tells, nats
    points: list[Point]  # the targets that would raise quality
    next_point: Estimate | None  # judgments a task for one hundredth more right; None where no target gives that much


def outlook(decided: Sequence[Decided], seed: int = 0) -> Outlook | None:
    """See Outlook; None with fewer than LEAST_TASKS tasks, or where their judgments tell nothing.

    `decided` is in the order of the verdicts, or the reverse of it.
    """
    if len(decided) < LEAST_TASKS:
        return None
    belief = np.clip([one.belief for one in decided], 0.5, MOST_SURE)
    bought = np.array([one.judgments for one in decided], dtype=float)
    draws = resamples(len(decided), seed)
    each = draws.sum(axis=1)
    told = (draws @ ((2 * belief - 1) * logit(belief))) / (draws @ bought)
    if told[0] <= 0:
        return None
    over = overshoot(decided)
    asked = [target for target in TARGETS if (belief < target).any()]
    right, judgments = [draws @ belief / each], [draws @ bought / each]
    for target in asked:
        beyond = logit(np.array(target)) + over
        short = belief < target
        right.append(draws @ np.where(short, np.maximum(belief, expit(beyond)), belief) / each)
        judgments.append((draws @ bought + draws @ (short * effort(belief, float(beyond))) / told) / each)
    return Outlook(
        tasks=len(decided),
        right=_estimate(right[0]),
        judgments=_estimate(judgments[0]),
        told=_estimate(told),
        points=[
            Point(target=target, right=_estimate(right[n]), judgments=_estimate(judgments[n]))
            for n, target in enumerate(asked, 1)
        ],
        next_point=price_of_point(np.stack(right), np.stack(judgments)),
    )


def resamples(tasks: int, seed: int) -> Floats:
    """How often each task counts: as seen (the first row, ones), then in SAMPLES resamples of stretches."""
    stretches = np.random.default_rng(seed).multinomial(STRETCHES, np.full(STRETCHES, 1 / STRETCHES), SAMPLES)
    return np.vstack([np.ones(tasks), stretches[:, np.arange(tasks) * STRETCHES // tasks]])


def overshoot(decided: Sequence[Decided]) -> float:
    """By how much the log-odds pass the target that they reach, on average; 0 where none was reached."""
    beyond = [
        float(logit(np.array(min(one.belief, MOST_SURE))) - logit(np.array(one.target)))
        for one in decided
        if one.target is not None and one.belief >= one.target
    ]
    return max(float(np.mean(beyond)), 0.0) if beyond else 0.0


def effort(belief: Floats, beyond: float) -> Floats:
    """Expected nats from these beliefs until the log-odds leave (-beyond, beyond): judgments times what one tells."""
    start = np.minimum(logit(belief), beyond)
    gain = 1 - np.exp(-2 * beyond)
    up = (1 - np.exp(-(start + beyond))) / gain  # P(leaves above | the verdict is right)
    down = (1 - np.exp(-(beyond - start))) / gain  # P(leaves below | it is wrong)
    if_right = beyond * (2 * up - 1) - start
    if_wrong = beyond * (2 * down - 1) + start
    return np.asarray(np.maximum(belief * if_right + (1 - belief) * if_wrong, 0.0))


def price_of_point(right: Floats, judgments: Floats) -> Estimate | None:
    """Judgments a task from the first row's quality to a hundredth more, between the rows; each column is a draw."""
    if right[-1, 0] < right[0, 0] + POINT:
        return None
    found = [np.interp(r[0] + POINT, r, j) - j[0] for r, j in zip(right.T, judgments.T, strict=True)]
    return _estimate(np.array(found))


def logit(p: Floats) -> Floats:
    """Log-odds."""
    return np.asarray(np.log(p / (1 - p)))


def expit(x: Floats) -> Floats:
    """Its inverse."""
    return np.asarray(1 / (1 + np.exp(-x)))


def _estimate(values: Floats) -> Estimate:
    """What was seen (the first), with the interval of the resamples."""
    found = percentiles(float(values[0]), values[1:])
    assert found is not None
    return found

"""What is known of an annotator: accuracy, side bias and tie rate, learned one judgment at a time.

The accuracy is a distribution over a few levels, from "always against the truth" to "always right". A judgment is
graded against a distribution q of the truth, which is gold's or the posterior of the *others* on the same task. Under
level α a decisive choice x, with y the other side, has the likelihood

    P(x | α) = α·q_x + (1 - α)·q_y + q_tie/2

whose logarithm is added to the level's sum. This is exact Bayesian filtering of the judge's error rate in the model of
Dawid and Skene (Applied Statistics 28, 1979), on a grid: an unsure q teaches little, a sure one much, and no normal or
Beta approximation is needed, so that somebody who judges *against* the truth is as easily told as a guesser. As sums,
all that was learned can be unlearned exactly, when an agreement is revised or a judgment withdrawn.

The prior is that of a crowd: most are good, some guess, a few are against. `crowd_prior` learns it from a crowd, as
the mean of its members' posteriors (empirical Bayes: Robbins 1956; the EM step of Laird, JASA 73, 1978).

People change, and a sum forgets nobody's good past. The watch for a change (floor.py, sequential.py) has what says that
somebody changed: its Shiryaev-Roberts sums times the rate of changes are the posterior odds of one (Shiryaev, Theory of
Probability and its Applications 8, 1963), against somebody who was at the floor before. `changed` mixes its
alternatives into the belief by these odds. The sums stay what they are, so this unlearns exactly as well.

The side bias comes from all that was picked, graded or not: the sides are shuffled, so somebody without an inclination
picks the left one half of the time. (What is graded is no fair sample: a task that closes at once is never graded.) Old
evidence fades by event time with a half-life.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from math import exp, log, sqrt
from operator import mul

from msgspec.structs import replace

from streams.events import Choice, Reliability, Struct
from streams.quality.floor import WATCH
from streams.quality.intervals import Z95, Estimate, wilson

LEVELS = (0.03, 0.12, 0.22, 0.32, 0.42, 0.5, 0.56, 0.62, 0.68, 0.74, 0.8, 0.86, 0.91, 0.95, 0.98)
PRIOR = (0.004, 0.006, 0.01, 0.01, 0.01, 0.09, 0.04, 0.07, 0.11, 0.14, 0.17, 0.16, 0.1, 0.06, 0.02)  # mean 0.74
CROWD_COUNTS = 10.0  # members that the fixed prior is worth when a crowd's is learned
SIDE_SD = 0.15  # of the prior of a side bias, normal around 0
PRIOR_TIES = 0.75  # Beta prior on the tie rate: mean 0.15, worth five judgments
PRIOR_DECISIVE = 4.25
DAY_MS = 24 * 3_600_000  # evidence ages by the day: within one, nothing has to be computed anew
HALF_LIFE_MS = 60 * DAY_MS  # evidence of two months ago counts half
CHANGES = 0.002  # a judgment: somebody changes once in 500, as far as one knows beforehand
NEVER = 1e-3  # no choice is quite impossible, even beside gold
MOST_SURE = 0.98  # nobody is believed more than this

GOLD: dict[Choice, tuple[float, float, float]] = {"a": (1.0, 0.0, 0.0), "b": (0.0, 1.0, 0.0), "tie": (0.0, 0.0, 1.0)}
EDGES = (0.0, *((low + high) / 2 for low, high in pairwise(LEVELS)), 1.0)  # of the levels' cells
NOTHING = (0.0,) * len(LEVELS)
CHANGED_TO = tuple(min(range(len(LEVELS)), key=lambda at: abs(LEVELS[at] - each)) for each in WATCH)  # levels


class Grades(Struct, frozen=True, kw_only=True, array_like=True):
    """The sums, as of the day that begins at `at` (ms)."""

    levels: tuple[float, ...] = NOTHING  # log-likelihood of each level
    evidence: float = 0.0  # effective number of graded judgments: a sure grade counts one
    on_left: float = 0.0  # picked what stood on the left
    on_right: float = 0.0
    ties: float = 0.0
    at: int = 0


def left(choice: Choice, swapped: bool) -> bool:
    """Whether a decisive choice was for the response shown on the left."""
    return (choice == "a") != swapped


def faded(age_ms: int) -> float:
    """What is left of the weight of evidence of that age."""
    return float(2.0 ** (-age_ms / HALF_LIFE_MS))


def aged(grades: Grades, at: int) -> tuple[Grades, float]:
    """The grades as of the later of both days (ms; 0 unknown), and what a judgment of time `at` weighs then."""
    at -= at % DAY_MS
    now = at if at > grades.at else grades.at
    weight = 1.0 if at in (0, now) else faded(now - at)
    keep = 1.0 if grades.at in (0, now) else faded(now - grades.at)
    if keep == 1.0:
        return grades if grades.at == now else replace(grades, at=now), weight
    return Grades(
        levels=tuple([keep * each for each in grades.levels]),
        evidence=keep * grades.evidence,
        on_left=keep * grades.on_left,
        on_right=keep * grades.on_right,
        ties=keep * grades.ties,
        at=now,
    ), weight


def learn_choice(grades: Grades, at: int, choice: Choice, swapped: bool, sign: int = 1) -> Grades:
    """Adds a judgment to the tie rate and the side bias (or takes it back, with sign -1)."""
    grades, weight = aged(grades, at)
    if choice == "tie":
        return replace(grades, ties=grades.ties + sign * weight)
    if left(choice, swapped):
        return replace(grades, on_left=grades.on_left + sign * weight)
    return replace(grades, on_right=grades.on_right + sign * weight)


def learn_graded(grades: Grades, at: int, choice: Choice, truth: Sequence[float], sign: int = 1) -> Grades:
    """Adds how a judgment compares with a distribution of the truth over (a, b, tie): gold's, or the others' posterior.

    A tie says nothing about accuracy, which is defined on decisive judgments alone. sign -1 takes it back.
    """
    if choice == "tie":
        return grades
    grades, weight = aged(grades, at)
    weight *= sign
    mine, other = (truth[0], truth[1]) if choice == "a" else (truth[1], truth[0])
    gain, base = mine - other, other + truth[2] / 2 + NEVER
    told = [old + weight * log(base + gain * level) for old, level in zip(grades.levels, LEVELS, strict=True)]
    return replace(grades, levels=tuple(told), evidence=grades.evidence + weight * gain * gain)


# ---------------------------------------------------------------- what follows


def belief(grades: Grades, prior: Sequence[float] = PRIOR) -> list[float]:
    """The posterior over LEVELS, summing to 1."""
    most = max(grades.levels)
    raw = [each * exp(told - most) for each, told in zip(prior, grades.levels, strict=True)]
    total = sum(raw)
    return [each / total for each in raw]


def changed(shares: list[float], watched: Sequence[float]) -> list[float]:
    """The belief with what speaks for a change mixed in: `watched` are the watch's sums, one for each of WATCH."""
    if not watched:
        return shares
    odds = [CHANGES * each / len(watched) for each in watched]
    total = 1.0 + sum(odds)
    mixed = [share / total for share in shares]
    for level, each in zip(CHANGED_TO, odds, strict=True):
        mixed[level] += each / total
    return mixed


def crowd_shares(members: Sequence[Grades], rounds: int = 5) -> tuple[float, ...]:
    """The crowd's distribution over LEVELS, rounded, from its members' grades: a few steps of `crowd_prior`."""
    shares: Sequence[float] = PRIOR
    for _ in range(rounds):
        shares = crowd_prior(belief(each, shares) for each in members)
    return tuple(round(share, 4) for share in shares)


def crowd_prior(beliefs: Iterable[Sequence[float]]) -> list[float]:
    """The crowd's distribution over LEVELS, from what is believed of its members and the fixed prior."""
    sums, members = [CROWD_COUNTS * each for each in PRIOR], CROWD_COUNTS
    for one in beliefs:
        sums, members = [old + new for old, new in zip(sums, one, strict=True)], members + 1
    return [each / members for each in sums]


def quantile(below: Sequence[float], share: float) -> float:
    """The accuracy below which that share of the belief lies, from the belief's cumulative sums.

    Each level's weight is spread over its cell.
    """
    at = bisect_left(below, share)
    if at == len(below):
        return 1.0
    before = below[at - 1] if at else 0.0
    inside = (share - before) / max(below[at] - before, 1e-12)
    return EDGES[at] + min(inside, 1.0) * (EDGES[at + 1] - EDGES[at])


def side_bias(grades: Grades, accuracy: float) -> Estimate:
    """P(picks the left one | does not know) - 0.5, in [-0.5, 0.5]; see consensus.py for who knows.

    Somebody who guesses a share g of their judgments picks the left one with probability 1/2 + g·bias. So n picks give
    the bias with variance 1/(4·n·g²), and this is its posterior mean under a normal prior: of somebody who seldom
    guesses, picks tell hardly anything. The interval is the posterior's, with g taken as known.
    """
    on_left, on_right = max(grades.on_left, 0.0), max(grades.on_right, 0.0)
    picks, guesses = on_left + on_right, 1.0 - abs(2.0 * accuracy - 1.0)
    told = 4.0 * SIDE_SD**2 * guesses
    shrink = 1.0 + told * guesses * picks
    bias = min(max(told * (on_left - on_right) / 2.0 / shrink, -0.499), 0.499)
    half = Z95 * SIDE_SD / sqrt(shrink)
    return Estimate(value=bias, low=max(bias - half, -0.5), high=min(bias + half, 0.5))


def tie_rate(grades: Grades) -> Estimate:
    """P(says tie): the mean under a Beta prior, and Wilson's interval of as many judgments."""
    ties = PRIOR_TIES + max(grades.ties, 0.0)
    judgments = ties + PRIOR_DECISIVE + max(grades.on_left + grades.on_right, 0.0)
    low, high = wilson(ties / judgments, judgments)
    return Estimate(value=ties / judgments, low=low, high=high)


def summary(
    grades: Grades, judgments: int, prior: Sequence[float] = PRIOR, watched: Sequence[float] = ()
) -> Reliability:
    """Posterior means with their 95 % intervals; `watched`: see `changed`."""
    weights = changed(belief(grades, prior), watched)
    below = list(accumulate(weights))
    accuracy = min(sum(map(mul, weights, LEVELS)), MOST_SURE)
    side, ties = side_bias(grades, accuracy), tie_rate(grades)
    return Reliability(
        accuracy=round(accuracy, 5),
        accuracy_low=round(min(quantile(below, 0.025), accuracy), 5),
        accuracy_high=round(max(quantile(below, 0.975), accuracy), 5),
        side_bias=round(side.value, 5),
        side_bias_low=round(side.low, 5),
        side_bias_high=round(side.high, 5),
        tie_rate=round(ties.value, 5),
        tie_rate_low=round(ties.low, 5),
        tie_rate_high=round(ties.high, 5),
        judgments=judgments,
        evidence=round(max(grades.evidence, 0.0), 3),
    )

"""What is known of an annotator: accuracy, side bias and tie rate, learned one judgment at a time.

The state is a handful of sums, so that everything learned can be unlearned exactly: from gold, and from the posterior
of the *others* on the same task. That posterior is uncertain, so a plain count of agreements would pull everybody
towards one half. With q the others' posterior, u = q_max - q_min over {a, b}, an annotator of accuracy α agrees
with the others' favourite with probability q_min + q_tie/2 + α·u. Each judgment therefore adds

    right += u·(agrees - q_min - q_tie/2),    evidence += u²

whose ratio is the least-squares estimate of α, unbiased where q is calibrated (Natarajan et al., "Learning with noisy
labels", NeurIPS 2013, method of unbiased estimators). For gold u = 1: a plain count. Priors are Beta distributions
and the same for everybody. Old evidence fades by event time with a half-life.
"""

from __future__ import annotations

from collections.abc import Sequence

from streams.events import Choice, Reliability, Struct
from streams.quality.intervals import wilson

PRIOR_RIGHT = 4.5  # Beta prior on accuracy: mean 0.75, worth six judgments
PRIOR_WRONG = 1.5
PRIOR_SIDE = 4.0  # pseudo-counts on either side: a side bias needs evidence
PRIOR_TIES = 0.75  # Beta prior on the tie rate: mean 0.15, worth five judgments
PRIOR_DECISIVE = 4.25
HALF_LIFE_MS = 60 * 24 * 3_600_000  # evidence of two months ago counts half
LEAST = 0.1  # noise-corrected counts can dip below zero; a Beta parameter cannot
MOST_SURE = 0.98  # nobody is believed more than this, nor less than the opposite

GOLD: dict[Choice, tuple[float, float, float]] = {"a": (1.0, 0.0, 0.0), "b": (0.0, 1.0, 0.0), "tie": (0.0, 0.0, 1.0)}


class Counts(Struct, frozen=True, kw_only=True, array_like=True):
    """The sums, as of time `at` (ms)."""

    right: float = 0.0
    wrong_left: float = 0.0  # wrong, and picked what stood on the left
    wrong_right: float = 0.0
    ties: float = 0.0
    decisive: float = 0.0
    at: int = 0


def left(choice: Choice, swapped: bool) -> bool:
    """Whether a decisive choice was for the response shown on the left."""
    return (choice == "a") != swapped


def learn(
    counts: Counts,
    at: int,
    right: float = 0,
    wrong_left: float = 0,
    wrong_right: float = 0,
    ties: float = 0,
    decisive: float = 0,
) -> Counts:
    """Adds what a judgment of time `at` (ms; 0 unknown) teaches. The same with minus signs takes it back."""
    now = max(counts.at, at)
    keep = 1.0 if counts.at in (0, now) else faded(now - counts.at)
    weight = 1.0 if at in (0, now) else faded(now - at)
    return Counts(
        right=keep * counts.right + weight * right,
        wrong_left=keep * counts.wrong_left + weight * wrong_left,
        wrong_right=keep * counts.wrong_right + weight * wrong_right,
        ties=keep * counts.ties + weight * ties,
        decisive=keep * counts.decisive + weight * decisive,
        at=now,
    )


def faded(age_ms: int) -> float:
    """What is left of the weight of evidence of that age."""
    return float(2.0 ** (-age_ms / HALF_LIFE_MS))


def learn_choice(counts: Counts, at: int, choice: Choice, sign: int = 1) -> Counts:
    """Adds a judgment to the tie rate (or takes it back, with sign -1)."""
    if choice == "tie":
        return learn(counts, at, ties=sign)
    return learn(counts, at, decisive=sign)


def learn_graded(
    counts: Counts, at: int, choice: Choice, swapped: bool, truth: Sequence[float], sign: int = 1
) -> Counts:
    """Adds how a judgment compares with a distribution of the truth over (a, b, tie): gold's, or the others' posterior.

    A tie says nothing about accuracy, which is defined on decisive judgments alone. sign -1 takes it back.
    """
    if choice == "tie":
        return counts
    mine, other = (truth[0], truth[1]) if choice == "a" else (truth[1], truth[0])
    u = abs(mine - other)
    chance = min(mine, other) + truth[2] / 2
    right = sign * u * ((mine >= other) - chance)
    wrong = sign * u * u - right
    if left(choice, swapped):
        return learn(counts, at, right=right, wrong_left=wrong)
    return learn(counts, at, right=right, wrong_right=wrong)


def summary(counts: Counts, judgments: int) -> Reliability:
    """Posterior means, and a 95 % interval of the accuracy (Wilson's, at the posterior's effective count)."""
    evidence = counts.right + counts.wrong_left + counts.wrong_right
    right = max(PRIOR_RIGHT + counts.right, LEAST)
    wrong = max(PRIOR_WRONG + counts.wrong_left + counts.wrong_right, LEAST)
    accuracy = min(max(right / (right + wrong), 1.0 - MOST_SURE), MOST_SURE)
    low, high = wilson(accuracy, right + wrong)
    on_left, on_right = PRIOR_SIDE + counts.wrong_left, PRIOR_SIDE + counts.wrong_right
    on_left, on_right = max(on_left, LEAST), max(on_right, LEAST)
    ties, decisive = PRIOR_TIES + counts.ties, PRIOR_DECISIVE + counts.decisive
    return Reliability(
        accuracy=round(accuracy, 5),
        accuracy_low=round(low, 5),
        accuracy_high=round(high, 5),
        side_bias=round(on_left / (on_left + on_right) - 0.5, 5),
        tie_rate=round(ties / (ties + decisive), 5),
        judgments=judgments,
        evidence=round(max(evidence, 0.0), 3),
    )

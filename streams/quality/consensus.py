"""The posterior over {a, b, tie} of a task from its judgments, each with its annotator's reliability.

An annotator of accuracy α knows the truth with probability k = max(0, 2α - 1) and guesses otherwise: nobody is
believed backwards. A guess is a tie with probability g, else the left response with probability 1/2 + side bias. So

    P(says tie | truth tie)   = k + (1 - k)·g          P(says tie | truth a or b) = (1 - k)·g
    P(says x   | truth x)     = (1 - (1 - k)·g)·(k + (1 - k)·s_x)
    P(says y   | truth x)     = (1 - (1 - k)·g)·(1 - k)·s_y
    P(says x   | truth tie)   = (1 - k)·(1 - g)·s_x

with s the guess's split between the sides. It is the model of MACE (Hovy et al., "Learning whom to trust with MACE",
NAACL 2013) with the guess factored into tie and side, so that α is the accuracy among decisive judgments. g follows
from the annotator's tie rate τ = k·π_tie + (1 - k)·g. The prior of a tie, π_tie, is what the task's own annotators
say on average on other tasks: in a crowd that never says tie there are none to be had.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from streams.events import Choice, Struct

Posterior = tuple[float, float, float]  # over (a, b, tie), sums to 1

LEAST_TIES, MOST_TIES = 0.01, 0.5  # bounds of the prior of a tie
LEAST_GUESS, MOST_GUESS = 0.005, 0.9  # bounds of g
LEAST_ERROR = 0.001  # nothing that was said is impossible
CHOICES: tuple[Choice, Choice, Choice] = ("a", "b", "tie")


class Opinion(Struct, frozen=True, kw_only=True, array_like=True):
    """A judgment as the consensus sees it: the choice, its weight in [0, 1], and what was known of its annotator."""

    choice: Choice
    swapped: bool
    weight: float
    accuracy: float
    side_bias: float
    tie_rate: float


def prior(opinions: Sequence[Opinion]) -> Posterior:
    """The prior of a task: sides are exchangeable, ties as frequent as its annotators use to say."""
    if not opinions:
        return 0.45, 0.45, 0.1
    mean = sum(opinion.tie_rate for opinion in opinions) / len(opinions)
    ties = min(max(mean, LEAST_TIES), MOST_TIES)
    return (1.0 - ties) / 2, (1.0 - ties) / 2, ties


def likelihood(opinion: Opinion, ties: float) -> Posterior:
    """P(what was said | truth) for the truths a, b and tie, tempered by the weight. `ties` is the prior of a tie."""
    known = max(0.0, 2.0 * opinion.accuracy - 1.0)
    unknown = 1.0 - known
    guess = min(max((opinion.tie_rate - known * ties) / unknown, LEAST_GUESS), MOST_GUESS)
    weight = opinion.weight
    if opinion.choice == "tie":
        told: Posterior = (unknown * guess, unknown * guess, known + unknown * guess)
    else:
        bias = opinion.side_bias if (opinion.choice == "a") != opinion.swapped else -opinion.side_bias
        stray = max(unknown * (0.5 + bias), LEAST_ERROR)
        decisive = 1.0 - unknown * guess
        right, wrong, tie = decisive * (known + stray), decisive * stray, (1.0 - guess) * stray
        told = (right, wrong, tie) if opinion.choice == "a" else (wrong, right, tie)
    if weight == 1.0:
        return told
    return told[0] ** weight, told[1] ** weight, told[2] ** weight


def normalised(a: float, b: float, tie: float) -> Posterior:
    """The three numbers scaled to sum to 1."""
    total = a + b + tie
    return a / total, b / total, tie / total


def combine(start: Posterior, likelihoods: Iterable[Posterior]) -> Posterior:
    """Bayes' rule over independent judgments, renormalised as it goes."""
    a, b, tie = start
    for la, lb, lt in likelihoods:
        a, b, tie = normalised(a * la, b * lb, tie * lt)
    return a, b, tie


def posterior(opinions: Sequence[Opinion]) -> Posterior:
    """The posterior from all opinions."""
    start = prior(opinions)
    return combine(start, [likelihood(opinion, start[2]) for opinion in opinions])


def leave_one_out(opinions: Sequence[Opinion]) -> list[Posterior]:
    """For each opinion the posterior from all others, under the task's one prior."""
    start = prior(opinions)
    told = [likelihood(opinion, start[2]) for opinion in opinions]
    a, b, tie = combine(start, told)
    return [normalised(a / la, b / lb, tie / lt) for la, lb, lt in told]


def verdict(belief: Posterior) -> tuple[Choice, float]:
    """The likeliest truth and its probability (a before b before tie where equal)."""
    best = max(belief)
    return CHOICES[belief.index(best)], best

"""The posterior over {a, b, tie} of a task from its judgments, each with its annotator's reliability.

An annotator of accuracy α knows the truth with probability k = |2α - 1| and guesses otherwise. A guess is a tie with
probability g, else the left response with probability 1/2 + side bias. So

    P(says tie | truth tie)   = k + (1 - k)·g          P(says tie | truth a or b) = (1 - k)·g
    P(says x   | truth x)     = (1 - (1 - k)·g)·(k + (1 - k)·s_x)
    P(says y   | truth x)     = (1 - (1 - k)·g)·(1 - k)·s_y
    P(says x   | truth tie)   = (1 - k)·(1 - g)·s_x

with s the guess's split between the sides. Somebody below one half answers against the truth that they know: x and y
change places. (The accuracy is a posterior mean, so it takes much to bring it there.) It is the model of MACE (Hovy et
al., "Learning whom to trust with MACE", NAACL 2013) with the guess factored into tie and side, so that α is the
accuracy among decisive judgments. g follows from the annotator's tie rate τ = k·π_tie + (1 - k)·g. The prior of a tie,
π_tie, is what the task's own annotators say on average on other tasks: in a crowd that never says tie there are none to
be had.

Items differ: one in ten is hard, and there k shrinks for everybody. The posterior is taken over truth and difficulty
together and summed over difficulty. Without that, people who err together on the same hard items would be counted as
independent witnesses, and the posterior would claim more than it holds. (GLAD, Whitehill et al., NeurIPS 2009, has a
continuous difficulty; two kinds are enough to restore calibration, see docs/quality.md, and cost microseconds.)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from streams.events import Choice, Struct

Posterior = tuple[float, float, float]  # over (a, b, tie), sums to 1

Joint = tuple[float, float, float, float, float, float]  # over the same truths, of usual and of hard items

HARD = 0.1  # share of hard items
EASIER, HARDER = 1.078, 0.3  # on a usual item the truth is known this much oftener than on average, on a hard one less
MOST_KNOWN = 0.96
NO_OPINION_TIES = 0.1
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


def prior_of_ties(opinions: Sequence[Opinion]) -> float:
    """How often the task's own annotators use to say tie. The sides are exchangeable and share the rest."""
    if not opinions:
        return NO_OPINION_TIES
    mean = sum([opinion.tie_rate for opinion in opinions]) / len(opinions)
    return min(max(mean, LEAST_TIES), MOST_TIES)


def likelihood(opinion: Opinion, ties: float, known: float) -> Posterior:
    """P(what was said | truth) for the truths a, b and tie of somebody who knows it with probability `known`.

    `ties` is the prior of a tie. The weight tempers: at 0 the judgment says nothing.
    """
    unknown = 1.0 - known
    guess = (opinion.tie_rate - known * ties) / unknown
    guess = LEAST_GUESS if guess < LEAST_GUESS else MOST_GUESS if guess > MOST_GUESS else guess
    weight = opinion.weight
    if opinion.choice == "tie":
        told: Posterior = (unknown * guess, unknown * guess, known + unknown * guess)
    else:
        bias = opinion.side_bias if (opinion.choice == "a") != opinion.swapped else -opinion.side_bias
        stray = unknown * (0.5 + bias)
        stray = stray if stray > LEAST_ERROR else LEAST_ERROR
        decisive = 1.0 - unknown * guess
        right, wrong, tie = decisive * (known + stray), decisive * stray, (1.0 - guess) * stray
        told = (right, wrong, tie) if opinion.choice == "a" else (wrong, right, tie)
    if weight == 1.0:
        return told
    return told[0] ** weight, told[1] ** weight, told[2] ** weight


def both(opinion: Opinion, ties: float) -> Joint:
    """P(what was said | truth, difficulty), the usual items first."""
    known = abs(2.0 * opinion.accuracy - 1.0)
    u, v, w = likelihood(opinion, ties, min(known * EASIER, MOST_KNOWN))
    x, y, z = likelihood(opinion, ties, known * HARDER)
    return (u, v, w, x, y, z) if opinion.accuracy >= 0.5 else (v, u, w, y, x, z)


def combine(ties: float, told: Iterable[Joint]) -> Joint:
    """Bayes' rule over judgments that are independent given truth and difficulty, renormalised as it goes."""
    side = (1.0 - ties) / 2
    p, q = 1.0 - HARD, HARD
    a, b, c, d, e, f = p * side, p * side, p * ties, q * side, q * side, q * ties
    for u, v, w, x, y, z in told:
        a, b, c, d, e, f = a * u, b * v, c * w, d * x, e * y, f * z
        scale = 1.0 / (a + b + c + d + e + f)
        a, b, c, d, e, f = a * scale, b * scale, c * scale, d * scale, e * scale, f * scale
    return a, b, c, d, e, f


def marginal(joint: Joint) -> Posterior:
    """Over the truths alone, summing to 1."""
    a, b, tie = joint[0] + joint[3], joint[1] + joint[4], joint[2] + joint[5]
    total = a + b + tie
    return a / total, b / total, tie / total


def posterior(opinions: Sequence[Opinion]) -> Posterior:
    """The posterior from all opinions."""
    ties = prior_of_ties(opinions)
    return marginal(combine(ties, [both(opinion, ties) for opinion in opinions]))


def leave_one_out(opinions: Sequence[Opinion]) -> list[Posterior]:
    """For each opinion the posterior from all others, under the task's one prior."""
    return all_and_others(opinions)[1]


def all_and_others(opinions: Sequence[Opinion]) -> tuple[Posterior, list[Posterior]]:
    """`posterior` and `leave_one_out` at the price of one."""
    ties = prior_of_ties(opinions)
    told = [both(opinion, ties) for opinion in opinions]
    a, b, c, d, e, f = joint = combine(ties, told)
    others = [marginal((a / u, b / v, c / w, d / x, e / y, f / z)) for u, v, w, x, y, z in told]
    return marginal(joint), others


def verdict(belief: Posterior) -> tuple[Choice, float]:
    """The likeliest truth and its probability (a before b before tie where equal)."""
    best = max(belief)
    return CHOICES[belief.index(best)], best

"""The consensus of a finished set of judgments: what was learned last also counts for the tasks that came first.

Online, a judgment is weighed with what was known at its time. Here everything is looked at together, by expectation
maximisation over arrays. The model is a hierarchical Dawid and Skene (Paun et al., "Comparing Bayesian models of
annotation", TACL 6, 2018) with the symmetry that preferences have: a and b are only names. On an item whose truth is
decisive an annotator says the same, the opposite or tie; on one whose truth is a tie, a side or tie. Each of the two
distributions has a Dirichlet prior around the crowd's own mean, which is learned as well: who judged little is
believed like the crowd.

Items differ: one in five is hard, and there everybody follows one distribution of the crowd that is nearer to chance (a
continuous difficulty is GLAD's, Whitehill et al., NeurIPS 2009). The share is fixed: maximum likelihood sets it to
zero, since trusting people more explains as much, and the posterior then claims too much (see docs/quality.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams.events import Choice, Reliability, Struct
from streams.quality.consensus import CHOICES, Posterior
from streams.quality.intervals import wilson
from streams.quality.reliability import Grades, left, side_bias

Array = NDArray[np.float64]
Index = NDArray[np.int64]

ROUNDS = 40  # more changes no verdict on the sets it was tried on
CROWD = 8.0  # judgments that the crowd's mean is worth for an annotator, on either kind of truth
HARD_SHARE = 0.2  # of items
HARD_EDGE = 0.25  # of what the crowd knows beyond chance, this much is left on a hard item
LEAST = 1e-6  # nothing that was said is impossible
SAME, OPPOSITE, TIE = 0, 1, 2


class Labelled(Struct, frozen=True, kw_only=True):
    """One judgment of the set."""

    item: str
    annotator: str
    choice: Choice
    swapped: bool = False


class Refined(Struct, frozen=True, kw_only=True):
    """The posterior over (a, b, tie) of each item, and what is known of each annotator.

    `said` gives for each annotator what they say on decisive items (same, opposite, tie) and on ties (side, tie);
    under "" what the crowd says on average. `hard` is each item's probability of being hard.
    """

    posteriors: dict[str, Posterior]
    annotators: dict[str, Reliability]
    said: dict[str, tuple[tuple[float, float, float], tuple[float, float]]] = {}
    hard: dict[str, float] = {}


class Model:
    """The parameters, as arrays over annotators: `decisive` (n, 3) and `tied` (n, 2), rows sum to 1."""

    def __init__(self, annotators: int) -> None:
        self.truths: Array = np.array([0.45, 0.45, 0.1])  # shares of a, b and tie
        self.crowd_decisive: Array = np.array([0.7, 0.2, 0.1])
        self.crowd_tied: Array = np.array([0.6, 0.4])
        self.decisive: Array = np.tile(self.crowd_decisive, (annotators, 1))
        self.tied: Array = np.tile(self.crowd_tied, (annotators, 1))

    @property
    def hard_decisive(self) -> Array:
        """What anybody says on a hard decisive item: nearly as often the opposite as the same."""
        same, opposite, tie = self.crowd_decisive
        middle, edge = (same + opposite) / 2, HARD_EDGE * (same - opposite) / 2
        return np.array([middle + edge, middle - edge, tie])


class Judged:
    """The judgments as arrays: items and annotators by number, choices 0, 1, 2 for a, b, tie."""

    def __init__(self, judgments: Sequence[Labelled]) -> None:
        items = {judgment.item: None for judgment in judgments}
        people = {judgment.annotator: None for judgment in judgments}
        self.items, self.annotators = list(items), list(people)
        item_at, person_at = _numbers(self.items), _numbers(self.annotators)
        self.item: Index = np.array([item_at[each.item] for each in judgments], dtype=np.int64)
        self.who: Index = np.array([person_at[each.annotator] for each in judgments], dtype=np.int64)
        self.choice: Index = np.array([CHOICES.index(each.choice) for each in judgments], dtype=np.int64)
        self.side: Index = np.array([_side(each) for each in judgments], dtype=np.int64)  # left, right, tie

    def relation(self, truth: int) -> Index:
        """Of each judgment to a decisive truth: same, opposite or tie."""
        return np.where(self.choice == TIE, TIE, np.where(self.choice == truth, SAME, OPPOSITE))

    def per_item(self, weights: Array) -> Array:
        """The sums of a value of each judgment, by item."""
        return np.bincount(self.item, weights, len(self.items)).astype(np.float64)

    def per_annotator(self, kind: Index, weights: Array, kinds: int) -> Array:
        """The sums of weights by annotator and kind of judgment, (annotators, kinds)."""
        n = len(self.annotators)
        return np.bincount(self.who * kinds + kind, weights, n * kinds).astype(np.float64).reshape(n, kinds)


def _side(judgment: Labelled) -> int:
    if judgment.choice == "tie":
        return TIE
    return 0 if left(judgment.choice, judgment.swapped) else 1


def _numbers(names: Sequence[str]) -> dict[str, int]:
    return {name: number for number, name in enumerate(names)}


def refine(judgments: Sequence[Labelled], rounds: int = ROUNDS) -> Refined:
    """The posteriors of all items and annotators, from all judgments together."""
    judged = Judged(judgments)
    model = Model(len(judged.annotators))
    belief = expect(model, judged)
    for _ in range(rounds):
        maximise(model, judged, belief)
        belief = expect(model, judged)
    return _refined(model, judged, belief)


def told(model: Model, judged: Judged) -> Array:
    """log P(what was said | truth, difficulty) of each judgment, (judgments, 2, 3), usual items first."""
    is_tie = (judged.choice == TIE).astype(np.int64)
    a_side = np.log([2.0, 1.0])  # on a tie, a side is a or b
    decisive, tied = np.log(model.decisive), np.log(model.tied) - a_side
    hard, hard_tied = np.log(model.hard_decisive), np.log(model.crowd_tied) - a_side
    logs = np.empty((len(judged.choice), 2, 3))
    for truth in (0, 1):
        relation = judged.relation(truth)
        logs[:, 0, truth] = decisive[judged.who, relation]
        logs[:, 1, truth] = hard[relation]
    logs[:, 0, TIE], logs[:, 1, TIE] = tied[judged.who, is_tie], hard_tied[is_tie]
    return logs


def expect(model: Model, judged: Judged) -> Array:
    """The E step: P(truth, difficulty) of each item, (items, 2, 3), usual items first."""
    flat = told(model, judged).reshape(-1, 6)
    prior = np.log(model.truths) + np.log([1.0 - HARD_SHARE, HARD_SHARE])[:, None]
    logs = np.column_stack([judged.per_item(flat[:, at]) for at in range(6)]) + prior.reshape(6)
    raw: Array = np.exp(logs - logs.max(axis=1, keepdims=True))
    shares: Array = raw / raw.sum(axis=1, keepdims=True)
    return shares.reshape(-1, 2, 3)


def maximise(model: Model, judged: Judged, belief: Array) -> None:
    """The M step: everybody's distributions around the crowd's mean, the crowd's mean, the shares of truths."""
    usual = belief[:, 0, :][judged.item]
    is_tie = (judged.choice == TIE).astype(np.int64)
    on_a, on_b = (judged.per_annotator(judged.relation(truth), usual[:, truth], 3) for truth in (0, 1))
    decisive = on_a + on_b
    tied = judged.per_annotator(is_tie, usual[:, TIE], 2)
    model.crowd_decisive, model.crowd_tied = _shares(decisive.sum(0) + 1), _shares(tied.sum(0) + 1)
    model.decisive = _shares(decisive + CROWD * model.crowd_decisive)
    model.tied = _shares(tied + CROWD * model.crowd_tied)
    model.truths = _shares(belief.sum(axis=(0, 1)) + 1)


def _shares(sums: Array) -> Array:
    shares: Array = (sums + LEAST) / (sums + LEAST).sum(axis=-1, keepdims=True)
    return shares


def foretell(refined: Refined, item: str, annotator: str) -> Posterior:
    """What this annotator would say on that item, over (a, b, tie): for judgments that were held out.

    An annotator who was never met is taken as the crowd; KeyError where the item was never met.
    """
    (same, opposite, tie), (side, tied) = refined.said.get(annotator, refined.said[""])
    p_a, p_b, p_tie = refined.posteriors[item]
    hard = refined.hard[item]
    mean_same, mean_opposite, mean_tie = refined.said[""][0]
    middle, edge = (mean_same + mean_opposite) / 2, HARD_EDGE * (mean_same - mean_opposite) / 2
    same, opposite = (1 - hard) * same + hard * (middle + edge), (1 - hard) * opposite + hard * (middle - edge)
    tie = (1 - hard) * tie + hard * mean_tie
    says_a = p_a * same + p_b * opposite + p_tie * side / 2
    says_b = p_b * same + p_a * opposite + p_tie * side / 2
    return says_a, says_b, (p_a + p_b) * tie + p_tie * tied


def _refined(model: Model, judged: Judged, belief: Array) -> Refined:
    said = {"": _said(model.crowd_decisive, model.crowd_tied)}
    said |= {who: _said(model.decisive[at], model.tied[at]) for at, who in enumerate(judged.annotators)}
    posteriors = dict(zip(judged.items, map(_posterior, belief.sum(axis=1)), strict=True))
    hard = dict(zip(judged.items, belief[:, 1, :].sum(axis=1).tolist(), strict=True))
    return Refined(
        posteriors=posteriors,
        annotators=_known(model, judged),
        said=said,
        hard=hard,
    )


def _said(decisive: Array, tied: Array) -> tuple[tuple[float, float, float], tuple[float, float]]:
    same, opposite, tie = decisive.tolist()
    side, both = tied.tolist()
    return (same, opposite, tie), (side, both)


def _posterior(row: Any) -> Posterior:
    a, b, tie = row.tolist()
    return a, b, tie


def _known(model: Model, judged: Judged) -> dict[str, Reliability]:
    """Accuracy with Wilson's interval, side bias from what was picked, and tie rate, of everybody."""
    sides = judged.per_annotator(judged.side, np.ones(len(judged.side)), 3)
    found = {}
    for at, who in enumerate(judged.annotators):
        same, opposite, _ = model.decisive[at].tolist()
        on_left, on_right, ties = sides[at].tolist()
        judgments = on_left + on_right + ties
        accuracy = same / (same + opposite)
        low, high = wilson(accuracy, on_left + on_right + CROWD)
        inclined = Grades(on_left=on_left, on_right=on_right)
        found[who] = Reliability(
            accuracy=round(accuracy, 5),
            accuracy_low=round(low, 5),
            accuracy_high=round(high, 5),
            side_bias=round(side_bias(inclined, accuracy), 5),
            tie_rate=round(ties / judgments, 5),
            judgments=round(judgments),
            evidence=round(on_left + on_right, 3),
        )
    return found

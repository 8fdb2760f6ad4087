"""The consensus of a finished set of judgments: what was learned last also counts for the tasks that came first.

Online, a judgment is weighed with what was known at its time. Here everything is looked at together, again and
again, over arrays. The model is a hierarchical Dawid and Skene (Paun et al., "Comparing Bayesian models of
annotation", TACL 6, 2018) with the symmetry that preferences have: a and b are only names. On an item whose truth is
decisive an annotator says the same, the opposite or tie; on one whose truth is a tie, a side or tie. Each of the two
distributions has a Dirichlet prior around the crowd's own mean, which is learned as well: who judged little is
believed like the crowd, and a small crowd like a usual one.

People change, some on purpose. So an annotator's judgments are cut into spans, and one distribution holds for as many
of them as nobody knows better of (changes.py). Somebody who turns against the truth is so believed before and known as
reversed until they turn back, and somebody who never does is judged by all they said.

Nobody confirms themselves: what a judgment is weighed with is learned from all the others, without what this one did to
the counts (collapsed variational Bayes of order zero in the place of expectation maximisation: Asuncion et al., "On
smoothing and inference for topic models", UAI 2009).

Items differ: some are hard, and there everybody follows one distribution of the crowd that is nearer to chance (a
continuous difficulty is GLAD's, Whitehill et al., NeurIPS 2009). Their share cannot be learned from the items that
people are learned from: trusting people more explains those as well, and the likelihood sets it to zero. So it is
cross-validated: what is learned of people on four fifths of the items says how likely all that was said on the last
fifth is, under each of a few shares, and these are averaged by that (pseudo Bayesian model averaging: Geisser and Eddy,
JASA 74, 1979; Yao et al., Bayesian Analysis 13, 2018). What people said on an item counts as a whole, and therefore it
does not matter that a campaign stops asking when it is sure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams.events import Reliability, Struct
from streams.quality.changes import Spans
from streams.quality.consensus import CHOICES, Posterior
from streams.quality.graded import accuracies
from streams.quality.intervals import wilson
from streams.quality.labelled import Labelled
from streams.quality.reliability import Grades, left, side_bias

Array = NDArray[np.float64]
Index = NDArray[np.int64]

ROUNDS = 40  # as many again turn one verdict in 800 at most, on the sets it was tried on
CROWD = 8.0  # judgments that the crowd's mean is worth for an annotator, on either kind of truth
HARD_SHARES = (0.3, 0.2, 0.1, 0.05, 0.01)  # of items: one of these, or between
FOLDS = 5
SHARE_ROUNDS = 10  # for each share, from what the share before came to
MOST_FOR_SHARE = 50_000  # judgments, the newest, that the share of hard items is learned from
HARD_EDGE = 0.25  # of what the crowd knows beyond chance, this much is left on a hard item
LEAST = 1e-6  # nothing that was said is impossible
SAME, OPPOSITE, TIE = 0, 1, 2
TRUTHS: Array = np.array([0.45, 0.45, 0.1])  # shares of a, b and tie in a usual campaign
DECISIVE: Array = np.array([0.7, 0.2, 0.1])  # same, opposite, tie of a usual crowd on a decisive item
TIED: Array = np.array([0.6, 0.4])  # side, tie, where the truth is a tie
USUAL = 20.0  # judgments, and items, that the usual counts for: ten judgments say nothing of a whole crowd


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
    """The parameters: what is said on decisive items (3) and on ties (2).

    `decisive` and `tied` are of spans, as counts of judgments, those that the prior is worth with them; `counted`
    (judgments, 3) is what each judgment gave to them, where the truth is a, b or a tie. `own_decisive` and `own_tied`
    are of annotators over all their time, rows sum to 1.
    """

    def __init__(self, judged: Judged, hard_share: float) -> None:
        self.hard_share = hard_share
        self.truths, self.crowd_decisive, self.crowd_tied = TRUTHS, DECISIVE, TIED
        self.decisive: Array = np.tile(CROWD * self.crowd_decisive, (len(judged.spans.owner), 1))
        self.tied: Array = np.tile(CROWD * self.crowd_tied, (len(judged.spans.owner), 1))
        self.counted: Array = np.zeros((len(judged.choice), 3))
        self.own_decisive: Array = np.tile(self.crowd_decisive, (len(judged.annotators), 1))
        self.own_tied: Array = np.tile(self.crowd_tied, (len(judged.annotators), 1))

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
        self.spans = Spans(self.who)
        self.choice: Index = np.array([CHOICES.index(each.choice) for each in judgments], dtype=np.int64)
        self.weight: Array = np.array([each.weight for each in judgments], dtype=np.float64)
        self.side: Index = np.array([_side(each) for each in judgments], dtype=np.int64)  # left, right, tie

    def relation(self, truth: int) -> Index:
        """Of each judgment to a decisive truth: same, opposite or tie."""
        return np.where(self.choice == TIE, TIE, np.where(self.choice == truth, SAME, OPPOSITE))

    def per_item(self, weights: Array) -> Array:
        """The sums of a value of each judgment, by item."""
        return np.bincount(self.item, weights, len(self.items)).astype(np.float64)

    def per_span(self, kind: Index, weights: Array, kinds: int) -> Array:
        """The sums of weights by span and kind of judgment, (spans, kinds)."""
        n = len(self.spans.owner)
        return np.bincount(self.spans.of * kinds + kind, weights, n * kinds).astype(np.float64).reshape(n, kinds)

    def per_annotator(self, spans: Array) -> Array:
        """Those sums by annotator, (annotators, kinds)."""
        sums: Array = np.add.reduceat(spans, self.spans.first, axis=0)
        return sums


def _side(judgment: Labelled) -> int:
    if judgment.choice == "tie":
        return TIE
    return 0 if left(judgment.choice, judgment.swapped) else 1


def _numbers(names: Sequence[str]) -> dict[str, int]:
    return {name: number for number, name in enumerate(names)}


def refine(judgments: Sequence[Labelled], rounds: int = ROUNDS) -> Refined:
    """The posteriors of all items and annotators, from all judgments together, in the order of their arrival."""
    judged = Judged(judgments)
    model = fit(judged, learned_share(Judged(judgments[-MOST_FOR_SHARE:])), rounds)
    return _refined(model, judged, expect(model, judged))


def fit(judged: Judged, hard_share: float, rounds: int, items: Array | None = None) -> Model:
    """The parameters after so many rounds; `items` (items,) is 1 for those to learn from, and 0 (default: all)."""
    model = Model(judged, hard_share)
    improve(model, judged, rounds, np.ones(len(judged.items)) if items is None else items)
    return model


def improve(model: Model, judged: Judged, rounds: int, items: Array) -> None:
    """So many rounds more."""
    for _ in range(rounds):
        maximise(model, judged, expect(model, judged) * items[:, None, None])


def learned_share(judged: Judged) -> float:
    """The share of hard items that foretells best what is said on items that nobody was judged by."""
    fold = np.arange(len(judged.items)) % FOLDS
    found = np.zeros(len(HARD_SHARES))
    for number in range(FOLDS):
        learned = (fold != number).astype(np.float64)
        model = fit(judged, HARD_SHARES[0], ROUNDS, learned)
        for at, share in enumerate(HARD_SHARES):
            model.hard_share = share
            improve(model, judged, SHARE_ROUNDS, learned)
            found[at] += evidence(model, judged)[fold == number].sum()
    width = np.abs(np.gradient(HARD_SHARES))  # each stands for those around it
    return float(np.average(HARD_SHARES, weights=width * np.exp(found - found.max())))


def told(model: Model, judged: Judged) -> Array:
    """log P(what was said | truth, difficulty) of each judgment, (judgments, 2, 3), usual items first."""
    is_tie = (judged.choice == TIE).astype(np.int64)
    a_side = np.log([2.0, 1.0])[is_tie]  # on a tie, a side is a or b
    hard, hard_tied = np.log(model.hard_decisive), np.log(model.crowd_tied)
    on_a, on_b, on_tie = model.counted.T
    logs = np.empty((len(judged.choice), 2, 3))
    for truth, mine in ((0, on_a), (1, on_b)):
        relation = judged.relation(truth)
        mine = np.where(relation == TIE, on_a + on_b, mine)
        logs[:, 0, truth] = _without(model.decisive, judged.spans.of, relation, mine, on_a + on_b)
        logs[:, 1, truth] = hard[relation]
    logs[:, 0, TIE] = _without(model.tied, judged.spans.of, is_tie, on_tie, on_tie) - a_side
    logs[:, 1, TIE] = hard_tied[is_tie] - a_side
    return logs


def _without(counts: Array, span: Index, kind: Index, mine: Array, all_mine: Array) -> Array:
    """log P(a judgment of that kind) by its span's counts, less what it gave to its kind (`mine`) and to all."""
    left = np.maximum(counts[span, kind] - mine, LEAST)
    logs: Array = np.log(left / (counts.sum(axis=1)[span] - all_mine))
    return logs


def joint(model: Model, judged: Judged) -> Array:
    """log P(truth, difficulty, all that was said on the item), (items, 6), usual items first."""
    flat = told(model, judged).reshape(-1, 6) * judged.weight[:, None]
    difficulty = np.log([1.0 - model.hard_share, model.hard_share])[:, None]
    prior = (np.log(model.truths) + difficulty).reshape(6)
    logs: Array = np.column_stack([judged.per_item(flat[:, at]) for at in range(6)]) + prior
    return logs


def evidence(model: Model, judged: Judged) -> Array:
    """log P(all that was said on the item), (items,)."""
    summed: Array = np.logaddexp.reduce(joint(model, judged), axis=1)
    return summed


def expect(model: Model, judged: Judged) -> Array:
    """The E step: P(truth, difficulty) of each item, (items, 2, 3), usual items first."""
    return _normalised(joint(model, judged))


def others(model: Model, judged: Judged, own: Array) -> Array:
    """The same of each judgment's item by what the others said of it, (judgments, 2, 3); `own`: see `told`."""
    return _normalised(joint(model, judged)[judged.item] - own.reshape(-1, 6) * judged.weight[:, None])


def _normalised(logs: Array) -> Array:
    raw: Array = np.exp(logs - logs.max(axis=1, keepdims=True))
    shares: Array = raw / raw.sum(axis=1, keepdims=True)
    return shares.reshape(-1, 2, 3)


def maximise(model: Model, judged: Judged, belief: Array) -> None:
    """The M step: the counts of spans, around their annotator's and the crowd's, and the shares of truths."""
    model.counted = usual = belief[:, 0, :][judged.item] * judged.weight[:, None]
    is_tie = (judged.choice == TIE).astype(np.int64)
    on_a, on_b = (judged.per_span(judged.relation(truth), usual[:, truth], 3) for truth in (0, 1))
    decisive = on_a + on_b
    tied = judged.per_span(is_tie, usual[:, TIE], 2)
    model.crowd_decisive = _shares(decisive.sum(0) + USUAL * DECISIVE)
    model.crowd_tied = _shares(tied.sum(0) + USUAL * TIED)
    model.decisive, model.own_decisive = _around(judged, decisive, model.crowd_decisive)
    model.tied, model.own_tied = _around(judged, tied, model.crowd_tied)
    model.truths = _shares(belief.sum(axis=(0, 1)) + USUAL * TRUTHS)


def _around(judged: Judged, own: Array, crowd: Array) -> tuple[Array, Array]:
    """The counts that hold for each span, those of the prior with them, and the annotators' means."""
    prior = CROWD * crowd + LEAST
    return judged.spans.held(own, prior) + prior, _shares(judged.per_annotator(own) + CROWD * crowd)


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
    said |= {who: _said(model.own_decisive[at], model.own_tied[at]) for at, who in enumerate(judged.annotators)}
    posteriors = dict(zip(judged.items, map(_posterior, belief.sum(axis=1)), strict=True))
    hard = dict(zip(judged.items, belief[:, 1, :].sum(axis=1).tolist(), strict=True))
    return Refined(
        posteriors=posteriors,
        annotators=_known(model, judged, belief),
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


def _known(model: Model, judged: Judged, belief: Array) -> dict[str, Reliability]:
    """Accuracy, side bias from what was picked, and tie rate of everybody, with intervals."""
    sides = judged.per_annotator(judged.per_span(judged.side, np.ones(len(judged.side)), 3))
    found = {}
    for at, (accuracy, low, high, evidence) in enumerate(_accuracies(model, judged, belief).tolist()):
        on_left, on_right, ties = sides[at].tolist()
        judgments = on_left + on_right + ties
        side = side_bias(Grades(on_left=on_left, on_right=on_right), accuracy)
        fewest_ties, most_ties = wilson(ties / judgments, judgments)
        found[judged.annotators[at]] = Reliability(
            accuracy=round(accuracy, 5),
            accuracy_low=round(low, 5),
            accuracy_high=round(high, 5),
            side_bias=round(side.value, 5),
            side_bias_low=round(side.low, 5),
            side_bias_high=round(side.high, 5),
            tie_rate=round(ties / judgments, 5),
            tie_rate_low=round(fewest_ties, 5),
            tie_rate_high=round(most_ties, 5),
            judgments=round(judgments),
            evidence=round(evidence, 3),
        )
    return found


def _accuracies(model: Model, judged: Judged, belief: Array) -> Array:
    """Accuracy over all their items, its interval's ends, and the evidence behind it, (annotators, 4).

    Graded is what they said on usual items, and hard ones are taken to be answered as the crowd does: the mean moves
    towards that by their share of hard items, and the interval with it, as nobody's own accuracy there is known.
    """
    is_decisive, people = judged.choice != TIE, len(judged.annotators)
    who, choice = judged.who[is_decisive], judged.choice[is_decisive]
    own = told(model, judged)
    belief_of_others, said = others(model, judged, own)[is_decisive], np.exp(own)[is_decisive]
    right, wrong = (belief_of_others[np.arange(len(who)), 0, side] for side in (choice, 1 - choice))
    unsaid = belief_of_others * said
    rest = (unsaid[:, 0, TIE] + unsaid[:, 1].sum(axis=1)) / (1.0 - model.own_decisive[who, TIE])
    crowd, hard = (same / (same + opposite) for same, opposite, _ in (model.crowd_decisive, model.hard_decisive))
    weight, prior = judged.weight[is_decisive], (CROWD * crowd, CROWD * (1.0 - crowd))
    found = accuracies(who, np.column_stack([right, wrong, rest]), weight, prior, people)
    share = np.bincount(judged.who, belief[judged.item, 1].sum(axis=1), people) / np.bincount(judged.who)
    moved = np.clip(found + (share * (hard - found[:, 0]))[:, None], 0.0, 1.0)
    return np.column_stack([moved, np.bincount(who, weight * (right - wrong) ** 2, people)])

"""What holds of an annotator at each time, where they may have changed any number of times.

Everybody's judgments are cut into spans. Between any two spans they may have changed; from one change to the next, a
segment, one distribution over the kinds of judgment holds, which has a Dirichlet prior. Where they changed is not
known, so all segmentations are averaged by how well they explain what was said: a product partition model (Barry and
Hartigan, "A Bayesian analysis for change point problems", JASA 88, 1993). The evidence of a segment is in closed form
(Dirichlet-multinomial), and two recursions over the borders sum over all segmentations (Fearnhead, "Exact and efficient
Bayesian inference for multiple changepoint problems", Statistics and Computing 16, 2006). The work grows with the
square of an annotator's spans, so the busy have longer ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.quality.gamma import log_gamma
from streams.quality.reliability import CHANGES

Array = NDArray[np.float64]
Index = NDArray[np.int64]

SPAN = 25  # judgments, the fewest of a span
MOST_SPANS = 16  # of one annotator
MOST_LIKELY = 0.5  # P(change) at one border, beforehand


class Spans:
    """Everybody's spans, those of an annotator one after the other.

    `of` is the span of each judgment (judgments,), `owner` the annotator of each span, `first` the first span of each
    annotator.
    """

    def __init__(self, who: Index) -> None:
        """`who` gives the annotator of each judgment, 0, 1, ..., in the order of time."""
        given = np.bincount(who)
        length = np.maximum(SPAN, -(-given // MOST_SPANS))
        kinds, of = np.unique(np.stack([who, _places(who) // length[who]]), axis=1, return_inverse=True)
        self.of: Index = of.reshape(-1).astype(np.int64)
        self.owner: Index = kinds[0]
        self.first: Index = np.searchsorted(self.owner, np.arange(len(given)))
        change = np.minimum(CHANGES * length, MOST_LIKELY)
        self._alike = [self._group(people, change) for people in _alike(np.bincount(self.owner))]

    def _group(self, people: Index, change: Array) -> Group:
        """People of about as many spans; who has fewer than the others has some that are none, with nothing in them."""
        numbers = np.bincount(self.owner)[people, None]
        at = np.arange(numbers.max())
        return Group(spans=self.first[people, None] + at, exist=at < numbers, change=change[people, None])

    def held(self, counts: Array, prior: Array) -> Array:
        """The counts that hold for each span, (spans, kinds): of all spans, by the probability of no change between.

        `counts` are the spans' own, (spans, kinds); `prior` the Dirichlet prior's, (kinds,), which are not in the sums.
        """
        held = np.empty_like(counts)
        for group in self._alike:
            own = np.where(group.exist[..., None], counts[np.minimum(group.spans, len(counts) - 1)], 0.0)
            held[group.spans[group.exist]] = averaged(own, prior, group.change)[group.exist]
        return held


@dataclass(frozen=True, kw_only=True)
class Group:
    """Annotators of about as many spans, (people, spans), and P(change) at a border of theirs, (people, 1)."""

    spans: Index
    exist: NDArray[np.bool_]
    change: Array


def _places(who: Index) -> Index:
    """How many of the same annotator's judgments came before each."""
    order = np.argsort(who, kind="stable")
    first = np.searchsorted(who[order], who[order])
    places = np.empty_like(who)
    places[order] = np.arange(len(who)) - first
    return places


def _alike(numbers: Index) -> list[Index]:
    """People by their number of spans: 1, 2, up to 4, up to 8, ..."""
    size = np.ceil(np.log2(numbers)).astype(np.int64)
    return [np.flatnonzero(size == each) for each in np.unique(size)]


def averaged(counts: Array, prior: Array, change: Array) -> Array:
    """The counts that hold for each span of each person, (people, spans, kinds), over all segmentations."""
    spans = np.arange(counts.shape[1])
    begin, end = np.triu_indices(len(spans) + 1, 1)  # of all segments: borders, 0 before the first span
    covers = ((begin[:, None] <= spans) & (spans < end[:, None])).astype(np.float64)  # (segments, spans)
    sums: Array = covers @ counts
    held: Array = covers.T @ (segments(evidence(sums, prior), change, begin, end)[..., None] * sums)
    return held


def segments(logs: Array, change: Array, begin: Index, end: Index) -> Array:
    """P(the segment is one: change, none, change), (people, segments), from the log evidence of each."""
    logs = logs + (end - begin - 1) * np.log1p(-change) + (begin > 0) * np.log(change)
    last = int(end.max())
    of = np.full((len(logs), last + 1, last + 1), -np.inf)
    of[:, begin, end] = logs
    until, after = np.zeros((2, len(logs), last + 1))
    for border in range(1, last + 1):
        until[:, border] = np.logaddexp.reduce(until[:, :border] + of[:, :border, border], axis=1)
    for border in reversed(range(last)):
        after[:, border] = np.logaddexp.reduce(of[:, border, border + 1 :] + after[:, border + 1 :], axis=1)
    shares: Array = np.exp(until[:, begin] + logs + after[:, end] - until[:, -1:])
    return shares


def evidence(sums: Array, prior: Array) -> Array:
    """log P(what was said), where one distribution with that Dirichlet prior holds; `sums` has the kinds last."""
    found: Array = _log_beta(sums + prior) - _log_beta(prior)
    return found


def _log_beta(counts: Array) -> Array:
    found: Array = log_gamma(counts).sum(axis=-1) - log_gamma(counts.sum(axis=-1))
    return found

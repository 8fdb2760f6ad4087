"""Davidson's model of ties with annotators who differ: what the consensus is compared with where ties are many.

Davidson (JASA 65, 1970): responses whose worths differ by d on the log scale are judged

    P(a) : P(tie) : P(b)  =  exp(d/2) : ν : exp(-d/2)

Here an item has a difference d out of a few, an annotator sees β·d and has a ν of their own, each out of a few. The
shares of d (the sides are exchangeable) and of the kinds (β, ν) are learned with the rest, by coordinate ascent on the
variational bound (mean field: Blei, Kucukelbir and McAuliffe, JASA 112, 2017).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from streams.quality.consensus import Posterior
from streams.quality.labelled import Labelled
from streams.quality.refinement import Judged

Array = NDArray[np.float64]

DIFFERENCES = np.linspace(-6.0, 6.0, 25)  # of log worth
SHARPNESS = (0.0, 0.25, 0.5, 1.0, 1.6)  # β: 0 guesses
TIES = (0.01, 0.1, 0.3, 0.7, 1.5, 4.0)  # ν: at 2 a tie is as likely as a side where d is 0
KINDS = tuple(product(SHARPNESS, TIES))
ROUNDS = 40


def chances(difference: Array, sharpness: float, ties: float) -> Array:
    """P(a, b, tie) at each difference, (differences, 3)."""
    edge = sharpness * difference / 2
    raw = np.stack([np.exp(edge), np.exp(-edge), np.full_like(edge, ties)], axis=-1)
    shares: Array = raw / raw.sum(axis=-1, keepdims=True)
    return shares


class Davidson:
    """Fitted to judgments. `items` (items, differences) and `people` (annotators, kinds) are beliefs, rows sum to 1."""

    def __init__(self, judgments: Sequence[Labelled], rounds: int = ROUNDS) -> None:
        judged = Judged(judgments)
        self.item_at = {item: at for at, item in enumerate(judged.items)}
        self.person_at = {who: at for at, who in enumerate(judged.annotators)}
        self.table: Array = np.stack([chances(DIFFERENCES, *kind) for kind in KINDS])  # (kinds, differences, 3)
        self.items: Array = np.full((len(judged.items), len(DIFFERENCES)), 1 / len(DIFFERENCES))
        self.people: Array = np.full((len(judged.annotators), len(KINDS)), 1 / len(KINDS))
        self.differences, self.kinds = self.items[0], self.people[0]
        logs: Array = np.log(self.table).transpose(2, 0, 1)  # (choices, kinds, differences)
        for _ in range(rounds):
            said = by_choice(judged.choice, self.people[judged.who], logs)
            self.items = beliefs(summed(judged.item, said, len(self.items)), self.differences)
            heard = by_choice(judged.choice, self.items[judged.item], logs.transpose(0, 2, 1))
            self.people = beliefs(summed(judged.who, heard, len(self.people)), self.kinds)
            both = self.items.mean(axis=0)
            self.differences, self.kinds = (both + both[::-1]) / 2, self.people.mean(axis=0)

    def foretell(self, item: str, annotator: str) -> Posterior:
        """What this annotator would say on that item, over (a, b, tie); a stranger is one of the crowd."""
        at = self.person_at.get(annotator)
        kinds = self.kinds if at is None else self.people[at]
        a, b, tie = np.einsum("k,d,kdc->c", kinds, self.items[self.item_at[item]], self.table).tolist()
        return a, b, tie


def by_choice(choice: NDArray[np.int64], rows: Array, logs: Array) -> Array:
    """Each judgment's row of beliefs times the table of what it said, (judgments, columns of the tables)."""
    found = np.empty((len(rows), logs.shape[2]))
    for number, table in enumerate(logs):
        found[choice == number] = rows[choice == number] @ table
    return found


def summed(at: NDArray[np.int64], rows: Array, n: int) -> Array:
    """The sums of rows by number."""
    sums = np.zeros((n, rows.shape[1]))
    np.add.at(sums, at, rows)
    return sums


def beliefs(logs: Array, prior: Array) -> Array:
    """Rows of log-likelihoods and a prior as distributions."""
    logs = logs + np.log(prior + 1e-9)
    raw = np.exp(logs - logs.max(axis=1, keepdims=True))
    shares: Array = raw / raw.sum(axis=1, keepdims=True)
    return shares

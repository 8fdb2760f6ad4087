"""Judgments as arrays, and every pair of judgments on the same item: what agreement is made of."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
MOST_PAIRED = 40  # judgments of one item that are paired with each other; more say nothing new


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Pairs of judgments on one item, all arrays one entry a pair.

    An item with n judgments has n(n - 1)/2 pairs of weight 1/(n - 1): n/2 in all, so that every judgment counts alike.
    """

    items: int
    annotators: int
    item: Ints
    one: Ints  # annotator
    other: Ints
    first: Ints  # row of the judgment
    second: Ints
    same: Floats  # 1 where both say the same, else 0
    weight: Floats


def numbered(names: Iterable[Hashable]) -> tuple[Ints, list[Hashable]]:
    """Names as numbers from 0, in the order of their first appearance, and the names by number."""
    known: dict[Hashable, int] = {}
    numbers = [known.setdefault(name, len(known)) for name in names]
    return np.array(numbers, dtype=np.int64), list(known)


def pairs_of(item: Ints, annotator: Ints, label: Ints) -> Pairs:
    """All pairs; rows must hold one judgment an annotator and item (`newest` of a file with revisions)."""
    order = np.argsort(item, kind="stable")
    sorted_items = item[order]
    sizes = np.bincount(item, minlength=int(item.max()) + 1 if len(item) else 0)
    starts = np.cumsum(sizes) - sizes
    place = np.arange(len(item)) - starts[sorted_items]
    first, second = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for step in range(1, min(int(sizes.max(initial=0)), MOST_PAIRED)):
        at = np.flatnonzero(place + step < np.minimum(sizes[sorted_items], MOST_PAIRED))
        first.append(order[at])
        second.append(order[at + step])
    one, other = np.concatenate(first), np.concatenate(second)
    judged = np.minimum(sizes[item[one]], MOST_PAIRED)
    return Pairs(
        items=len(sizes),
        annotators=int(annotator.max()) + 1 if len(annotator) else 0,
        item=item[one],
        one=annotator[one],
        other=annotator[other],
        first=one,
        second=other,
        same=(label[one] == label[other]).astype(float),
        weight=1.0 / np.maximum(judged - 1, 1),
    )


def summed(of: Ints, weights: Floats, size: int) -> Floats:
    """The sum of `weights` for each number from 0 to size - 1."""
    return np.bincount(of, weights=weights, minlength=size).astype(np.float64)


def newest(item: Ints, annotator: Ints) -> Ints:
    """Rows of the last judgment of each annotator on each item, in the rows' order."""
    last = {key: row for row, key in enumerate(zip(item.tolist(), annotator.tolist(), strict=True))}
    return np.array(sorted(last.values()), dtype=np.int64)

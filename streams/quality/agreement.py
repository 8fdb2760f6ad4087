"""How far annotators agree, beyond chance, each figure with a bootstrap interval.

All functions take rows `(item, annotator, label)` in any order; an annotator's later label on an item takes the place
of the earlier one. Where nothing can be said (nobody overlaps, or there is one label only) they give None.

Whole items are resampled, 400 times, from a fixed seed. All items whose labels are counted alike are one *kind*, and
there are few kinds, so a resample is one draw of a multinomial and all resamples are computed together. That people
differ from each other is not in these intervals: they hold for this crowd on other items.

Sources: Krippendorff, "Content Analysis" (2013), chapter 12; Cohen, "A coefficient of agreement for nominal scales"
(1960); Fleiss, "Measuring nominal scale agreement among many raters" (1971); Efron and Tibshirani, "An Introduction to
the Bootstrap" (1993), chapter 13.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from streams.quality.bootstrap import percentiles
from streams.quality.intervals import Estimate

Row = tuple[Hashable, Hashable, str]
Level = Literal["nominal", "ordinal"]
Floats = NDArray[np.float64]
ORDER = ("a", "tie", "b")  # a tie stands between the sides
SAMPLES = 400


@dataclass(frozen=True)
class Kinds:
    """Items with at least two labels. `counts[k, l]`: how often kind k has label l; `items[k]`: items of that kind."""

    labels: tuple[str, ...]
    counts: Floats
    items: Floats

    def resampled(self, samples: int = SAMPLES, seed: int = 0) -> Floats:
        """`items` of `samples` bootstraps, one a row."""
        total = int(self.items.sum())
        return np.random.default_rng(seed).multinomial(total, self.items / max(total, 1), samples).astype(float)


def units(rows: Iterable[Row]) -> list[Counter[str]]:
    """The labels of each item, counted."""
    newest: dict[Hashable, dict[Hashable, str]] = defaultdict(dict)
    for item, annotator, label in rows:
        newest[item][annotator] = label
    return [Counter(labels.values()) for labels in newest.values()]


def kinds_of(counted: Iterable[Mapping[str, int]], order: Sequence[str] = ORDER) -> Kinds:
    """The kinds of these items; labels stand in `order`, others after them by name."""
    alike = Counter(tuple(sorted(unit.items())) for unit in counted if sum(unit.values()) > 1)
    return kinds_counted(alike, order)


def kinds_counted(alike: Mapping[tuple[tuple[str, int], ...], int], order: Sequence[str] = ORDER) -> Kinds:
    """The same of kinds that are counted already: ((label, count), ...) -> items."""
    alike = {kind: items for kind, items in alike.items() if sum(count for _, count in kind) > 1}
    seen = {label for kind in alike for label, _ in kind}
    labels = (*(label for label in order if label in seen), *sorted(seen - set(order)))
    counts = np.zeros((len(alike), len(labels)))
    for row, kind in enumerate(alike):
        for label, count in kind:
            counts[row, labels.index(label)] = count
    return Kinds(labels, counts, np.array(list(alike.values()), dtype=float))


# ---------------------------------------------------------------- the coefficients, of many resamples at once


def alphas(kinds: Kinds, items: Floats, level: Level = "nominal") -> Floats:
    """Krippendorff's alpha for each row of `items` (n × kinds); NaN where there is one label only."""
    if not kinds.counts.size:
        return np.full(len(items), np.nan)
    sizes = kinds.counts.sum(axis=1)
    totals = items @ kinds.counts
    observed, expected = np.zeros(len(items)), np.zeros(len(items))
    for x, y in combinations(range(len(kinds.labels)), 2):
        distance = _distance(totals, x, y, level)
        observed += distance * (items @ (kinds.counts[:, x] * kinds.counts[:, y] / (sizes - 1)))
        expected += distance * totals[:, x] * totals[:, y]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(expected > 0, 1.0 - (totals.sum(axis=1) - 1) * observed / expected, np.nan)


def _distance(totals: Floats, x: int, y: int, level: Level) -> Floats:
    """The squared difference of two labels, for each resample."""
    if level == "nominal":
        return np.ones(len(totals))
    between: Floats = totals[:, x : y + 1].sum(axis=1) - (totals[:, x] + totals[:, y]) / 2
    return between**2


def fleiss_kappas(kinds: Kinds, items: Floats) -> Floats:
    """Fleiss' kappa for each row of `items`; where the number of labels differs, items count alike."""
    if not kinds.counts.size:
        return np.full(len(items), np.nan)
    totals = items @ kinds.counts
    chance = ((totals / totals.sum(axis=1, keepdims=True)) ** 2).sum(axis=1)
    seen = items @ _same(kinds) / items.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(chance < 1, (seen - chance) / (1 - chance), np.nan)


def percents(kinds: Kinds, items: Floats) -> Floats:
    """Share of pairs of judgments on the same item that say the same, every judgment counted once.

    That is the observed agreement inside alpha. Were every pair counted once, the items that needed many judgments
    (n of them make n·(n - 1)/2 pairs), which are those that people disagree on, would outweigh all others.
    """
    sizes = kinds.counts.sum(axis=1)
    with np.errstate(invalid="ignore"):
        return np.asarray((items @ (sizes * _same(kinds))) / (items @ sizes))


def _same(kinds: Kinds) -> Floats:
    """The share of pairs of judgments that say the same, of each kind."""
    sizes = kinds.counts.sum(axis=1)
    same: Floats = (kinds.counts * (kinds.counts - 1)).sum(axis=1) / (sizes * (sizes - 1))
    return same


# ---------------------------------------------------------------- of one set of rows


def krippendorff_alpha(rows: Iterable[Row], level: Level = "nominal", order: Sequence[str] = ORDER) -> float | None:
    """Krippendorff's alpha; for any number of annotators, with gaps. `order` ranks the labels of the ordinal one."""
    kinds = kinds_of(units(rows), order)
    return _only(alphas(kinds, kinds.items[None, :], level))


def fleiss_kappa(rows: Iterable[Row]) -> float | None:
    """Fleiss' kappa. Items with one label are left out."""
    kinds = kinds_of(units(rows))
    return _only(fleiss_kappas(kinds, kinds.items[None, :]))


def percent(rows: Iterable[Row]) -> float | None:
    """Share of pairs of judgments on the same item that say the same, in [0, 1]; see `percents`."""
    kinds = kinds_of(units(rows))
    return _only(percents(kinds, kinds.items[None, :]))


def _only(values: Floats) -> float | None:
    return float(values[0]) if np.isfinite(values[0]) else None


@dataclass(frozen=True, kw_only=True)
class Agreed:
    """Agreement of one set of judgments, each figure with its interval."""

    alpha: Estimate | None  # Krippendorff's, nominal
    alpha_ordinal: Estimate | None  # a tie between the sides
    fleiss: Estimate | None
    percent: Estimate | None
    items: int  # with at least two judgments


def agreed(rows: Iterable[Row], samples: int = SAMPLES, seed: int = 0) -> Agreed:
    """All figures, over the same resamples."""
    return agreed_of(kinds_of(units(rows)), samples, seed)


def agreed_of(kinds: Kinds, samples: int = SAMPLES, seed: int = 0) -> Agreed:
    """The same of kinds."""
    # The first row is what was seen, the others are resamples.
    items = np.vstack([kinds.items, kinds.resampled(samples, seed)]) if len(kinds.items) else np.zeros((1, 0))
    nominal, ordinal = alphas(kinds, items), alphas(kinds, items, "ordinal")
    fleiss, same = fleiss_kappas(kinds, items), percents(kinds, items)
    found = [percentiles(float(values[0]), values[1:]) for values in (nominal, ordinal, fleiss, same)]
    return Agreed(
        alpha=found[0], alpha_ordinal=found[1], fleiss=found[2], percent=found[3], items=int(kinds.items.sum())
    )


# ---------------------------------------------------------------- Cohen: two annotators at a time


def cohen_kappa(rows: Iterable[Row], one: Hashable, other: Hashable) -> float | None:
    """Cohen's kappa of two annotators, over the items that both judged."""
    found = mean_cohen([row for row in rows if row[1] in (one, other)], least=1, samples=0)
    return found[0].value if found else None


def mean_cohen(
    rows: Iterable[Row], least: int = 10, samples: int = SAMPLES, seed: int = 0
) -> tuple[Estimate, int] | None:
    """Mean of Cohen's kappa over the pairs of annotators with at least `least` items in common, and how many pairs.

    The interval resamples items, each with all pairs that judged it. A pair whose two people used one label
    only, the same, has no kappa and is left out.
    """
    entries = _pair_cells(rows, least)
    if entries is None:
        return None
    item, cell, labels = entries
    items, pairs = int(item.max()) + 1, int(cell.max()) // (labels * labels) + 1
    draw = np.random.default_rng(seed)
    size = pairs * labels * labels
    values = [_mean_kappa(np.bincount(cell, minlength=size), labels)]
    for _ in range(samples):
        times = np.bincount(draw.integers(items, size=items), minlength=items)
        values.append(_mean_kappa(np.bincount(cell, weights=times[item], minlength=size), labels))
    value = values[0]
    if not np.isfinite(value):
        return None
    return percentiles(value, values[1:]) or Estimate(value=value, low=value, high=value), pairs


def _pair_cells(rows: Iterable[Row], least: int) -> tuple[NDArray[np.int64], NDArray[np.int64], int] | None:
    """For each item and pair of its annotators: the item, and the cell of the pair's table of labels."""
    by_item: dict[Hashable, dict[Hashable, str]] = defaultdict(dict)
    for item, annotator, label in rows:
        by_item[item][annotator] = label
    together: dict[tuple[Hashable, Hashable], list[tuple[int, str, str]]] = defaultdict(list)
    for number, judged in enumerate(by_item.values()):
        for one, other in combinations(sorted(judged, key=str), 2):
            together[one, other].append((number, judged[one], judged[other]))
    kept = [cells for cells in together.values() if len(cells) >= least]
    if not kept:
        return None
    names = {label: n for n, label in enumerate(sorted({x for cells in kept for _, *xs in cells for x in xs}))}
    size = len(names)
    flat = [(n, (p * size + names[x]) * size + names[y]) for p, cells in enumerate(kept) for n, x, y in cells]
    found = np.array(flat, dtype=np.int64)
    _, numbered = np.unique(found[:, 0], return_inverse=True)
    return numbered, found[:, 1], size


def _mean_kappa(counted: NDArray[np.int64] | Floats, labels: int) -> float:
    """Over tables that have a kappa; NaN without any."""
    tables = counted.reshape(-1, labels, labels).astype(float)
    n = tables.sum(axis=(1, 2))
    tables = tables[n > 0] / n[n > 0, None, None]
    chance = (tables.sum(axis=1) * tables.sum(axis=2)).sum(axis=1)
    seen = np.trace(tables, axis1=1, axis2=2)
    defined = chance < 1 - 1e-12
    return float(np.mean((seen - chance)[defined] / (1 - chance[defined]))) if defined.any() else float("nan")

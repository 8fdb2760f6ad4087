"""How far annotators agree, beyond chance.

All functions take rows `(item, annotator, label)` in any order; an annotator's later label on an item takes the place
of the earlier one. Where nothing can be said (nobody overlaps, or there is one label only) they give None.

Sources: Krippendorff, "Content Analysis" (2013), chapter 12; Cohen, "A coefficient of agreement for nominal scales"
(1960); Fleiss, "Measuring nominal scale agreement among many raters" (1971).
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import combinations
from typing import Literal

Row = tuple[Hashable, Hashable, str]
Units = list[Counter[str]]  # of each item, how often each label was given
Level = Literal["nominal", "ordinal"]
ORDER = ("a", "tie", "b")  # a tie stands between the sides


def units(rows: Iterable[Row]) -> Units:
    """The labels of each item, counted."""
    newest: dict[Hashable, dict[Hashable, str]] = defaultdict(dict)
    for item, annotator, label in rows:
        newest[item][annotator] = label
    return [Counter(labels.values()) for labels in newest.values()]


def percent(rows: Iterable[Row]) -> float | None:
    """Share of pairs of judgments on the same item that say the same, every pair counted once, in [0, 1]."""
    same = pairs = 0
    for unit in units(rows):
        n = unit.total()
        same += sum(count * (count - 1) for count in unit.values())
        pairs += n * (n - 1)
    return same / pairs if pairs else None


def krippendorff_alpha(rows: Iterable[Row], level: Level = "nominal", order: Sequence[str] = ORDER) -> float | None:
    """Krippendorff's alpha; for any number of annotators, with gaps. `order` ranks the labels of the ordinal one."""
    return alpha_of(units(rows), level, order)


def alpha_of(
    counted: Sequence[Counter[str]], level: Level, order: Sequence[str], times: Sequence[int] = ()
) -> float | None:
    """1 - observed/expected disagreement of items whose labels are counted, the i-th being there `times[i]` times."""
    pairable = [(unit, n) for unit, n in zip(counted, times or [1] * len(counted), strict=True) if unit.total() > 1]
    totals: Counter[str] = Counter()
    for unit, times_there in pairable:
        totals.update({label: times_there * labels for label, labels in unit.items()})
    n = totals.total()
    distance = distances(totals, level, order)
    expected = sum(d * totals[x] * totals[y] for (x, y), d in distance.items())
    if not expected:
        return None
    observed = sum(
        times_there * sum(d * unit[x] * unit[y] for (x, y), d in distance.items()) / (unit.total() - 1)
        for unit, times_there in pairable
    )
    return 1.0 - (n - 1) * observed / expected


def distances(totals: Mapping[str, int], level: Level, order: Sequence[str]) -> dict[tuple[str, str], float]:
    """The squared difference of each unordered pair of labels that occur."""
    if level == "nominal":
        return dict.fromkeys(combinations(sorted(totals), 2), 1.0)
    ranked = [label for label in order if label in totals]
    return {
        (ranked[i], ranked[j]): (
            sum(totals[label] for label in ranked[i : j + 1]) - (totals[ranked[i]] + totals[ranked[j]]) / 2
        )
        ** 2
        for i, j in combinations(range(len(ranked)), 2)
    }


def alpha_interval(
    rows: Iterable[Row], level: Level = "nominal", samples: int = 400, seed: int = 0
) -> tuple[float, float] | None:
    """A 95 % interval of alpha: percentiles over `samples` bootstraps of whole items (deterministic)."""
    alike = Counter(tuple(sorted(unit.items())) for unit in units(rows) if unit.total() > 1)
    kinds = [Counter(dict(kind)) for kind in alike]  # few, however many items there are
    draw = random.Random(seed)
    found = []
    for _ in range(samples if kinds else 0):
        drawn = Counter(draw.choices(range(len(kinds)), weights=list(alike.values()), k=alike.total()))
        alpha = alpha_of(kinds, level, ORDER, [drawn[i] for i in range(len(kinds))])
        if alpha is not None:
            found.append(alpha)
    found.sort()
    if not found:
        return None
    return found[int(0.025 * len(found))], found[min(int(0.975 * len(found)), len(found) - 1)]


def cohen_kappa(rows: Iterable[Row], one: Hashable, other: Hashable) -> float | None:
    """Cohen's kappa of two annotators, over the items that both judged."""
    mine: dict[Hashable, str] = {}
    theirs: dict[Hashable, str] = {}
    for item, annotator, label in rows:
        if annotator == one:
            mine[item] = label
        elif annotator == other:
            theirs[item] = label
    return kappa_of([(label, theirs[item]) for item, label in mine.items() if item in theirs])


def kappa_of(pairs: Sequence[tuple[str, str]]) -> float | None:
    """Cohen's kappa of pairs of labels."""
    if not pairs:
        return None
    n = len(pairs)
    left, right = Counter(x for x, _ in pairs), Counter(y for _, y in pairs)
    chance = sum(left[label] * right[label] for label in left) / (n * n)
    return None if chance == 1 else (sum(x == y for x, y in pairs) / n - chance) / (1 - chance)


def mean_cohen_kappa(rows: Iterable[Row], least: int = 10) -> tuple[float, int] | None:
    """Mean of Cohen's kappa over the pairs of annotators with at least `least` items in common, and how many pairs."""
    together: dict[tuple[Hashable, Hashable], list[tuple[str, str]]] = defaultdict(list)
    by_item: dict[Hashable, dict[Hashable, str]] = defaultdict(dict)
    for item, annotator, label in rows:
        by_item[item][annotator] = label
    for labels in by_item.values():
        for one, other in combinations(sorted(labels, key=str), 2):
            together[one, other].append((labels[one], labels[other]))
    kappas = [kappa for pairs in together.values() if len(pairs) >= least and (kappa := kappa_of(pairs)) is not None]
    return (sum(kappas) / len(kappas), len(kappas)) if kappas else None


def fleiss_kappa(rows: Iterable[Row]) -> float | None:
    """Fleiss' kappa. Items with one label are left out; where the number of labels differs, items count alike."""
    counted = [unit for unit in units(rows) if unit.total() > 1]
    if not counted:
        return None
    shares: Counter[str] = Counter()
    for unit in counted:
        shares.update(unit)
    total = shares.total()
    chance = sum((count / total) ** 2 for count in shares.values())
    seen = [
        sum(count * (count - 1) for count in unit.values()) / (unit.total() * (unit.total() - 1)) for unit in counted
    ]
    return None if chance == 1 else (sum(seen) / len(seen) - chance) / (1 - chance)

"""Biases of the data: what sways choices beside what the responses say.

Length, the side of the screen, markdown, the model's identity and the place in a session. Each is shown by itself, and
those that can hide behind each other (long answers have more markdown, and come from some models) together, in one
regression. Judgments on one item are not independent: errors are those of items, not of judgments.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import erfc, sqrt

import numpy as np

from streams.events import Choice, Struct
from streams.quality import logistic
from streams.quality.compared import Compared
from streams.quality.intervals import Estimate, normal, wilson
from streams.quality.pairs import Floats, numbered
from streams.quality.reliability import left

EDGES = (25, 50, 100, 200, 400, 800)  # characters; bins of the length difference
TYPICAL = {"length": 200, "markdown": 4}  # characters, marks: the differences that effects are told for
GRID = (0, 25, 50, 100, 150, 200, 300, 400, 600, 800, 1200, 1600)  # characters; of the fitted curve, as far as was seen
LONG = 1000.0  # characters: see `both_bends`
SCALE = 100.0  # characters: what is longer by less counts nearly in proportion, more only by its logarithm
LEAST = 20  # judgments without which nothing is fitted
MOST_MODELS = 100
RIDGE = 0.5  # on strengths of models and bends of the curve: half a judgment against each


class Rate(Struct, frozen=True, kw_only=True):
    """A share of n with its 95 % interval (Wilson); None without anything to count."""

    rate: float | None
    low: float
    high: float
    n: int


class CurvePoint(Struct, frozen=True, kw_only=True):
    """Share of the longer one's wins among the pairs whose difference in length (characters) lies in a bin."""

    difference: float  # mean of the bin
    rate: float
    low: float
    high: float
    pairs: int


class TTest(Struct, frozen=True, kw_only=True):
    """Student's t-test of one mean difference against zero, over items."""

    mean: Estimate  # chosen less rejected
    t: float
    items: int
    p: float  # two-sided


class FittedPoint(Struct, frozen=True, kw_only=True):
    """The fitted chance that the response longer by `difference` characters wins, with its 95 % band."""

    difference: float
    rate: float
    low: float
    high: float


class Effect(Struct, frozen=True, kw_only=True):
    """How often the response that has more of something wins, all else alike; one half is no effect."""

    name: str  # "longer by 200 characters", "on the left", ...
    wins: Estimate


class ModelShare(Struct, frozen=True, kw_only=True):
    """How often a model's response wins against the average model, at equal length and markdown."""

    model: str
    wins: Estimate
    judgments: int


def rate_of(hits: int, n: int) -> Rate:
    """hits of n."""
    low, high = wilson(hits / n if n else 0.0, n)
    return Rate(rate=hits / n if n else None, low=low, high=high, n=n)


# ---------------------------------------------------------------- one by one


def longer_wins(rows: Iterable[tuple[int, int, Choice]]) -> Rate:
    """How often the longer response wins; rows of (length of a, of b, choice). Ties and equal lengths are out.

    The same counts whatever else there is a number of: markdown, links.
    """
    wins = [(a > b) == (choice == "a") for a, b, choice in rows if choice != "tie" and a != b]
    return rate_of(sum(wins), len(wins))


def length_curve(rows: Iterable[tuple[int, int, Choice]]) -> list[CurvePoint]:
    """The longer one's win rate by how much longer it is, as `longer_wins` counts. One half: length plays no part.

    Told of the longer one and not of a: where a producer always sends its newer model second, a loses at any length.
    """
    bins: dict[int, list[tuple[int, bool]]] = {}
    for a, b, choice in rows:
        if choice != "tie" and a != b:
            bins.setdefault(bin_of(abs(a - b)), []).append((abs(a - b), (a > b) == (choice == "a")))
    return [point_of(found) for _, found in sorted(bins.items())]


def bin_of(difference: int) -> int:
    """0 for the least differences."""
    return sum(difference >= edge for edge in EDGES)


def point_of(found: list[tuple[int, bool]]) -> CurvePoint:
    """One bin's point."""
    rate = rate_of(sum(won for _, won in found), len(found))
    mean = sum(difference for difference, _ in found) / len(found)
    return CurvePoint(difference=round(mean, 1), rate=rate.rate or 0.0, low=rate.low, high=rate.high, pairs=rate.n)


def left_rate(rows: Iterable[tuple[Choice, bool]]) -> Rate:
    """How often the left one is picked; rows of (choice, swapped). Ties are out; one half where sides play no part."""
    picked = [left(choice, swapped) for choice, swapped in rows if choice != "tie"]
    return rate_of(sum(picked), len(picked))


def length_test(rows: Sequence[Compared]) -> TTest | None:
    """Whether chosen responses are longer than rejected ones: a t-test over the items' means, in characters."""
    decisive = [row for row in rows if row.choice != "tie"]
    if not decisive:
        return None
    item, _ = numbered(row.item for row in decisive)
    longer = np.array(
        [(row.length_a - row.length_b) * (1 if row.choice == "a" else -1) for row in decisive], dtype=float
    )
    return t_test(np.bincount(item, weights=longer) / np.bincount(item))


def t_test(values: Floats) -> TTest | None:
    """One-sample t-test against zero (Student 1908). None for fewer than eight values, or values all alike.

    The tail by Abramowitz and Stegun 26.7.8, to two digits for eight values and better for more.
    """
    n = len(values)
    if n < 8 or not values.std():
        return None
    mean, error = float(values.mean()), float(values.std(ddof=1)) / sqrt(n)
    t, df = mean / error, n - 1
    z = abs(t) * (1 - 1 / (4 * df)) / sqrt(1 + t * t / (2 * df))
    return TTest(mean=normal(mean, error * student_factor(df)), t=t, items=n, p=erfc(z / sqrt(2)))


def student_factor(df: int) -> float:
    """How much wider Student's 95 % interval is than the normal one (Cornish and Fisher's expansion)."""
    z = 1.959964
    return 1 + (z**2 + 1) / (4 * df) + (5 * z**4 + 16 * z**2 + 3) / (96 * df**2)


# ---------------------------------------------------------------- together


def win_curve(rows: Sequence[Compared]) -> list[FittedPoint]:
    """The logistic curve of winning by difference in length, a and b being alike (it goes through one half at zero).

    It counts what `length_curve` counts: ties are out. With half a win for a tie it would run below every bin.
    """
    found = [row for row in rows if row.length_a != row.length_b and row.choice != "tie"]
    if len(found) < LEAST:
        return []
    differences = np.array([row.length_a - row.length_b for row in found], dtype=float)
    item, _ = numbered(row.item for row in found)
    model = logistic.fit(both_bends(differences), wins_of(found), item, ridge=RIDGE)
    seen = [at for at in GRID if at <= np.abs(differences).max()]
    grid = both_bends(np.array(seen, dtype=float))
    middle, error = grid @ model.weights, 1.959964 * model.errors(grid)
    bands = zip(seen, *(logistic.sigmoid(x).tolist() for x in (middle, middle - error, middle + error)), strict=True)
    return [FittedPoint(difference=at, rate=rate, low=low, high=high) for at, rate, low, high in bands]


def bent(difference: Floats) -> Floats:
    """Nearly straight for small differences, logarithmic for large ones; odd."""
    return np.sign(difference) * np.log1p(np.abs(difference) / SCALE)


def both_bends(difference: Floats) -> Floats:
    """Two columns that are odd: the curve may rise fast and then level out, or even turn, where people do."""
    return np.column_stack([bent(difference), difference / LONG])


def wins_of(rows: Sequence[Compared]) -> Floats:
    """1 where a won, 0 where b, one half for a tie."""
    worth = {"a": 1.0, "b": 0.0, "tie": 0.5}
    return np.array([worth[row.choice] for row in rows])


def all_else_alike(rows: Sequence[Compared]) -> tuple[list[Effect], list[ModelShare]]:
    """Length, markdown, side and model in one regression: what each does while the others are held equal."""
    columns, (models, strengths) = _columns(rows), _models(rows)
    if len(rows) < LEAST or not (columns or models):
        return [], []
    features = np.column_stack([*(column for _, column, _ in columns), strengths])
    item, _ = numbered(row.item for row in rows)
    found = logistic.fit(features, wins_of(rows), item, ridge=RIDGE if models else 1e-6)
    units = np.eye(features.shape[1])
    effects = [Effect(name=name, wins=_won(found, units[n] * at)) for n, (name, _, at) in enumerate(columns)]
    # A model's direction is its own column less the mean of all models'.
    strength = units[len(columns) :]
    met = np.abs(strengths).sum(axis=0)
    shares = [
        ModelShare(model=name, wins=_won(found, strength[n] - strength.mean(axis=0)), judgments=int(met[n]))
        for n, name in enumerate(models)
    ]
    return effects, sorted(shares, key=lambda share: -share.wins.value)


def _columns(rows: Sequence[Compared]) -> list[tuple[str, Floats, float]]:
    """What varies among length, markdown and side: its name, a's value less b's, and the value effects are told at."""
    length = bent(np.array([row.length_a - row.length_b for row in rows], dtype=float))
    marks = _marks(np.array([row.markdown_a - row.markdown_b for row in rows], dtype=float))
    side = np.array([-1.0 if row.swapped else 1.0 for row in rows])  # where a stands
    longer, more = TYPICAL["length"], TYPICAL["markdown"]
    columns = [
        (f"longer by {longer} characters", length, float(bent(np.array(longer)))),
        (f"{more} more marks of markdown", marks, float(_marks(np.array(more)))),
        ("on the left", side, 1.0),
    ]
    return [(name, column, at) for name, column, at in columns if len(rows) and column.std()]


def _marks(difference: Floats) -> Floats:
    return np.sign(difference) * np.log1p(np.abs(difference))


def _models(rows: Sequence[Compared]) -> tuple[list[str], Floats]:
    """The models that met others, and a column each: +1 where a is the model's, -1 where b is."""
    met = [row for row in rows if row.model_a and row.model_b and row.model_a != row.model_b]
    counts: dict[str, int] = {}
    for row in met:
        for name in (row.model_a, row.model_b):
            counts[name] = counts.get(name, 0) + 1
    names = sorted(counts, key=lambda name: (-counts[name], name))[:MOST_MODELS]
    place = {name: n for n, name in enumerate(names)}
    columns = np.zeros((len(rows), len(names)))
    for number, row in enumerate(rows):
        if row.model_a != row.model_b:
            for name, sign in ((row.model_a, 1.0), (row.model_b, -1.0)):
                if name in place:
                    columns[number, place[name]] = sign
    return names, columns


def _won(found: logistic.Logistic, direction: Floats) -> Estimate:
    """The chance of winning in that direction of the features, the interval through the log-odds."""
    middle, error = float(direction @ found.weights), 1.959964 * float(found.errors(direction[None, :])[0])
    value, low, high = logistic.sigmoid(np.array([middle, middle - error, middle + error])).tolist()
    return Estimate(value=value, low=low, high=high)

"""Two sources of judgments side by side: reliability, bias, price, and what a reward model learns from each.

On the same items, with errors independent given the truth and one chance r of knowing instead of guessing a source,
two decisive judgments agree beyond chance (2·agreement - 1) in proportion to the product of their r: r_A² within A,
r_B² within B, r_A·r_B between (Batchelder and Romney 1988; Hui and Walter 1980). So each source's reliability follows
from agreement alone, without gold; and what is between them must be the geometric mean of what is within. Where it is
less, each agrees with itself on something the other does not see: another view, a common bias, or copying.

Hard items lower all three alike and leave the comparison of the sources as it is.

A source's price for an item decided with a posterior of 95 % is its price a judgment, times the judgments that Wald's
sequential test needs at its reliability (Wald 1945). Whole items are resampled for every interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from typing import Literal

import numpy as np

from streams.quality import logistic
from streams.quality.biases import Compared, bent, wins_of
from streams.quality.intervals import Estimate, percentiles
from streams.quality.pairs import Floats, Ints, newest, numbered, pairs_of, summed

SAMPLES = 400
LEAST_ITEMS = 30  # with judgments of both
TARGET = 0.95
RIDGE = 1.0
FOLDS = 5
Better = Literal["one", "other", "either"]


@dataclass(frozen=True, kw_only=True)
class Source:
    """One source, on the common items."""

    name: str
    judgments: int
    people: int
    knows: Estimate | None  # chance that a judgment is made knowing and not guessing, in [0, 1]
    accuracy: Estimate | None  # the same as the share of decisive judgments that are right
    left: Estimate | None  # share of decisive judgments for the left
    longer: Estimate | None  # share for the longer
    markdown: Estimate | None  # share for the one with more markdown
    ties: Estimate | None
    price: float  # of one judgment
    judgments_needed: Estimate | None  # for an item decided at TARGET
    cost: Estimate | None  # of such an item
    reward: Estimate | None  # log-loss in nats of a reward model taught by this source, on held-out judgments of both


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two sources. Differences are `one` less `other`."""

    one: Source
    other: Source
    items: int  # that both judged
    between: Estimate | None  # agreement of a judgment of one with a judgment of the other
    shared: Estimate | None  # what is between over what must be, 1 if both see the same truth
    accuracy: Estimate | None
    left: Estimate | None
    longer: Estimate | None
    markdown: Estimate | None
    ties: Estimate | None
    cost_ratio: Estimate | None  # cost of a decided item, one's over the other's
    reward: Estimate | None  # log-loss
    better: Better
    reasons: list[str]


def compare(
    rows: Sequence[Compared], source: Sequence[str], names: tuple[str, str], prices: tuple[float, float], seed: int = 0
) -> Comparison | None:
    """`source[n]` is where row n comes from; others than the two in `names` are left out. None where fewer than
    LEAST_ITEMS items have judgments of both."""
    kept, side = common(rows, source, names)
    item, _ = numbered(row.item for row in kept)
    items = int(item.max(initial=-1)) + 1
    if items < LEAST_ITEMS:
        return None
    times = np.vstack([np.ones(items), _resampled(items, seed)])
    sums = {name: _by_item(kept, item, side, items, name) for name in MEASURES}
    said = {name: _shares(times, *found) for name, found in sums.items()}
    knows, between, shared = reliabilities(kept, item, side, times)
    needed = judgments_needed((1 + knows) / 2)
    cost = needed * np.array(prices)[:, None]
    reward = reward_losses(kept, item, side, times)
    sources = [
        Source(
            name=names[n],
            judgments=int((side == n).sum()),
            people=len({row.annotator for row, where in zip(kept, side, strict=True) if where == n}),
            knows=_estimate(knows[n]),
            accuracy=_estimate((1 + knows[n]) / 2),
            price=prices[n],
            judgments_needed=_estimate(needed[n]),
            cost=_estimate(cost[n]) if prices[n] else None,
            reward=_estimate(reward[n]),
            **{name: _estimate(values[n]) for name, values in said.items()},
        )
        for n in (0, 1)
    ]
    ratio = _estimate(cost[0] / cost[1]) if all(prices) else None
    accuracy, loss = _estimate((knows[0] - knows[1]) / 2), _estimate(reward[0] - reward[1])
    truth = _estimate(shared)
    better, reasons = recommended(names, accuracy, ratio, loss, truth)
    return Comparison(
        one=sources[0],
        other=sources[1],
        items=items,
        between=_estimate(between),
        shared=truth,
        accuracy=accuracy,
        cost_ratio=ratio,
        reward=loss,
        better=better,
        reasons=reasons,
        **{name: _estimate(values[0] - values[1]) for name, values in said.items()},
    )


def common(rows: Sequence[Compared], source: Sequence[str], names: tuple[str, str]) -> tuple[list[Compared], Ints]:
    """The newest judgments of the two sources on items that both judged, and which source each is from (0 or 1)."""
    mine = [n for n, where in enumerate(source) if where in names]
    item, _ = numbered(rows[n].item for n in mine)
    person, _ = numbered(rows[n].annotator for n in mine)
    last = newest(item, person)
    side = np.array([names.index(source[mine[n]]) for n in last], dtype=np.int64)
    seen = np.zeros((int(item.max(initial=-1)) + 1, 2))
    np.add.at(seen, (item[last], side), 1)
    both = np.asarray(seen.min(axis=1, initial=1.0) > 0)[item[last]]
    return [rows[mine[n]] for n in last[both]], side[both]


def _resampled(items: int, seed: int) -> Floats:
    dice = np.random.default_rng(seed)
    return dice.multinomial(items, np.full(items, 1 / items), SAMPLES).astype(float)


def _estimate(values: Floats) -> Estimate | None:
    """The first value is what was seen, the others are resamples."""
    return percentiles(float(values[0]), values[1:])


# ---------------------------------------------------------------- reliability


def reliabilities(rows: Sequence[Compared], item: Ints, side: Ints, times: Floats) -> tuple[Floats, Floats, Floats]:
    """For each row of `times` (resamples × items): both sources' r (2 × n), agreement between them, and what
    is between over what must be. NaN where neither source judges an item twice, or both agree less than by chance."""
    person, _ = numbered(row.annotator for row in rows)
    choice = np.array(["abt".index(row.choice[0]) for row in rows], dtype=np.int64)
    pairs = pairs_of(item, person, choice)
    decisive = (choice[pairs.first] < 2) & (choice[pairs.second] < 2)
    kind = side[pairs.first] + side[pairs.second]  # 0 within one, 2 within the other, 1 between
    beyond = []
    items = times.shape[1]
    for which in (0, 1, 2):
        chosen = decisive & (kind == which)
        count = summed(pairs.item[chosen], np.ones(int(chosen.sum())), items)
        same = summed(pairs.item[chosen], pairs.same[chosen], items)
        with np.errstate(invalid="ignore", divide="ignore"):
            beyond.append(2 * (times @ same) / (times @ count) - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        alone = np.sqrt(np.stack([beyond[0], beyond[2]]))
        shared = beyond[1] / (alone[0] * alone[1])
        # A source that never judges an item twice is known from the other one.
        return np.where(np.isnan(alone), beyond[1] / alone[::-1], alone), (1 + beyond[1]) / 2, shared


def judgments_needed(accuracy: Floats, target: float = TARGET) -> Floats:
    """Of an item decided at `target`, by Wald's test between a and b with errors of 1 - target on both sides."""
    accuracy = np.clip(accuracy, 0.505, 0.995)
    reached = (2 * target - 1) * log(target / (1 - target))
    return np.asarray(np.maximum(reached / ((2 * accuracy - 1) * np.log(accuracy / (1 - accuracy))), 1.0))


# ---------------------------------------------------------------- biases

MEASURES = ("left", "longer", "markdown", "ties")


def _by_item(rows: Sequence[Compared], item: Ints, side: Ints, items: int, name: str) -> tuple[Floats, Floats]:
    """Hits and trials of a measure: 2 × items."""
    hits, trials = np.zeros((2, items)), np.zeros((2, items))
    for row, where, on in zip(rows, side, item, strict=True):
        found = hit(row, name)
        if found is not None:
            hits[where, on] += found
            trials[where, on] += 1
    return hits, trials


def hit(row: Compared, name: str) -> bool | None:
    """Whether the judgment counts for the measure; None where it says nothing about it."""
    if name == "ties":
        return row.choice == "tie"
    if row.choice == "tie":
        return None
    if name == "left":
        return (row.choice == "a") != row.swapped
    a, b = (row.length_a, row.length_b) if name == "longer" else (row.markdown_a, row.markdown_b)
    return None if a == b else (a > b) == (row.choice == "a")


def _shares(times: Floats, hits: Floats, trials: Floats) -> Floats:
    """2 × resamples."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((hits @ times.T) / (trials @ times.T))


# ---------------------------------------------------------------- the reward model


def reward_losses(rows: Sequence[Compared], item: Ints, side: Ints, times: Floats) -> Floats:
    """Log-loss on held-out judgments of both sources (each source counts alike, each item once) of a Bradley-Terry
    model taught by each source alone: 2 × resamples. Its features are length, markdown and model.

    Cross-validated over items in FOLDS parts; the resamples are of held-out items, the models stay.
    """
    features, wins = reward_features(rows), wins_of(rows)
    part = np.random.default_rng(0).permutation(times.shape[1])[item] % FOLDS
    weight = _balanced(item, side)
    losses = np.zeros((2, len(rows)))
    for fold, teacher in np.ndindex(FOLDS, 2):
        taught = (part != fold) & (side == teacher)
        held = part == fold
        _, clusters = np.unique(item[taught], return_inverse=True)
        # As many judgments of each teacher, or the one with more would look better for that alone.
        even = min(int(((part != fold) & (side == other)).sum()) for other in (0, 1)) / max(int(taught.sum()), 1)
        model = logistic.fit(features[taught], wins[taught], clusters, RIDGE, np.full(int(taught.sum()), even))
        losses[teacher, held] = logistic.log_loss(model.probability(features[held]), wins[held])
    by_item = np.stack([summed(item, weight * loss, times.shape[1]) for loss in losses])
    return np.asarray((by_item @ times.T) / times.sum(axis=1))


def reward_features(rows: Sequence[Compared]) -> Floats:
    """What differs between a and b, as a Bradley-Terry model sees it."""
    length = bent(np.array([row.length_a - row.length_b for row in rows], dtype=float))
    marks = bent(25.0 * np.array([row.markdown_a - row.markdown_b for row in rows], dtype=float))
    names = sorted({name for row in rows for name in (row.model_a, row.model_b)} - {""})
    place = {name: n for n, name in enumerate(names)}
    models = np.zeros((len(rows), len(names)))
    for n, row in enumerate(rows):
        for name, sign in ((row.model_a, 1.0), (row.model_b, -1.0)):
            if name:
                models[n, place[name]] += sign
    return np.column_stack([length, marks, models])


def _balanced(item: Ints, side: Ints) -> Floats:
    """Weights that sum to one an item, half of it each source's."""
    cell = item * 2 + side
    counts = np.bincount(cell)
    return np.asarray(0.5 / counts[cell])


# ---------------------------------------------------------------- what to do


def recommended(
    names: tuple[str, str],
    accuracy: Estimate | None,
    ratio: Estimate | None,
    loss: Estimate | None,
    shared: Estimate | None,
) -> tuple[Better, list[str]]:
    """Which source to buy from, and why: price for the same certainty, then reliability, then the reward model."""
    one, other = names
    reasons = []
    better: Better = "either"
    if ratio is not None:
        clear = ratio.low > 1 or ratio.high < 1
        better = "either" if not clear else "one" if ratio.value < 1 else "other"
        reasons.append(f"an item decided at {TARGET:.0%} costs {told(ratio)} times as much from {one} as from {other}")
    if accuracy is not None:
        if better == "either" and ratio is None and accuracy.clear:
            better = "one" if accuracy.value > 0 else "other"
        reasons.append(f"{one} is right {told(accuracy, 100, True)} points more often than {other}")
    if loss is not None:
        if better == "either" and loss.clear:
            better = "one" if loss.value < 0 else "other"
        reasons.append(f"a reward model taught by {one} loses {told(loss, 1, True)} nats more on judgments of both")
    if shared is not None and shared.high < 1:
        reasons.append(
            f"between them there is {told(shared)} of the agreement that one truth would give: each agrees with itself "
            "on something that the other does not see; look at populations and at copied answers before choosing"
        )
    return better, reasons


def told(found: Estimate, scale: float = 1.0, signed: bool = False) -> str:
    """The value and its interval."""
    form = "+.2f" if signed else ".2f"
    if scale == 100:
        form = "+.1f"
    value, low, high = (format(scale * x, form) for x in (found.value, found.low, found.high))
    return f"{value} (95 %: {low} to {high})"

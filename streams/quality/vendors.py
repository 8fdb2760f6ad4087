"""Two sources of judgments side by side: reliability, bias, price, and what a reward model learns from each.

On the same items, with errors independent given the truth and one chance r of knowing instead of guessing a source,
two decisive judgments agree beyond chance (2·agreement - 1) in proportion to the product of their r: r_A² within A,
r_B² within B, r_A·r_B between (Batchelder and Romney 1988; Hui and Walter 1980). So each source's reliability follows
from agreement alone, without gold; and what is between them must be the geometric mean of what is within. Where it is
less, each agrees with itself on something the other does not see: another view, a common bias, or copying.

Hard items lower all three alike and leave the comparison of the sources as it is.

A source's price for an item decided with a posterior of 95 % is its price a judgment, times the judgments that Wald's
sequential test needs at its reliability (Wald 1945).

A vendor is bought for other items and with other people than those seen. So whole items are resampled, and apart from
that whole people within each source; both deviations are added for every interval (what is neither an item's nor a
person's is counted twice, so that intervals are rather too wide).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log
from typing import Literal

import numpy as np

from streams.quality import logistic
from streams.quality.biases import bent, wins_of
from streams.quality.bootstrap import percentiles
from streams.quality.compared import Compared
from streams.quality.intervals import Estimate
from streams.quality.pairs import Floats, Ints, Pairs, newest, numbered, pairs_of, summed

SAMPLES = 300
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
    if int(item.max(initial=-1)) + 1 < LEAST_ITEMS:
        return None
    draws = resampled(kept, item, side, seed)
    knows, between, shared = reliabilities(kept, side, draws)
    found = measured(kept, side, draws, knows, prices)
    one, other = (source_of(found, n, names[n], prices[n], people_of(kept, side, n)) for n in (0, 1))
    ratio = _ratio(found.cost) if all(prices) else None
    accuracy, loss = _estimate((knows[0] - knows[1]) / 2), _estimate(found.reward[0] - found.reward[1])
    truth = _estimate(shared)
    better, reasons = recommended(names, accuracy, ratio, loss, truth)
    return Comparison(
        one=one,
        other=other,
        items=draws.items.shape[1],
        between=_estimate(between),
        shared=truth,
        accuracy=accuracy,
        cost_ratio=ratio,
        reward=loss,
        better=better,
        reasons=reasons,
        **{name: _estimate(values[0] - values[1]) for name, values in found.shares.items()},
    )


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Of both sources, 2 x draws each."""

    knows: Floats
    needed: Floats  # judgments for an item decided at TARGET
    cost: Floats  # of such an item
    reward: Floats  # log-loss
    shares: dict[str, Floats]  # by measure


def measured(
    rows: Sequence[Compared], side: Ints, draws: Draws, knows: Floats, prices: tuple[float, float]
) -> Measured:
    """All that is compared but agreement itself."""
    needed = judgments_needed((1 + knows) / 2)
    return Measured(
        knows=knows,
        needed=needed,
        cost=needed * np.array(prices)[:, None],
        reward=reward_losses(rows, side, draws),
        shares={name: _shares(rows, side, draws, name) for name in MEASURES},
    )


def people_of(rows: Sequence[Compared], side: Ints, source: int) -> list[str]:
    """Who made each judgment of that source."""
    return [row.annotator for row, where in zip(rows, side, strict=True) if where == source]


def source_of(found: Measured, n: int, name: str, price: float, judged_by: Sequence[str]) -> Source:
    """One side of the comparison."""
    return Source(
        name=name,
        judgments=len(judged_by),
        people=len(set(judged_by)),
        knows=_estimate(found.knows[n]),
        accuracy=_estimate((1 + found.knows[n]) / 2),
        price=price,
        judgments_needed=_estimate(found.needed[n]),
        cost=_estimate(found.cost[n]) if price else None,
        reward=_estimate(found.reward[n]),
        **{measure: _estimate(values[n]) for measure, values in found.shares.items()},
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


@dataclass(frozen=True, kw_only=True)
class Draws:
    """How often each item and each person counts. Statistics come as 1 + 2 x SAMPLES numbers: as seen (the first),
    with items resampled, with people resampled."""

    item: Ints  # of each judgment
    person: Ints
    items: Floats  # (1 + SAMPLES) x items, the first row ones
    people: Floats  # SAMPLES x people

    def total(self, values: Floats) -> Floats:
        """The sum over judgments of `values`, for each draw."""
        by_item = summed(self.item, values, self.items.shape[1])
        by_person = summed(self.person, values, self.people.shape[1])
        return np.concatenate([self.items @ by_item, self.people @ by_person])

    def pair_total(self, pairs: Pairs, values: Floats) -> Floats:
        """The sum over pairs of judgments."""
        by_item = summed(pairs.item, values, self.items.shape[1])
        by_people = [float((row[pairs.one] * row[pairs.other]) @ values) for row in self.people]
        return np.concatenate([self.items @ by_item, np.array(by_people)])


def resampled(rows: Sequence[Compared], item: Ints, side: Ints, seed: int) -> Draws:
    """Items with replacement; people with replacement within their source."""
    dice = np.random.default_rng(seed)
    person, names = numbered((row.annotator, int(where)) for row, where in zip(rows, side, strict=True))
    items = int(item.max()) + 1
    drawn = dice.multinomial(items, np.full(items, 1 / items), SAMPLES).astype(float)
    people = np.ones((SAMPLES, len(names)))
    from_ = np.zeros(len(names), dtype=np.int64)
    from_[person] = side
    for source in (0, 1):
        of = np.flatnonzero(from_ == source)
        people[:, of] = dice.multinomial(len(of), np.full(len(of), 1 / len(of)), SAMPLES)
    return Draws(item=item, person=person, items=np.vstack([np.ones(items), drawn]), people=people)


def _estimate(values: Floats) -> Estimate | None:
    """What was seen, with the deviations by items and by people added up."""
    return percentiles(float(values[0]), values[1 : SAMPLES + 1] + values[SAMPLES + 1 :] - values[0])


def _ratio(cost: Floats) -> Estimate | None:
    """Of two positive numbers, deviations taken on their logarithm."""
    found = _estimate(np.log(cost[0] / cost[1]))
    return found and Estimate(value=exp(found.value), low=exp(found.low), high=exp(found.high))


# ---------------------------------------------------------------- reliability


def reliabilities(rows: Sequence[Compared], side: Ints, draws: Draws) -> tuple[Floats, Floats, Floats]:
    """For each draw: both sources' r (2 x draws), agreement between them, and what is between over what must be.
    NaN where neither source judges an item twice, or both agree less than by chance."""
    choice = np.array(["abt".index(row.choice[0]) for row in rows], dtype=np.int64)
    pairs = pairs_of(draws.item, draws.person, choice)
    decisive = (choice[pairs.first] < 2) & (choice[pairs.second] < 2)
    kind = side[pairs.first] + side[pairs.second]  # 0 within one, 2 within the other, 1 between
    beyond = []
    for which in (0, 1, 2):
        chosen = (decisive & (kind == which)).astype(float)
        with np.errstate(invalid="ignore", divide="ignore"):
            beyond.append(2 * draws.pair_total(pairs, chosen * pairs.same) / draws.pair_total(pairs, chosen) - 1)
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


def _shares(rows: Sequence[Compared], side: Ints, draws: Draws, name: str) -> Floats:
    """The share of hits of each source: 2 x draws."""
    found = [hit(row, name) for row in rows]
    counts = np.array([one is not None for one in found], dtype=float)
    hits = np.array([float(one or 0) for one in found])
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.stack([draws.total(hits * (side == n)) / draws.total(counts * (side == n)) for n in (0, 1)])


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


# ---------------------------------------------------------------- the reward model


def reward_losses(rows: Sequence[Compared], side: Ints, draws: Draws) -> Floats:
    """Log-loss on held-out judgments of both sources (each source counts alike, each item once) of a Bradley-Terry
    model taught by each source alone: 2 x draws. Its features are length, markdown and model.

    Cross-validated over items in FOLDS parts; what is held out is resampled, the models stay.
    """
    features, wins, item = reward_features(rows), wins_of(rows), draws.item
    part = np.random.default_rng(0).permutation(draws.items.shape[1])[item] % FOLDS
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
    return np.stack([draws.total(weight * loss) / draws.total(weight) for loss in losses])


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
        reasons.append(f"a task decided at {TARGET:.0%} costs {told(ratio)} times as much from {one} as from {other}")
    if accuracy is not None:
        if better == "either" and ratio is None and accuracy.clear:
            better = "one" if accuracy.value > 0 else "other"
        reasons.append(f"{one} against {other}: {told(accuracy, 100, True)} points of accuracy")
    if loss is not None:
        if better == "either" and loss.clear:
            better = "one" if loss.value < 0 else "other"
        reasons.append(
            f"a reward model taught by {one} against one taught by {other}: {told(loss, 1, True)} nats of log-loss on "
            "judgments of both"
        )
    if shared is not None and shared.high < 1:
        reasons.append(
            f"between them there is {told(shared)} of the agreement that one truth would give: each agrees with itself "
            "on something that the other does not see; look at populations and at copied answers before choosing"
        )
    return better, reasons


def told(found: Estimate, scale: float = 1.0, signed: bool = False) -> str:
    """The value and its interval."""
    form = "+z.1f" if scale == 100 else "+z.3f" if signed else ".2f"
    value, low, high = (format(scale * x, form).replace("-", "\u2212") for x in (found.value, found.low, found.high))
    return f"{value} (95%: {low} to {high})"

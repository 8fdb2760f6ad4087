"""Which slices explain low agreement, and whether the items or the people are behind it.

A pair of judgments on one item agrees (1) or not (0). Its mean is taken apart into a level, an effect of the item and
one of each of the two people, the last two drawn from normal distributions whose variances are learned too
(mixed model with crossed effects; Searle, Casella and McCulloch 1992; fitted by coordinate ascent):

    same = level + item + person + other person + noise

A slice is a set of items (a tag) or of people (cohort, vendor). Its *effect* is its agreement less that of the rest.
The part that people have in it is what the same people (for a slice of people: the same items) do *outside* the
slice, where the slice itself can have no say; the part of items is what remains:

    slice of items:   people = mean of both people's effects, estimated outside the slice; items = effect - people
    slice of people:  items = mean of the items' effects, estimated from pairs without them; people = effect - items

Errors allow for pairs that share an item and for pairs that share a person (multiway clustering, Cameron, Gelbach and
Miller 2011; dyads, Aronow, Samii and Assenova 2015). Effects are shrunk towards zero by how much the slices
really differ: a small slice must show more to rank high. How much that is, is not known either, least of all from a few
slices, so it has a prior and is averaged over (Rubin, "Estimation in parallel randomized experiments", JES 6, 1981;
half-normal: Roever et al., Research Synthesis Methods 12, 2021). One estimate in its place, mostly zero, would give
intervals without width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import sqrt
from typing import Literal

import numpy as np

from streams.quality.intervals import Z95, Estimate, normal, wilson
from streams.quality.pairs import Bools, Floats, Ints, Pairs, summed

Looks = Literal["guideline", "annotators", "both", "unclear", "no lower"]
ROUNDS = 30  # of the fit; the variances move by less than 1 % long before
LEAST_VARIANCE = 1e-6
LEAST_PAIRS = 20  # a slice of fewer pairs, inside or outside, is not looked at
LEAST_SEEN = 3.0  # weight of pairs outside the slice from which a person counts as better or worse
KNOWN_ENOUGH = 0.5  # share of the slice whose people (items) must be seen outside it, for a word on what is behind it
SPREADS: Floats = np.geomspace(0.001, 0.5, 60)  # standard deviations between slices, in shares that agree
USUAL_SPREAD = 0.1  # of its half-normal prior
LEAST_ERROR = 1e-6
NAMED = 0.25  # a part that is a smaller share of the effect is not named


@dataclass(frozen=True, kw_only=True)
class Slice:
    """`members`: True for the items (of = "items") or the people (of = "annotators") that are in it."""

    tag: str
    value: str
    of: Literal["items", "annotators"]
    members: Bools


@dataclass(frozen=True, kw_only=True)
class Cause:
    """What one slice has to do with low agreement. All effects are differences of shares, in [-1, 1]."""

    tag: str
    value: str
    of: Literal["items", "annotators"]
    agreement: float  # share of pairs that agree
    elsewhere: float  # outside the slice
    pairs: int
    judgments: int
    effect: Estimate  # as it is
    shrunk: Estimate  # as it is to be believed
    items: Estimate  # the part that comes with the items
    annotators: Estimate  # the part that comes with the people
    known: float  # share of the slice whose people (items) are seen outside it too, in [0, 1]
    control_here: Estimate | None  # agreement of those whom the slice cannot have made worse: see `_control`
    control_elsewhere: Estimate | None
    gain: float  # share of all agreement that would be won if the slice were like the rest
    looks: Looks


@dataclass(frozen=True, kw_only=True)
class Fit:
    """The crossed effects and their variances."""

    level: float
    item: Floats
    person: Floats
    var_item: float
    var_person: float
    var_noise: float


# ---------------------------------------------------------------- the fit


def fit(pairs: Pairs, rounds: int = ROUNDS) -> Fit:
    """Level, effects of items and of people, and their variances, from all pairs (there must be one)."""
    ends, weight2 = _ends(pairs), np.tile(pairs.weight, 2)
    mass_item = summed(pairs.item, pairs.weight, pairs.items)
    mass_person = summed(ends, weight2, pairs.annotators)
    total = float(pairs.weight.sum())
    level = float((pairs.weight * pairs.same).sum() / total)
    found = Fit(
        level=level,
        item=np.zeros(pairs.items),
        person=np.zeros(pairs.annotators),
        var_item=0.05,
        var_person=0.02,
        var_noise=max(level * (1 - level), LEAST_VARIANCE),
    )
    for _ in range(rounds):
        people = found.person[pairs.one] + found.person[pairs.other]
        rest = pairs.weight * (pairs.same - found.level - people)
        item = summed(pairs.item, rest, pairs.items)
        item = item / (mass_item + found.var_noise / found.var_item)
        base = pairs.same - found.level - item[pairs.item]
        rest2 = np.concatenate(
            [pairs.weight * (base - found.person[pairs.other]), pairs.weight * (base - found.person[pairs.one])]
        )
        person = summed(ends, rest2, pairs.annotators)
        person = (person / (mass_person + found.var_noise / found.var_person) + found.person) / 2  # damped
        noise = pairs.same - found.level - item[pairs.item] - person[pairs.one] - person[pairs.other]
        moved = float((pairs.weight * noise).sum() / total)
        var_noise = max(float((pairs.weight * (noise - moved) ** 2).sum() / total), LEAST_VARIANCE)
        found = Fit(
            level=found.level + moved,
            item=item,
            person=person,
            var_item=_variance(item, mass_item, var_noise, found.var_item),
            var_person=_variance(person, mass_person, var_noise, found.var_person),
            var_noise=var_noise,
        )
    return found


def _variance(effect: Floats, mass: Floats, var_noise: float, before: float) -> float:
    """Of effects whose estimates are uncertain themselves, over those that were seen."""
    seen = mass > 0
    uncertain = var_noise / (mass[seen] + var_noise / before)
    return max(float(np.mean(effect[seen] ** 2 + uncertain)), LEAST_VARIANCE)


# ---------------------------------------------------------------- one slice


def membership(pairs: Pairs, one: Slice) -> Floats:
    """How much of each pair is in the slice: 0 or 1 by item; 0, 1/2 or 1 by people."""
    if one.of == "items":
        return one.members[pairs.item].astype(float)
    return (one.members[pairs.one].astype(float) + one.members[pairs.other]) / 2


def examine(pairs: Pairs, fitted: Fit, one: Slice) -> Cause | None:
    """The slice against the rest, unshrunken; None where it or the rest has hardly any pairs."""
    inside = membership(pairs, one)
    outside = (inside == 0).astype(float)
    if min(np.count_nonzero(inside), outside.sum()) < LEAST_PAIRS:
        return None
    here, there = pairs.weight * inside, pairs.weight * outside
    here, there = here / here.sum(), there / there.sum()
    agreed, elsewhere = float(here @ pairs.same), float(there @ pairs.same)
    influence = here * (pairs.same - agreed) - there * (pairs.same - elsewhere)
    effect = normal(agreed - elsewhere, sqrt(clustered_variance(pairs, influence)))
    part, known = _outside_part(pairs, fitted, one, here, there)
    rest = less(effect, part)
    control = _control(pairs, fitted, one, here, there)
    share = float((pairs.weight * inside).sum() / pairs.weight.sum())
    return Cause(
        tag=one.tag,
        value=one.value,
        of=one.of,
        agreement=agreed,
        elsewhere=elsewhere,
        pairs=int(np.count_nonzero(inside)),
        judgments=_judgments(pairs, one, inside),
        effect=effect,
        shrunk=effect,
        items=rest if one.of == "items" else part,
        annotators=part if one.of == "items" else rest,
        known=known,
        control_here=control[0],
        control_elsewhere=control[1],
        gain=share,  # `ranked` multiplies it by the shrunken effect
        looks="unclear",
    )


def clustered_variance(pairs: Pairs, influence: Floats) -> float:
    """Of a sum of `influence`s, where pairs with an item or a person in common go together."""
    by_item = summed(pairs.item, influence, pairs.items)
    by_person = summed(_ends(pairs), np.tile(influence, 2), pairs.annotators)
    alone = float(influence @ influence)
    items = float(by_item @ by_item)
    return max(items + float(by_person @ by_person) - 2 * alone, items, 1e-12)


def less(effect: Estimate, part: Estimate) -> Estimate:
    """What remains of the effect without the part; the errors of both add up."""
    error = sqrt((effect.high - effect.low) ** 2 + (part.high - part.low) ** 2) / 2
    value = effect.value - part.value
    return Estimate(value=value, low=value - error, high=value + error)


def _outside_part(pairs: Pairs, fitted: Fit, one: Slice, here: Floats, there: Floats) -> tuple[Estimate, float]:
    """The part of the effect that the slice's people (of a slice of people: items) show outside it too, and
    the share of the slice whose people (items) are seen there. `here`, `there`: weights of pairs, each summing to 1.

    Raw means, not shrunken effects: shrinking each would pull their mean towards zero as well.
    """
    outside = pairs.weight * (there > 0)
    values, mass = _people(pairs, fitted, outside) if one.of == "items" else _items(pairs, fitted, outside)
    ends = _ends(pairs) if one.of == "items" else pairs.item
    repeat = 2 if one.of == "items" else 1
    here_by = summed(ends, np.tile(here, repeat), len(mass))
    there_by = summed(ends, np.tile(there, repeat), len(mass))
    seen = mass > 0
    covered = float(here_by[seen].sum() / here_by.sum())
    if not covered:
        return Estimate(value=0.0, low=-1.0, high=1.0), 0.0
    share = here_by[seen] / covered - there_by[seen]
    return normal(float(share @ values[seen]), sqrt(float(share**2 @ (fitted.var_noise / mass[seen])))), covered


def _ends(pairs: Pairs) -> Ints:
    return np.concatenate([pairs.one, pairs.other])


def _people(pairs: Pairs, fitted: Fit, weight: Floats) -> tuple[Floats, Floats]:
    """Mean of what is left for each person, from the pairs with weight, and that weight."""
    base = pairs.same - fitted.level - fitted.item[pairs.item]
    rest = np.concatenate([base - fitted.person[pairs.other], base - fitted.person[pairs.one]])
    return _means(_ends(pairs), np.tile(weight, 2), rest, pairs.annotators)


def _items(pairs: Pairs, fitted: Fit, weight: Floats) -> tuple[Floats, Floats]:
    """The same of each item."""
    rest = pairs.same - fitted.level - fitted.person[pairs.one] - fitted.person[pairs.other]
    return _means(pairs.item, weight, rest, pairs.items)


def _means(of: Ints, weight: Floats, values: Floats, size: int) -> tuple[Floats, Floats]:
    mass = summed(of, weight, size)
    return summed(of, weight * values, size) / np.maximum(mass, 1e-12), mass


def _control(
    pairs: Pairs, fitted: Fit, one: Slice, here: Floats, there: Floats
) -> tuple[Estimate | None, Estimate | None]:
    """Agreement here and elsewhere of those whom the slice cannot have made worse.

    Of a slice of items: pairs of two from the better half of its people, better by what they do outside it.
    Of a slice of people: pairs of two others, on the items that the slice's people judged.
    """
    if one.of == "annotators":
        on_items = summed(pairs.item, here, pairs.items) > 0
        others = there > 0
        return _share(pairs, others & on_items[pairs.item]), _share(pairs, others & ~on_items[pairs.item])
    values, mass = _people(pairs, fitted, pairs.weight * (there > 0))
    seen = np.unique(_ends(pairs)[np.tile(here > 0, 2)])
    known = seen[mass[seen] >= LEAST_SEEN]
    if len(known) < 4:
        return None, None
    better = np.zeros(pairs.annotators, dtype=bool)
    better[known[values[known] >= np.median(values[known])]] = True
    both = better[pairs.one] & better[pairs.other]
    return _share(pairs, both & (here > 0)), _share(pairs, both & (there > 0))


def _share(pairs: Pairs, which: Bools) -> Estimate | None:
    weight = pairs.weight[which]
    if not len(weight):
        return None
    rate = float(weight @ pairs.same[which] / weight.sum())
    low, high = wilson(rate, float(weight.sum()))
    return Estimate(value=rate, low=low, high=high)


def _judgments(pairs: Pairs, one: Slice, inside: Floats) -> int:
    """Judgments of the slice that somebody else judged too."""
    rows = [pairs.first[inside > 0], pairs.second[inside > 0]]
    if one.of == "annotators":
        rows = [pairs.first[one.members[pairs.one]], pairs.second[one.members[pairs.other]]]
    return len(np.unique(np.concatenate(rows)))


# ---------------------------------------------------------------- all slices together


def ranked(pairs: Pairs, slices: Sequence[Slice]) -> list[Cause]:
    """Every slice with enough pairs, the one with the lowest shrunken effect first."""
    if len(pairs.same) < LEAST_PAIRS:
        return []
    fitted = fit(pairs)
    found = [cause for one in slices if (cause := examine(pairs, fitted, one)) is not None]
    shrunk = shrunken([cause.effect for cause in found])
    believed = [_believed(cause, one) for cause, one in zip(found, shrunk, strict=True)]
    return sorted(believed, key=lambda cause: cause.shrunk.value)


def shrunken(effects: Sequence[Estimate]) -> list[Estimate]:
    """Each effect as it is to be believed beside the others: its posterior mean and interval, over all SPREADS."""
    errors, values = np.array([[error_of(one), one.value] for one in effects]).reshape(-1, 2).T
    variance = SPREADS[:, None] ** 2 + errors**2  # (spreads, effects)
    logs = -0.5 * (np.log(variance) + values**2 / variance).sum(axis=1) - 0.5 * (SPREADS / USUAL_SPREAD) ** 2
    shares = np.gradient(SPREADS) * np.exp(logs - logs.max())
    shares /= shares.sum()
    keep = SPREADS[:, None] ** 2 / variance
    means = shares @ (keep * values)
    within, between = keep * errors**2, (keep * values - means) ** 2
    found = np.sqrt(shares @ (within + between))
    return [normal(float(mean), float(error)) for mean, error in zip(means, found, strict=True)]


def error_of(estimate: Estimate) -> float:
    """The standard error behind a normal interval."""
    return max((estimate.high - estimate.low) / (2 * Z95), LEAST_ERROR)


def _believed(cause: Cause, shrunk: Estimate) -> Cause:
    return replace(cause, shrunk=shrunk, gain=max(0.0, -shrunk.value) * cause.gain, looks=looks_of(cause, shrunk))


def looks_of(cause: Cause, shrunk: Estimate) -> Looks:
    """What seems to be behind the slice's low agreement, as far as it can be told."""
    if shrunk.high >= 0:
        return "no lower"
    if cause.known < KNOWN_ENOUGH:
        return "unclear"
    least = NAMED * cause.effect.value
    items, people = (part.high < 0 and part.value <= least for part in (cause.items, cause.annotators))
    if items and people:
        return "both"
    if items:
        return "guideline"
    return "annotators" if people else "unclear"

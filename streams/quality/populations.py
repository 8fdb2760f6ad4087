"""Annotators who differ together: populations, not errors.

Take from each judgment what one truth explains: of each item, what its people's choices have in common in proportion to
their competence (the first factor of cultural consensus theory; Romney, Weller and Batchelder 1986), and of each person
their liking for a side of the screen. What is left is noise if there is one truth: two people's remainders have
nothing to do with each other. Where a group sees some items another way, its members' remainders go together. So: the
matrix of how the remainders of any two people go together over their common items, each person scaled alike; its
leading eigenvector splits people in two (Newman 2006). The split counts if the eigenvalue is larger than in 99 % of
data sets in which one truth holds: the same explained part, each remainder with a random sign, everything learned
anew (a randomisation test; wild bootstrap, Wu 1986). Each part is split again the same way.

A member is named only if their own remainders go with their group's. Where one group is named, the others share the
common view: what it explains leaves them no remainders to go together.
How far the groups differ is measured on items that the split was not made from.

People who answer at random are no population. People who answer the wrong way round together are one to this test:
their accuracy against gold tells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import sqrt

import numpy as np

from streams.quality.causes import clustered_variance
from streams.quality.compared import Compared
from streams.quality.intervals import Estimate, normal
from streams.quality.pairs import Bools, Floats, Ints, Pairs, newest, numbered, pairs_of, summed

LEAST_JUDGMENTS = 20  # of a person, on items that others of them judged too
MOST_PEOPLE = 200  # the busiest; time goes with the third power
LEAST_GROUP = 3  # people
RESAMPLES = 199
LEVEL = 0.01  # a split must be rarer than this among resamples
ROUNDS = 20  # of learning competences
LEAST_SPREAD = 0.2  # added to the variance of a person's remainders: who always says one side has nearly none
MEMBER = 2.0  # standard errors by which a member must go with their group


@dataclass(frozen=True, kw_only=True)
class Opinions:
    """Judgments of the people looked at, rows by item: numbers of item and person, and what they said."""

    item: Ints
    person: Ints
    choice: Floats  # 1 (a), 0 (tie), -1 (b)
    on_left: Floats  # 1 where a stood on the left, else -1
    names: list[str]  # of people, by number

    def of(self, people: Bools, items: Bools | None = None) -> Opinions:
        """Those of some people (on some items) alone; numbers stay."""
        rows = people[self.person] if items is None else people[self.person] & items[self.item]
        return Opinions(
            item=self.item[rows],
            person=self.person[rows],
            choice=self.choice[rows],
            on_left=self.on_left[rows],
            names=self.names,
        )


@dataclass(frozen=True, kw_only=True)
class Populations:
    """`groups` (names of their members, the largest first) is empty where one truth fits.

    Those who share the common view leave no remainders of their own: they are the people in no group.
    """

    groups: list[list[str]]
    looked_at: int  # people
    p: float | None  # of the first split, from the randomisation
    inside: float | None  # share of pairs that agree within a population, on items the split was not made from
    across: float | None  # and between two
    difference: Estimate | None  # inside less across


def populations(rows: Sequence[Compared], seed: int = 0) -> Populations:
    """The populations of these judgments."""
    opinions = opinions_of(rows)
    people = np.unique(opinions.person)
    none = Populations(groups=[], looked_at=len(people), p=None, inside=None, across=None, difference=None)
    if len(people) < 2 * LEAST_GROUP:
        return none
    dice = np.random.default_rng(seed)
    everyone = np.isin(np.arange(len(opinions.names)), people)
    groups, p = split(opinions, everyone, dice)
    if len(groups) < 2:
        return replace(none, p=p)
    named = [clear_members(opinions, group, everyone) for group in groups]
    named = [group for group in named if group.sum() >= LEAST_GROUP]
    if not named:
        return replace(none, p=p)
    inside, across, difference = held_out(opinions, everyone, dice)
    return Populations(
        groups=sorted(([opinions.names[n] for n in np.flatnonzero(group)] for group in named), key=len, reverse=True),
        looked_at=len(people),
        p=p,
        inside=inside,
        across=across,
        difference=difference,
    )


def opinions_of(rows: Sequence[Compared]) -> Opinions:
    """The judgments of the busiest people on items that at least two of them judged."""
    item, _ = numbered(row.item for row in rows)
    person, names = numbered(row.annotator for row in rows)
    kept = newest(item, person)
    for _ in range(2):  # leaving people out leaves items with one judgment, and the other way round
        judged = np.bincount(person[kept], minlength=len(names))
        busiest = np.isin(np.arange(len(names)), np.argsort(-judged, kind="stable")[:MOST_PEOPLE])
        kept = kept[((judged >= LEAST_JUDGMENTS) & busiest)[person[kept]]]
        kept = kept[np.bincount(item[kept], minlength=len(rows) + 1)[item[kept]] > 1]
    kept = kept[np.argsort(item[kept], kind="stable")]
    worth = {"a": 1.0, "tie": 0.0, "b": -1.0}
    return Opinions(
        item=item[kept],
        person=person[kept],
        choice=np.array([worth[rows[n].choice] for n in kept]),
        on_left=np.array([-1.0 if rows[n].swapped else 1.0 for n in kept]),
        names=[str(name) for name in names],
    )


# ---------------------------------------------------------------- splitting


def without_side(opinions: Opinions) -> Floats:
    """The choices without each person's liking for a side of the screen."""
    people = len(opinions.names)
    on_screen = opinions.choice * opinions.on_left
    liking = summed(opinions.person, on_screen, people) / np.maximum(np.bincount(opinions.person, minlength=people), 1)
    return (on_screen - liking[opinions.person]) * opinions.on_left


def competence(pairs: Pairs, said: Floats) -> Floats:
    """How much each person goes with the one truth that fits best: the mean of the product of two people's choices
    is the product of their competences (minimum residuals, Harman and Jones 1966)."""
    product = said[pairs.first] * said[pairs.second]
    ends = np.concatenate([pairs.one, pairs.other])
    partner = np.concatenate([pairs.other, pairs.one])
    found = np.full(pairs.annotators, sqrt(max(float(product.mean()), 0.01)))
    for _ in range(ROUNDS):
        mass = summed(ends, found[partner] ** 2, pairs.annotators)
        fresh = summed(ends, np.tile(product, 2) * found[partner], pairs.annotators) / np.maximum(mass, 1e-9)
        found = (found + np.clip(fresh, -1.0, 1.0)) / 2
    return found


def apart(opinions: Opinions, pairs: Pairs, said: Floats) -> tuple[Floats, Floats]:
    """What is said taken apart: what one truth explains (of each item what its people's competences have in common)
    and the remainder."""
    able = competence(pairs, said)[opinions.person]
    items = pairs.items
    truth = summed(opinions.item, able * said, items) / np.maximum(summed(opinions.item, able**2, items), 1e-6)
    explained = able * truth[opinions.item]
    return explained, said - explained


def affinity(pairs: Pairs, left: Floats, person: Ints, people: Ints) -> Floats:
    """How much the remainders `left` of any two of `people` go together, each person scaled to one."""
    count = len(people)
    place = np.zeros(int(people.max()) + 1, dtype=np.int64)
    place[people] = np.arange(count)
    judged = np.bincount(place[person], minlength=count)
    scale = np.sqrt(summed(place[person], left**2, count) + LEAST_SPREAD * judged)
    cell = place[pairs.one] * count + place[pairs.other]
    half = summed(cell, left[pairs.first] * left[pairs.second], count * count).reshape(count, count)
    return np.asarray((half + half.T) / np.outer(scale, scale))


def split(opinions: Opinions, everyone: Bools, dice: np.random.Generator) -> tuple[list[Bools], float | None]:
    """These people in groups, split for as long as one truth does not explain what they say."""
    mine = opinions.of(everyone)
    people = np.flatnonzero(everyone)
    if len(people) < 2 * LEAST_GROUP or not len(mine.item):
        return [everyone], None
    pairs = _pairs(mine)
    explained, left = apart(mine, pairs, without_side(mine))
    values, vectors = np.linalg.eigh(affinity(pairs, left, mine.person, people))
    sides = [_mask(people[vectors[:, -1] > 0], everyone), _mask(people[vectors[:, -1] <= 0], everyone)]
    if min(side.sum() for side in sides) < LEAST_GROUP:
        return [everyone], 1.0
    larger = 0
    for _ in range(RESAMPLES):
        said = explained + left * dice.choice((-1.0, 1.0), len(left))
        again = apart(mine, pairs, said)[1]
        larger += int(np.linalg.eigvalsh(affinity(pairs, again, mine.person, people))[-1] >= values[-1])
    p = (1 + larger) / (1 + RESAMPLES)
    if p > LEVEL:
        return [everyone], p
    return [group for side in sides for group in split(opinions, side, dice)[0]], p


def _pairs(opinions: Opinions) -> Pairs:
    return pairs_of(opinions.item, opinions.person, opinions.choice.astype(np.int64))


def _mask(people: Ints, like: Bools) -> Bools:
    mask = np.zeros_like(like)
    mask[people] = True
    return mask


def clear_members(opinions: Opinions, group: Bools, everyone: Bools) -> Bools:
    """Those of the group whose own remainders go with the others'."""
    mine = opinions.of(everyone)
    pairs = _pairs(mine)
    left = apart(mine, pairs, without_side(mine))[1]
    both = group[pairs.one] & group[pairs.other]
    product = left[pairs.first[both]] * left[pairs.second[both]]
    ends = np.concatenate([pairs.one[both], pairs.other[both]])
    together = summed(ends, np.tile(product, 2), len(group))
    error = np.sqrt(summed(ends, np.tile(product**2, 2), len(group)))
    return group & (together > MEMBER * error) & (error > 0)


# ---------------------------------------------------------------- how far they differ


def held_out(opinions: Opinions, everyone: Bools, dice: np.random.Generator) -> tuple[float, float, Estimate]:
    """Agreement within and between the two sides of the first split, each half of the items measured with the
    split of the other half: a split always looks good on what it was made from."""
    half = dice.random(int(opinions.item.max()) + 1) < 0.5
    pairs = _pairs(opinions)
    sides = [_sides(opinions.of(everyone, items), len(everyone)) for items in (half, ~half)]
    of_other = np.where(half[pairs.item], 1, 0)  # which split a pair is measured with
    side = np.stack(sides)
    one, other = side[of_other, pairs.one], side[of_other, pairs.other]
    inside, across = (one * other > 0).astype(float), (one * other < 0).astype(float)
    here, there = pairs.weight * inside, pairs.weight * across
    here, there = here / here.sum(), there / there.sum()
    agreed, between = float(here @ pairs.same), float(there @ pairs.same)
    influence = here * (pairs.same - agreed) - there * (pairs.same - between)
    return agreed, between, normal(agreed - between, sqrt(clustered_variance(pairs, influence)))


def _sides(opinions: Opinions, people: int) -> Floats:
    """The side of each person by the leading eigenvector: 1 or -1; 0 for whoever judged nothing of these."""
    seen = np.unique(opinions.person)
    pairs = _pairs(opinions)
    left = apart(opinions, pairs, without_side(opinions))[1]
    vector = np.linalg.eigh(affinity(pairs, left, opinions.person, seen))[1][:, -1]
    side = np.zeros(people)
    side[seen] = np.where(vector > 0, 1.0, -1.0)
    return side

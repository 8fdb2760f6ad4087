"""Rings: people who make the same mistakes, and avoid the same ones, more often than chance explains.

How many of a task's other judges make its most frequent mistake says how misleading it is; *which* of them do says
nothing more of somebody, unless they go by each other's word. So the chance p of a mistake is learned from the crowd:
how often people who dissent as much as x make it, where as many judge and as many of the others make it.

A ring grows from its pairs. Who shares mistakes with somebody is suspected a little; then, in a few rounds, everybody
is suspected as far as they err where suspects err and are right where suspects are right, beyond p.

The evidence against x is the product of the likelihood ratios of x's answers, a member's chances to p. The suspects it
holds x against are found anew from the other people alone. So if x errs with chance p whoever of the others does, the
mean of each factor is 1 and the product an e-value, as far as p is right. A share of the capital (PAIRED) is bet on
every other person singly: that finds rings of two. e-BH over the annotators keeps the false discovery rate of a look.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from streams.events import Choice
from streams.quality.discovery import accused
from streams.quality.pairs import Bools, Floats, Ints, numbered, pairs_of, summed
from streams.quality.ring import ENOUGH, Answered, Member

KEPT = 0.8  # how often a member keeps to the ring's word, as the bets have it
SUSPECT = 0.05  # probability beforehand that somebody is in a ring
PAIR = 0.001  # probability beforehand that two people make one
ROUNDS = 3  # of growth
PAIRED = 0.2  # share of the capital that is bet on single others
FEW = 5  # judgments below which nobody is suspected
PRIOR = 5.0  # judgments at the crowd's rate that a person or a kind of task starts from; mistakes that a group does
GROUPS, MEMBERS = 5, 10  # of people who dissent alike: so many groups at most, so many people in each at least
FOLDS = 40  # growths without somebody, at most: what a look costs stays bounded
MOST_LIKELY = 0.9  # chance is never taken for more
SURE = 0.999  # suspicion is never more
CEILING = 1e9  # evidence above this says nothing more
NOBODY: Ints = np.array([], np.int64)


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Judgments as arrays, one entry each; people by number."""

    names: Sequence[str]
    counts: Ints  # judgments by person
    task: Ints
    who: Ints
    erred: Bools  # makes the task's most frequent mistake
    chance: Floats  # of that, as the others' answers have it


@dataclass(frozen=True, kw_only=True)
class Found:
    """Every ordered pair of people who share a task, one entry each: what speaks against `one`, given the other."""

    one: Ints
    other: Ints
    evidence: Floats


def rings(tasks: Sequence[Answered], rate: float) -> list[tuple[Member, ...]]:
    """Those who collude, if at most this share of the accused may be innocent; the largest ring first."""
    if not any(map(dissenters, tasks)):
        return []
    judged = judged_of(tasks)
    found = pairs(judged)
    suspects = grown(judged, found)
    tested = np.flatnonzero(judged.counts >= ENOUGH)
    worth = tested[against(judged, found, suspects)[tested] * rate > 1.0]  # no other could be accused
    evidence = dict(_apart(judged, found, worth))
    guilty = accused(evidence, rate, hypotheses=len(tested))
    members = {x: _member(judged, suspects, x, evidence[x]) for x in guilty}
    joint = [[members[x] for x in ring] for ring in joined(_linked(found, guilty))]
    together = [tuple(sorted(ring, key=lambda one: one.annotator)) for ring in joint]
    return sorted(together, key=lambda ring: (-len(ring), ring[0].annotator))


# ---------------------------------------------------------------- chance


def dissenters(task: Answered) -> list[str]:
    """Those who say the most frequent wrong thing."""
    groups: dict[Choice, list[str]] = defaultdict(list)
    for who, choice in task.choices.items():
        if choice != task.answer:
            groups[choice].append(who)
    return max(groups.values(), key=len, default=[])


def judged_of(tasks: Iterable[Answered]) -> Judged:
    """The tasks as arrays."""
    rows = [
        (number, who, who in wrong)
        for number, (task, wrong) in enumerate((task, set(dissenters(task))) for task in tasks)
        for who in sorted(task.choices)
    ]
    who, names = numbered(row[1] for row in rows)
    task, erred = np.array([row[0] for row in rows], np.int64), np.array([row[2] for row in rows], bool)
    counts = np.bincount(who, minlength=len(names))
    return Judged(
        names=[str(name) for name in names],
        counts=counts,
        task=task,
        who=who,
        erred=erred,
        chance=_chance(task, who, erred),
    )


def _chance(task: Ints, who: Ints, erred: Bools) -> Floats:
    """How often somebody who dissents as much errs where as many judge, and as many of the others err."""
    judges, others = np.bincount(task)[task], np.bincount(task, erred)[task] - erred
    relative = _rates(who, erred) / float(erred.mean())
    expected = np.minimum(relative * _rates(_kinds(judges, others), erred), MOST_LIKELY)
    alike = _kinds(_group(who, relative), judges, others)
    excess = (np.bincount(alike, erred) + PRIOR) / (np.bincount(alike, expected) + PRIOR)
    chance: Floats = np.minimum(expected * excess[alike], MOST_LIKELY)
    return chance


def _group(who: Ints, relative: Floats) -> Ints:
    """Who dissents alike: the number of the group, for each judgment. Without groups the best would pass for a ring,
    as they are hardly ever wrong where nobody else is."""
    groups = max(1, min(GROUPS, (int(who.max()) + 1) // MEMBERS))
    return np.searchsorted(np.quantile(relative, np.arange(1, groups) / groups), relative).astype(np.int64)


def _kinds(*features: Ints | Floats) -> Ints:
    """The judgments with the same features have the same number."""
    _, kind = np.unique(np.stack(features), axis=1, return_inverse=True)
    numbers: Ints = kind.reshape(-1)
    return numbers


def _rates(kind: Ints, erred: Bools) -> Floats:
    """The share that erred among the judgments of the same kind, for each judgment."""
    prior = PRIOR * erred.mean()
    rates: Floats = (np.bincount(kind, erred) + prior) / (np.bincount(kind) + PRIOR)
    return rates[kind]


# ---------------------------------------------------------------- evidence


def bets(chance: Floats, erred: Bools, wrong: Floats, right: Floats) -> Floats:
    """Log likelihood ratios of a member to chance; `wrong`, `right`: how probably a mate errs there, or is right."""
    member = chance + KEPT * (wrong * (1.0 - chance) - right * chance)
    ratios: Floats = np.where(erred, np.log(member / chance), np.log((1.0 - member) / (1.0 - chance)))
    return ratios


def pairs(judged: Judged) -> Found:
    """Everybody who is often enough there against everybody else who is."""
    met = pairs_of(judged.task, judged.who, judged.erred.astype(np.int64))
    mine, theirs = np.concatenate([met.first, met.second]), np.concatenate([met.second, met.first])
    often = np.minimum(judged.counts[judged.who[mine]], judged.counts[judged.who[theirs]]) >= FEW
    mine, theirs = mine[often], theirs[often]
    people = len(judged.names)
    keys, pair = np.unique(judged.who[mine] * people + judged.who[theirs], return_inverse=True)
    wrong = judged.erred[theirs].astype(np.float64)
    told = bets(judged.chance[mine], judged.erred[mine], wrong, 1.0 - wrong)
    return Found(one=keys // people, other=keys % people, evidence=_product(pair, told, len(keys)))


def held(judged: Judged, suspects: Floats) -> Floats:
    """The evidence against everybody, given how much each of the others is suspected, in [0, SURE]."""
    innocent = np.log1p(-suspects)[judged.who]
    wrong, right = innocent * judged.erred, innocent * ~judged.erred  # without one's own:
    none_wrong = np.exp(np.bincount(judged.task, wrong)[judged.task] - wrong)
    none_right = np.exp(np.bincount(judged.task, right)[judged.task] - right)
    told = bets(judged.chance, judged.erred, (1 - none_wrong) * none_right, (1 - none_right) * none_wrong)
    return _product(judged.who, told, len(judged.names))


def against(judged: Judged, found: Found, suspects: Floats) -> Floats:
    """The evidence against everybody: a share of the capital was bet on single others, the rest on all suspects."""
    people = len(judged.names)
    single = summed(found.one, found.evidence, people) / np.maximum(np.bincount(found.one, minlength=people), 1)
    return PAIRED * single + (1.0 - PAIRED) * held(judged, suspects)


def _apart(judged: Judged, found: Found, people: Ints) -> Iterator[tuple[int, float]]:
    """The evidence against each of them by suspects that were grown without them; each alone, or in folds if many."""
    for fold in (people[number::FOLDS] for number in range(min(FOLDS, len(people)))):
        evidence = against(judged, found, grown(judged, found, fold))
        yield from ((int(x), float(evidence[x])) for x in fold)


def _product(of: Ints, logs: Floats, size: int) -> Floats:
    """The product of the ratios of each number from 0 to size - 1."""
    return np.exp(np.minimum(summed(of, logs, size), np.log(CEILING)))


# ---------------------------------------------------------------- growth


def grown(judged: Judged, found: Found, without: Ints = NOBODY) -> Floats:
    """How much everybody is suspected of being in a ring, in [0, SURE]; `without` some, as if they were never there."""
    others = ~(np.isin(found.one, without) | np.isin(found.other, without))
    strongest = np.ones(len(judged.names))
    np.maximum.at(strongest, found.one[others], found.evidence[others])
    suspects = suspicion(strongest, PAIR)
    for _ in range(ROUNDS):
        suspects = np.where(judged.counts >= FEW, suspicion(held(judged, suspects), SUSPECT), 0.0)
        suspects[without] = 0.0
    return suspects


def suspicion(evidence: Floats, prior: float) -> Floats:
    """The posterior probability; none where the evidence speaks for somebody."""
    odds = evidence * prior / (1.0 - prior)
    return np.where(evidence > 1.0, np.minimum(odds / (1.0 + odds), SURE), 0.0)


# ---------------------------------------------------------------- rings


def _member(judged: Judged, suspects: Floats, x: int, evidence: float) -> Member:
    """What x has in common with those who are suspected more likely than not."""
    theirs = (suspects[judged.who] > 0.5) & (judged.who != x)
    tasks = int(judged.task.max()) + 1
    present = np.bincount(judged.task, theirs, tasks) > 0
    misled = np.bincount(judged.task, theirs & judged.erred, tasks) > 0
    mine = judged.who == x
    with_mistake = mine & misled[judged.task]
    return Member(
        annotator=judged.names[x],
        shared=int((mine & present[judged.task]).sum()),
        together=int((with_mistake & judged.erred).sum()),
        expected=float(judged.chance[with_mistake].sum()),
        evidence=evidence,
    )


def _linked(found: Found, guilty: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The pairs of them that chance explains less well than a ring. Nobody is a ring alone."""
    linked = np.isin(found.one, guilty) & np.isin(found.other, guilty) & (found.evidence > 1.0)
    yield from zip(found.one[linked].tolist(), found.other[linked].tolist(), strict=True)


def joined(linked: Iterable[tuple[int, int]]) -> list[tuple[int, ...]]:
    """The pairs joined where they share a member."""
    of: dict[int, set[int]] = {}
    for one, other in linked:
        merged = of.get(one, {one}) | of.get(other, {other})
        of |= dict.fromkeys(merged, merged)
    return [tuple(sorted(ring)) for ring in {id(ring): ring for ring in of.values()}.values()]

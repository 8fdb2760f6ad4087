"""Pairs and rings: people who make the same mistakes together more often than mistakes meet by chance.

Agreeing on the right answer proves nothing, so of the tasks whose answer stands only those count that at least one of
the two gets wrong. How many of the task's *other* judges make the same mistake says how misleading it is; times a
person's relative rate of dissent that is the probability p of their mistake. Were the two independent, then given one
mistake both would make it with probability pp'/(p + p' - pp'). A bet against that for each pair of people, multiplied
over their tasks, is an e-value as far as this model of chance holds (chance is taken a quarter larger, for safety);
e-BH over all pairs keeps the false discovery rate, and pairs that share a member make a ring.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from operator import mul

from msgspec.structs import replace

from streams.events import Choice, Struct
from streams.quality.discovery import accused
from streams.quality.sequential import ratios

Pair = tuple[str, str]
MOST_LIKELY = 0.6  # above this, dissenting together is no evidence against anybody
ALTERNATIVES = (0.3, 0.9)  # of the way from chance to always together
DIFFICULTY = 1.25  # chance is taken this much larger: some texts mislead some people in the same way
FEW = 5  # shared tasks below which a pair is not looked at
PRIOR = 5.0  # judgments at the crowd's rate of dissent that everybody starts from


class Answered(Struct, frozen=True, kw_only=True):
    """A task whose answer stands: who said what."""

    answer: Choice
    choices: Mapping[str, Choice]


class Together(Struct, frozen=True, kw_only=True):
    """What a pair has in common."""

    shared: int = 0
    together: int = 0  # tasks on which both made the same mistake
    expected: float = 0.0  # of them by chance
    capitals: tuple[float, ...] = (1.0,) * len(ALTERNATIVES)

    @property
    def evidence(self) -> float:
        """The e-value."""
        return sum(self.capitals) / len(self.capitals)


def dissenters(task: Answered) -> list[str]:
    """Those who say the most frequent wrong thing."""
    groups: dict[Choice, list[str]] = defaultdict(list)
    for who, choice in task.choices.items():
        if choice != task.answer:
            groups[choice].append(who)
    return max(groups.values(), key=len, default=[])


def relative_dissent(tasks: Sequence[Answered]) -> dict[str, float]:
    """How often each one dissents, as a multiple of the crowd's rate."""
    dissents: dict[str, int] = defaultdict(int)
    seen: dict[str, int] = defaultdict(int)
    for task in tasks:
        for who, choice in task.choices.items():
            seen[who] += 1
            dissents[who] += choice != task.answer
    crowd = max(sum(dissents.values()), 1) / max(sum(seen.values()), 1)
    return {who: (dissents[who] + PRIOR * crowd) / (n + PRIOR) / crowd for who, n in seen.items()}


def pairs(tasks: Sequence[Answered]) -> dict[Pair, Together]:
    """Every pair that shares enough tasks."""
    relative, shared = relative_dissent(tasks), Counter[Pair]()
    found: dict[Pair, Together] = defaultdict(Together)
    for task in tasks:
        wrong, n = set(dissenters(task)), len(task.choices)
        met = list(combinations(sorted(task.choices), 2))
        shared.update(met)  # most pairs make no mistake: they are counted, and no more
        for one, other in met if wrong else ():
            company = (one in wrong) + (other in wrong)
            if company:
                misleading = (len(wrong) - company + 0.5) / (n - 1)
                p, q = min(misleading * relative[one], MOST_LIKELY), min(misleading * relative[other], MOST_LIKELY)
                chance = DIFFICULTY * p * q / (p + q - p * q)
                found[one, other] = _erred(found[one, other], chance, company == 2)
    return {pair: replace(found[pair], shared=count) for pair, count in shared.items() if count >= FEW}


def _erred(one: Together, chance: float, together: bool) -> Together:
    """With another mistake of one of them, or of both; where nearly everybody makes it, nothing is bet."""
    capitals = one.capitals
    if chance < MOST_LIKELY:
        bets = ratios(together, chance, [chance + share * (1.0 - chance) for share in ALTERNATIVES])
        capitals = tuple(map(mul, capitals, bets))
    return Together(
        together=one.together + together,
        expected=one.expected + min(chance, 1.0),
        capitals=capitals,
    )


def rings(found: Mapping[Pair, Together], rate: float) -> list[tuple[str, ...]]:
    """Those who collude, if at most this share of the accused pairs may be innocent; the largest ring first."""
    guilty = accused({pair: one.evidence for pair, one in found.items()}, rate)
    return sorted(joined(guilty), key=lambda ring: (-len(ring), ring))


def joined(guilty: Iterable[Pair]) -> list[tuple[str, ...]]:
    """The pairs joined where they share a member."""
    of: dict[str, set[str]] = {}
    for one, other in guilty:
        merged = of.get(one, {one}) | of.get(other, {other})
        of |= dict.fromkeys(merged, merged)
    return [tuple(sorted(ring)) for ring in {id(ring): ring for ring in of.values()}.values()]

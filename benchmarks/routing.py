"""What routing saves and what it asks of people: judgments a pair beside requests that find nothing. Prints a table.

    python -m benchmarks.routing [--target 0.9] [--seed 0] [--pairs 5000]

The crowds of benchmarks.crowds: 60 people of whom nothing is known, no gold. *Requests a judgment* are counted until
the last judgment; *waited* is the most requests in a row that found nothing, before one that found something, of
somebody who is not asked seldom; *busiest three* is what the three who judged most have of all judgments.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from benchmarks.crowds import BEGIN, BETWEEN_MS, GIVEN_UP, Crowd
from services.simulation.campaign import InMemoryCampaign
from streams.events import Campaign, Rule, Targets

JUDGMENTS = 2.5  # a pair, expected; the adversaries turn after a share of them
DAY_MS = 86_400_000


@dataclass(frozen=True, kw_only=True)
class Routed:
    """Of one campaign. Shares are of all pairs (right), of the honest (suspended), of all judgments (busiest)."""

    judgments: float  # a pair
    right: float
    honest_suspended: float
    requests: float  # a judgment
    waited: int
    busiest: float
    days: float


class Visits:
    """Who asked when, and what for."""

    def __init__(self) -> None:
        self.requests = 0
        self.judged: Counter[str] = Counter()
        self.until_last = 0  # requests until the last judgment
        self.waited = 0
        self._waiting: Counter[str] = Counter()

    def note(self, who: str, *, found: bool, is_seldom: bool) -> None:
        """One request, and whether it found a task."""
        self.requests += 1
        if is_seldom:
            self._waiting[who] = 0
        elif not found:
            self._waiting[who] += 1
        if found:
            self.judged[who] += 1
            self.until_last = self.requests
            self.waited = max(self.waited, self._waiting.pop(who, 0))


def campaign(crowd: Crowd, target: float) -> Routed:
    """People come and are given tasks until there is nothing left for anybody."""
    targets = Targets(posterior=target, overlap_cap=12)
    run = InMemoryCampaign(Campaign(name="crowd", version=1, rules=(Rule(overlap=1),), targets=targets, gold_rate=0.0))
    for pair in range(len(crowd.truth)):
        run.add_pair(str(pair), at=BEGIN)
    visits, now = Visits(), BEGIN
    while visits.requests - visits.until_last < GIVEN_UP:
        who, now = crowd.somebody(), now + BETWEEN_MS
        grant = run.next_task(str(who), now)
        visits.note(str(who), found=grant is not None, is_seldom=run.grade(str(who)) == "seldom")
        if grant is not None:
            choice = crowd.answer(who, int(grant.facts.correlation), grant.swapped)
            run.judge(grant, choice, now + 1, shown_at=now - 40_000)
    return routed(crowd, run, visits)


def routed(crowd: Crowd, run: InMemoryCampaign, visits: Visits) -> Routed:
    """Compares with the truth; a pair that has no verdict is not right."""
    honest, suspended = crowd.honest(), run.suspended()
    right = sum(one.verdict == crowd.truth[int(pair)] for pair, one in run.closed().items())
    return Routed(
        judgments=run.judgments / len(crowd.truth),
        right=right / len(crowd.truth),
        honest_suspended=sum(who in suspended for who in honest) / len(honest),
        requests=visits.until_last / run.judgments,
        waited=visits.waited,
        busiest=sum(count for _, count in visits.judged.most_common(3)) / run.judgments,
        days=visits.until_last * BETWEEN_MS / DAY_MS,
    )


def table_of(targets: Sequence[float], seeds: Sequence[int], pairs: int) -> Table:
    """One line a campaign."""
    table = Table("target", "seed", "judgments a pair", "right", "honest suspended")
    for heading in ("requests a judgment", "waited", "busiest three", "days"):
        table.add_column(heading)
    for target in targets:
        for seed in seeds:
            one = campaign(Crowd(seed, pairs, 0.0, JUDGMENTS), target)
            table.add_row(
                f"{target:g}", str(seed), f"{one.judgments:.2f}", f"{one.right:.4f}", f"{one.honest_suspended:.1%}",
                f"{one.requests:.2f}", str(one.waited), f"{one.busiest:.2f}", f"{one.days:.2f}",
            )  # fmt: skip
    return table


def main(arguments: Sequence[str] | None = None) -> None:
    """The table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", type=float, action="append", help="may be given several times; 0.9 if not given")
    parser.add_argument("--seed", type=int, action="append", help="may be given several times; 0 to 4 if not given")
    parser.add_argument("--pairs", type=int, default=5000)
    told = parser.parse_args(arguments)
    Console(width=120).print(table_of(told.target or [0.9], told.seed or range(5), told.pairs))


if __name__ == "__main__":
    main()

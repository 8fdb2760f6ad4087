"""What a higher target was said to cost, beside what a campaign with that target bought. Prints a table.

    python -m benchmarks.next_point [--seeds 8] [--first 0]

A campaign of 500 pairs ends at a target of 0.8, and its outlook gives a price for each higher target; then the same
crowd works a campaign that had that target from the start. Thirty honest people of accuracy 0.8 on average, items whose
difficulty has an sd of 0.4 on the log-odds.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

from rich.console import Console
from rich.table import Table

from benchmarks.crowds import Crowd, worked
from services.simulation.campaign import InMemoryCampaign
from streams.events import Targets
from streams.quality.decided import Decided
from streams.quality.intervals import Estimate
from streams.quality.next_point import Outlook, outlook

PAIRS, HONEST = 500, 30
BEGUN, HIGHER = 0.8, (0.85, 0.9, 0.95)  # targets


@dataclass(frozen=True, kw_only=True)
class Compared:
    """Judgments a pair more than at the first target: foretold, with its interval, and bought."""

    foretold: Estimate
    bought: float

    @property
    def covered(self) -> bool:
        """Whether the interval holds what was bought."""
        return self.foretold.low <= self.bought <= self.foretold.high


def crowd(seed: int) -> Crowd:
    """Honest people alone."""
    made = Crowd(seed, PAIRS, 0.4, 3.0)
    made.kind, made.activity = ["honest"] * HONEST, made.activity[:HONEST]
    made.accuracy = [made.draw.betavariate(0.8 * 12, 0.2 * 12) for _ in made.kind]
    return made


def campaign(seed: int, target: float) -> tuple[InMemoryCampaign, list[Decided]]:
    """At its end, and its verdicts in their order."""
    run, said = worked(crowd(seed), Targets(posterior=target, overlap_cap=12), 1)
    last = {one.item: number for number, one in enumerate(said)}
    closed = sorted(run.closed().items(), key=lambda each: last[each[0]])
    return run, [
        Decided(belief=max(one.posterior), judgments=one.judgments, target=target if one.reached == "target" else None)
        for _, one in closed
        if one.reached != "adjudicated"
    ]


def compared(seed: int) -> dict[float, Compared]:
    """By higher target."""
    run, decided = campaign(seed, BEGUN)
    found = outlook(decided)
    assert found is not None
    bought = {target: (campaign(seed, target)[0].judgments - run.judgments) / PAIRS for target in HIGHER}
    return {target: Compared(foretold=more(found, target), bought=bought[target]) for target in HIGHER}


def more(found: Outlook, target: float) -> Estimate:
    """Judgments a task that the outlook asks for beyond those there are."""
    price = next(point.judgments for point in found.points if point.target == target)
    now = found.judgments.value
    return Estimate(value=price.value - now, low=price.low - now, high=price.high - now)


def main(arguments: Sequence[str] | None = None) -> None:
    """The table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=8, help="crowds")
    parser.add_argument("--first", type=int, default=0, help="seed of the first")
    options = parser.parse_args(arguments)
    found = [compared(seed) for seed in range(options.first, options.first + options.seeds)]
    table = Table(
        "from 0.8 to", "foretold, judgments a pair more", "bought", "off by, on average", "interval", "covered"
    )
    for target in HIGHER:
        rows = [each[target] for each in found]
        table.add_row(
            f"{target:.2f}",
            f"{mean(one.foretold.value for one in rows):.2f}",
            f"{mean(one.bought for one in rows):.2f}",
            f"{mean(abs(one.foretold.value - one.bought) for one in rows):.2f}",
            f"{mean(one.foretold.high - one.foretold.low for one in rows):.2f} wide",
            f"{sum(one.covered for one in rows)} of {len(rows)}",
        )
    Console(width=120).print(table)


if __name__ == "__main__":
    main()

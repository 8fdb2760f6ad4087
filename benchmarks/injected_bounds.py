"""How many of the injected bad annotators any test could find (benchmarks/injected.py). Prints a table.

    python -m benchmarks.injected_bounds [--data FOLDER] [--share 0.1] [--seeds 4]

Each is tried by the likelihood ratio of what they do to what is forgiven (an accuracy of 0.65, one answer of five too
fast), told all that it says: the truth of every pair, the kind, their accuracy, the begin. It accuses at 1,000 to 1, as
the tests in use do, over the judgments that the annotator really gave. Who is not found here cannot be known from so
few judgments while nobody who is forgiven is accused; who is found here alone was missed for want of the truth.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from math import log
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.injected import ACCURACY, ENOUGH, ROOT, Row, injected, of, read
from services.simulation.annotators import COPIED, Archetype
from streams.quality import speed
from streams.quality.floor import FLOOR

SURE = log(1000.0)  # of the capital that accuses
SINCE = 0.4  # share of their judgments after which adversaries and sybils begin
TOO_FAST = 0.386  # share of the sybils' answers there, as counted
Items = Mapping[str, dict[str, Any]]


def is_found(ratios: Iterable[float]) -> bool:
    """Whether the product of the likelihood ratios ever accuses."""
    return any(sum_ >= SURE for sum_ in accumulate(map(log, ratios)))


def by_accuracy(items: Items, rows: Sequence[Row], kind: Archetype) -> Iterator[float]:
    """One annotator's ratios of the accuracy that they have by then to the floor, told the truth."""
    for number, row in enumerate(rows):
        accuracy = accuracy_of(kind, number / len(rows))
        truth = items[row.item]["consensus"]
        if accuracy < FLOOR and truth in ("a", "b") and row.choice != "tie":
            is_right = row.choice == truth
            yield accuracy / FLOOR if is_right else (1 - accuracy) / (1 - FLOOR)


def accuracy_of(kind: Archetype, progress: float) -> float:
    """The mean of that kind when that share of their judgments is given."""
    if kind == "drifting":
        return ACCURACY + (0.5 - ACCURACY) * progress
    if kind == "adversarial":
        return 1 - ACCURACY if progress >= SINCE else ACCURACY
    return 0.5


def by_speed(items: Items, rows: Sequence[Row]) -> Iterator[float]:
    """A sybil's ratios of too fast answers, told the begin and how many there are."""
    for row in rows[round(SINCE * len(rows)) :]:
        length = len(items[row.item]["a"]) + len(items[row.item]["b"])
        is_fast = row.seconds < min(length / speed.SKIM, speed.ENOUGH)
        yield TOO_FAST / speed.NULL if is_fast else (1 - TOO_FAST) / (1 - speed.NULL)


def by_partners(items: Items, rows: Sequence[Row], others: Mapping[str, Sequence[Row]]) -> Iterator[float]:
    """A member's ratios of making the same mistakes, told the truth and who else is in the ring.

    `others` are the rows of those, by item. Only where they are wrong can an honest annotator be told from a member.
    """
    for row in rows:
        said = Counter(other.choice for other in others.get(row.item, ()) if other.annotator != row.annotator)
        wrong = {"a": "b", "b": "a"}.get(items[row.item]["consensus"])
        if said and said.most_common(1)[0][0] == wrong and row.choice != "tie":
            yield COPIED / (1 - FLOOR) if row.choice == wrong else (1 - COPIED) / FLOOR


def by_person(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """The rows of each annotator."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row.annotator].append(row)
    return found


def counted(items: Items, rows: Sequence[Row], share: float, seeds: Sequence[int]) -> Table:
    """One line for each kind and what is told besides the truth."""
    table = Table("kind", "told", f"found, of those with {ENOUGH} judgments or more")
    cases: tuple[tuple[Archetype, str], ...] = (
        ("random", "accuracy"),
        ("drifting", "accuracy"),
        ("adversarial", "accuracy"),
        ("sybil", "speed"),
        ("ring", "accuracy"),
        ("ring", "the others in the ring"),
        ("ring", "one other"),
    )
    for kind, told in cases:
        results = [one for seed in seeds for one in tried(items, *injected(items, rows, kind, share, seed), kind, told)]
        table.add_row(kind, told, of(sum(results), len(results)))
    return table


def tried(items: Items, rows: Sequence[Row], who: set[str], kind: Archetype, told: str) -> Iterator[bool]:
    """Of each busy injected annotator, whether they are found."""
    people = by_person(row for row in rows if row.annotator in who)
    shared: dict[str, list[Row]] = defaultdict(list)
    for row in (row for mine in people.values() for row in mine):
        shared[row.item].append(row)
    for mine in (mine for mine in people.values() if len(mine) >= ENOUGH):
        if told == "accuracy":
            yield is_found(by_accuracy(items, mine, kind))
        elif told == "speed":
            yield is_found(by_speed(items, mine))
        elif told == "one other":
            yield any(is_found(by_partners(items, mine, by_item)) for by_item in partners(mine, shared))
        else:
            yield is_found(by_partners(items, mine, shared))


def partners(mine: Sequence[Row], shared: Mapping[str, Sequence[Row]]) -> Iterator[dict[str, list[Row]]]:
    """For each of the others who judged some of the same pairs, their rows by item."""
    met = by_person(other for row in mine for other in shared[row.item] if other.annotator != row.annotator)
    yield from ({row.item: [row] for row in theirs} for theirs in met.values())


def main() -> None:
    """The table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = os.environ.get("PREFLOOP_SHARED_DATA", str(ROOT.parent / "shared" / "data"))
    parser.add_argument("--data", type=Path, default=Path(default), help="folder that holds judgments/")
    parser.add_argument("--share", type=float, default=0.1, help="of the annotators, to be replaced")
    parser.add_argument("--seeds", type=int, default=4)
    options = parser.parse_args()
    folder = options.data / "judgments"
    if not (folder / "ukp_dev_judgments.jsonl.gz").exists():
        print(f"Left out: there is no ukp_dev_judgments.jsonl.gz in {folder}. Name the data's folder with --data.")
        return
    items, rows = read(folder)
    Console(width=120).print(counted(items, rows, options.share, range(options.seeds)))


if __name__ == "__main__":
    main()

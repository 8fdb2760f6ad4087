"""How many of the injected bad annotators any test could find (benchmarks/injected.py). Prints a table.

    python -m benchmarks.injected_bounds [--data FOLDER] [--share 0.1] [--seeds 4]

Each is tried by the likelihood ratio of what they do to what is forgiven (an accuracy of 0.65, one answer of five too
fast), told all that the table says: the truth of every pair, the kind, their accuracy, the begin. It accuses at 1,000
to 1, as the tests in use do, over the judgments that the annotator really gave. Who is not found here cannot be known
from so few judgments while nobody who is forgiven is accused; who is found here alone was missed for want of the truth.
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

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.injected import ACCURACY, ENOUGH, ROOT, Row, injected, of, read
from services.simulation.annotators import COPIED, Archetype
from streams.quality import floor, speed
from streams.quality.consensus import Posterior
from streams.quality.floor import FLOOR
from streams.quality.labelled import Labelled
from streams.quality.refinement import ROUNDS, Judged, fit, joint, learned_share, told

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


def by_others(rows: Sequence[Row], believed: Sequence[Posterior], kind: Archetype) -> Iterator[float]:
    """As `by_accuracy`, told what the others say of each pair (over a, b and tie) in the place of the truth."""
    for number, (row, others) in enumerate(zip(rows, believed, strict=True)):
        accuracy = accuracy_of(kind, number / len(rows))
        if accuracy < FLOOR:
            yield floor.ratios(row.choice, others, [accuracy])[0]


def others_of(rows: Sequence[Row]) -> list[Posterior]:
    """For each judgment what the others say of its pair, by all that is learned of everybody in the end."""
    judged = Judged([Labelled(item=row.item, annotator=row.annotator, choice=row.choice) for row in rows])
    model = fit(judged, learned_share(judged), ROUNDS)
    logs = joint(model, judged)[judged.item] - told(model, judged).reshape(-1, 6)
    shares = np.exp(logs - logs.max(axis=1, keepdims=True)).reshape(-1, 2, 3).sum(axis=1)
    return [(a / (a + b + tie), b / (a + b + tie), tie / (a + b + tie)) for a, b, tie in shares.tolist()]


def is_member(items: Items, rows: Sequence[Row], others: Mapping[str, Sequence[Row]]) -> bool:
    """Whether a member is found who is told the truth and who else is in the ring. `others` are their rows, by item.

    The alternative is a member, who keeps to the ring's word; the null is the accuracy, not below the floor, that
    explains the annotator best. So they are found by being wrong where the ring is, and right where it is right.
    """
    member, right, wrong = 0.0, 0, 0
    for row in rows:
        said = Counter(other.choice for other in others.get(row.item, ()) if other.annotator != row.annotator)
        truth, word = items[row.item]["consensus"], said.most_common(1)[0][0] if said else "tie"
        if truth not in ("a", "b") or word == "tie" or row.choice == "tie":
            continue
        member += log(COPIED if row.choice == word else 1 - COPIED)
        right, wrong = right + (row.choice == truth), wrong + (row.choice != truth)
        if member - honest(right, wrong) >= SURE:
            return True
    return False


def honest(right: int, wrong: int) -> float:
    """The log-likelihood of so many answers under the best accuracy for them that is forgiven."""
    accuracy = min(max(FLOOR, right / (right + wrong)), 1 - 1e-9)
    return right * log(accuracy) + wrong * log(1 - accuracy)


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
        ("adversarial", "accuracy, and the others for the truth"),
        ("sybil", "speed"),
        ("ring", "accuracy"),
        ("ring", "the others in the ring"),
        ("ring", "the others in the ring with as many judgments"),
        ("ring", "one other"),
    )
    for kind, known in cases:
        runs = [injected(items, rows, kind, share, seed) for seed in seeds]
        results = [one for replaced, who in runs for one in tried(items, replaced, who, kind, known)]
        table.add_row(kind, known, of(sum(results), len(results)))
    return table


def tried(items: Items, rows: Sequence[Row], who: set[str], kind: Archetype, known: str) -> Iterator[bool]:
    """Of each busy injected annotator, whether they are found."""
    people = by_person(row for row in rows if row.annotator in who)
    busy = [mine for mine in people.values() if len(mine) >= ENOUGH]
    shared = by_item(row for mine in people.values() for row in mine)
    shared_by_busy = by_item(row for mine in busy for row in mine)
    believed = dict(zip(map(key, rows), others_of(rows), strict=True)) if known.endswith("for the truth") else {}
    for mine in busy:
        if believed:
            yield is_found(by_others(mine, [believed[key(row)] for row in mine], kind))
        elif known == "accuracy":
            yield is_found(by_accuracy(items, mine, kind))
        elif known == "speed":
            yield is_found(by_speed(items, mine))
        elif known == "one other":
            yield any(is_member(items, mine, theirs) for theirs in partners(mine, shared))
        else:
            yield is_member(items, mine, shared_by_busy if known.endswith("as many judgments") else shared)


def key(row: Row) -> tuple[str, str]:
    """Of the judgment."""
    return row.item, row.annotator


def by_item(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """The rows of each pair."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row.item].append(row)
    return found


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

"""Bad annotators injected into real judgments: which of them are suspended or accused, and who else. Prints a table.

    python benchmarks/injected.py [--data FOLDER] [--share 0.1] [--seed 0]

One kind at a time takes the place of a tenth of the annotators of UKPConvArg1 (half of its debates): the same pairs at
the same times, other answers, other seconds, other reasons. The judgments go through the stages as a recorded
campaign, so nobody's later judgments are lost. *Weighed down* is the first degree of an alarm; *accused* is who the
crowd's tests name at the end (rings, copied reasons, bursts), which suspends nobody. FOLDER holds `judgments/`
(PREFLOOP_SHARED_DATA or ../shared/data).
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

import msgspec
from rich.console import Console
from rich.progress import track
from rich.table import Table

from services.replay.recordings import milliseconds
from services.simulation.annotators import ARCHETYPES, Annotator, Archetype, Item, make_crowd
from services.simulation.watch import CrowdWatch
from streams.admission import RawJudgment, RawOutput, Shown, Side, admit_output, facts_of, stamp_judgment
from streams.engines.in_memory import InMemoryLoop
from streams.events import Alert, Campaign, Choice, Event, Judgment, Preference, Standing, Task
from streams.quality.intervals import wilson

ROOT = Path(__file__).parents[1]
CAMPAIGN = Campaign(id="campaign", name="ukp", version=1, mode="recorded")
ENOUGH = 30  # judgments from which an alarm has something to go on
ACCURACY = 0.78  # of what the injected know, where they know anything


@dataclass(frozen=True, kw_only=True)
class Row:
    """One recorded judgment. Times are ms."""

    item: str
    annotator: str
    choice: Choice
    answered_at: int
    seconds: float
    reason: str


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """Of a gzipped JSONL."""
    with gzip.open(path, "rt", encoding="utf-8") as opened:
        yield from map(json.loads, opened)


def read(folder: Path) -> tuple[dict[str, dict[str, Any]], list[Row]]:
    """Items by id and the judgments in the order of their arrival."""
    items = {str(item["item"]): item for item in lines(folder / "ukp_dev_items.jsonl.gz")}
    rows = [
        Row(
            item=str(line["item"]),
            annotator=line["annotator"],
            choice=line["label"],
            answered_at=milliseconds(datetime.fromisoformat(line["t_end"])),
            seconds=float(line["seconds"] or 0.0),
            reason=line["reason"] or "",
        )
        for line in lines(folder / "ukp_dev_judgments.jsonl.gz")
    ]
    return items, [row for row in rows if row.item in items]


def injected(
    items: Mapping[str, dict[str, Any]], rows: Sequence[Row], kind: Archetype, share: float, seed: int
) -> tuple[list[Row], set[str]]:
    """The rows with a share of the annotators replaced by people of that kind, and who was replaced."""
    counts = Counter(row.annotator for row in rows)
    ranked = sorted(counts, key=lambda name: (-counts[name], name))
    step = round(1 / share)
    chosen = ranked[Random(f"{seed}/injected").randrange(step) :: step]  # busy ones and others alike
    made = make_crowd({kind: len(chosen)}, accuracy=ACCURACY, concentration=12.0, activity_sd=0.0, since=0.4, seed=seed)
    people = dict(zip(chosen, made, strict=True))
    given: Counter[str] = Counter()
    replaced = []
    for row in rows:
        if row.annotator in people:
            progress = given[row.annotator] / counts[row.annotator]
            given[row.annotator] += 1
            row = answered(row, people[row.annotator], items[row.item], progress)
        replaced.append(row)
    return replaced, set(chosen)


def answered(row: Row, one: Annotator, item: Mapping[str, Any], progress: float) -> Row:
    """The row as that person would have answered it."""
    length = len(item["prompt"]) + len(item["a"]) + len(item["b"])
    truth: Choice = item["consensus"] or one.draw.choice(("a", "b"))
    said = one.answer(Item(pair=row.item, truth=truth, length=length, ties=0.1), swapped=False, progress=progress)
    return replace(row, choice=said.choice, seconds=said.seconds, reason=said.reason)


@dataclass(frozen=True, kw_only=True)
class Found:
    """What came out: who would have been suspended, and why; who at least weighed down; who is accused at the end."""

    suspended: dict[str, str]
    weighted: set[str]  # the suspended among them
    accused: set[str]


def found(items: Mapping[str, dict[str, Any]], rows: Sequence[Row]) -> Found:
    """What comes out when the rows go through the stages."""
    tasks: dict[str, Task] = {}
    alerts: dict[str, str] = {}
    standings: list[Standing] = []
    preferences: dict[str, Preference] = {}
    watch = CrowdWatch()

    def hear(event: Event) -> None:
        match event:
            case Task():
                tasks[event.correlation] = event
            case Judgment():
                watch.hear(event)
            case Preference():
                preferences[event.task] = event
            case Alert():
                alerts[event.alert] = event.hypothesis
            case Standing():
                standings.append(event)

    loop = InMemoryLoop(hear)
    overlaps = Counter(row.item for row in rows)
    for row in rows:
        if row.item not in tasks:
            loop.push(output_of(items[row.item], row, overlaps[row.item]))
        if row.item in tasks:  # equal responses make no task
            loop.push(judgment_of(row, tasks[row.item]))
    accused = {alert.annotator for alert in watch.look(preferences, rows[-1].answered_at)}
    worst = [one for one in reversed(standings) if one.standing == "suspended"]  # the first of each comes last
    suspended = {one.annotator: alerts.get(one.alert, one.reason) for one in worst}
    return Found(suspended=suspended, weighted={one.annotator for one in standings}, accused=accused)


def output_of(item: Mapping[str, Any], row: Row, overlap: int) -> Event:
    """The pair as it is admitted when its first judgment comes; as many judgments are awaited as there will be."""
    raw = RawOutput(prompt=item["prompt"], responses=[item["a"], item["b"]], id=row.item, campaign=CAMPAIGN.name)
    output, _ = admit_output(raw, CAMPAIGN, row.answered_at, "benchmark")
    return msgspec.structs.replace(output, overlap=overlap)


def judgment_of(row: Row, task: Task) -> Event:
    """The row as it is admitted; nobody knows how the sides were shown."""
    side: Side = "left" if row.choice == "a" else "right" if row.choice == "b" else "tie"
    shown_at = row.answered_at - round(1000 * row.seconds) if row.seconds else None
    raw = RawJudgment(task=task.task, choice=side, reason=row.reason, shown_at=shown_at, answered_at=row.answered_at)
    judgment, _ = stamp_judgment(
        raw, facts_of(task), Shown(annotator=row.annotator), CAMPAIGN, row.answered_at, "benchmark"
    )
    return judgment


# ---------------------------------------------------------------- the table


@dataclass(kw_only=True)
class Tally:
    """Of one kind, over the seeds. Annotators with at least ENOUGH judgments are busy and counted apart."""

    injected: int = 0
    injected_busy: int = 0
    caught: int = 0
    caught_busy: int = 0
    others: int = 0  # real people suspended
    news: int = 0  # of those, who would not be without the injected
    weighted: int = 0
    weighted_busy: int = 0
    others_weighted: int = 0
    accused: int = 0
    accused_busy: int = 0
    others_accused: int = 0
    hypotheses: Counter[str] = field(default_factory=Counter)

    def add(self, who: set[str], seen: Found, before: Found, busy: set[str]) -> None:
        """One run: who was replaced, what was found, what is found in the real data, and who is busy."""
        suspended = seen.suspended.keys()
        self.injected += len(who)
        self.injected_busy += len(who & busy)
        self.caught += len(who & suspended)
        self.caught_busy += len(who & busy & suspended)
        self.others += len(suspended - who)
        self.news += len(suspended - who - before.suspended.keys())
        self.weighted += len(who & seen.weighted)
        self.weighted_busy += len(who & busy & seen.weighted)
        self.others_weighted += len(seen.weighted - who)
        self.accused += len(who & seen.accused)
        self.accused_busy += len(who & busy & seen.accused)
        self.others_accused += len(seen.accused - who)
        self.hypotheses.update(seen.suspended[name] for name in who & suspended)

    def cells(self) -> list[str]:
        """Its line of the table."""
        reasons = ", ".join(f"{name} {count}" for name, count in self.hypotheses.most_common(3))
        return [
            of(self.caught, self.injected),
            of(self.caught_busy, self.injected_busy),
            of(self.caught, self.caught + self.others),
            f"{self.others} ({self.news} new)",
            reasons or "-",
            of(self.weighted_busy, self.injected_busy),
            of(self.weighted, self.weighted + self.others_weighted),
            of(self.accused_busy, self.injected_busy),
            of(self.accused, self.accused + self.others_accused),
        ]


def of(part: int, whole: int) -> str:
    """A share with Wilson's 95 % interval."""
    if not whole:
        return "-"
    low, high = wilson(part / whole, whole)
    return f"{part / whole:.2f} ({low:.2f}–{high:.2f}), {part}/{whole}"


def table_of(folder: Path, share: float, seeds: Sequence[int]) -> Table:
    """One line a kind."""
    items, rows = read(folder)
    counts = Counter(row.annotator for row in rows)
    busy = {name for name, count in counts.items() if count >= ENOUGH}
    before = found(items, rows)
    table = Table("kind", "recall", f"recall, {ENOUGH} judgments or more", "precision", "real people", "hypothesis")
    for step in ("weighed down", "accused"):
        table.add_column(f"{step}, {ENOUGH} judgments or more")
        table.add_column(f"precision, {step}")
    for kind in track([kind for kind in ARCHETYPES if kind != "honest"], console=Console(stderr=True)):
        tally = Tally()
        for seed in seeds:
            replaced, who = injected(items, rows, kind, share, seed)
            tally.add(who, found(items, replaced), before, busy)
        table.add_row(kind, *tally.cells())
    table.caption = (
        f"{len(rows):,} judgments by {len(counts):,} annotators, {len(busy)} of them with {ENOUGH} judgments or more;"
        f" {len(before.suspended)} real people are suspended and {len(before.accused)} accused when nobody is injected."
        " Precision: injected among the suspended (weighed down, accused). Weighed down: the suspended included. New:"
        " who is suspended only with the injected there."
    )
    return table


def main() -> None:
    """The table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = os.environ.get("PREFLOOP_SHARED_DATA", str(ROOT.parent / "shared" / "data"))
    parser.add_argument("--data", type=Path, default=Path(default), help="folder that holds judgments/")
    parser.add_argument("--share", type=float, default=0.1, help="of the annotators, to be replaced")
    parser.add_argument("--seed", type=int, action="append", help="may be given several times; 0 if not given")
    told = parser.parse_args()
    folder = told.data / "judgments"
    if not (folder / "ukp_dev_judgments.jsonl.gz").exists():
        print(f"Left out: there is no ukp_dev_judgments.jsonl.gz in {folder}. Name the data's folder with --data.")
        return
    Console(width=220).print(table_of(folder, told.share, told.seed or [0]))


if __name__ == "__main__":
    main()

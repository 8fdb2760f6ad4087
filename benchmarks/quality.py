"""The statistics: what they cost a judgment, how right they are, and what they save. Prints tables, asserts nothing.

    python benchmarks/quality.py [--data FOLDER]

FOLDER holds `judgments/` (default: PREFLOOP_SHARED_DATA or ../shared/data); sets that are absent are left out.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
import random
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from streams.events import Alert, Candidate, Choice, Event, Judgment, Preference, Response, Task, TaskUpdate, digest
from streams.quality import reliability
from streams.quality.calibration import calibration_error
from streams.quality.consensus import verdict
from streams.quality.refinement import Labelled, refine
from streams.topology import TOPOLOGY

ROOT = Path(__file__).parents[1]
Labels = list[tuple[str, str, Choice]]  # item, annotator, label, in arrival order
FED = ("judgments", "agreements", "standings", "tasks", "assessments", "retractions")
STAGES = {topic: stage for stage in TOPOLOGY.stages.values() for topic in stage.inputs if topic in FED}


@dataclass
class Run:
    """The two stages over dictionaries, with the time spent in their steps."""

    states: dict[tuple[str, str], object] = field(default_factory=dict)
    preferences: dict[str, Preference] = field(default_factory=dict)
    updates: dict[str, TaskUpdate] = field(default_factory=dict)
    alerts: list[Alert] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    events: Counter[str] = field(default_factory=Counter)

    def push(self, event: Event) -> None:
        """The event and all that follows from it."""
        waiting = [event]
        for event in waiting:  # grows while it is walked
            topic = TOPOLOGY.by_event[type(event)]
            self.events[topic.name] += 1
            self.note(event)
            if topic.name not in STAGES:
                continue
            stage = STAGES[topic.name]
            at = stage.name, topic.key(event)
            event = msgspec.structs.replace(event, id=str(self.events.total()))
            begin = time.perf_counter()
            self.states[at], said = stage.step(self.states.get(at), event)
            self.seconds[stage.name] += time.perf_counter() - begin
            waiting += said

    def note(self, event: Event) -> None:
        """Keeps the newest preference and update of a task, and all alerts."""
        match event:
            case Preference():
                self.preferences[event.task] = event
            case TaskUpdate():
                self.updates[event.task] = event
            case Alert():
                self.alerts.append(event)


def task_of(item: str, **fields: object) -> Task:
    """A task without texts."""
    a, b = (Candidate(output=item, position=i, response=Response(digest="d" * 32, length=300)) for i in (0, 1))
    return msgspec.convert(
        {"type": "Task", "task": item, "a": a, "b": b, "prompt_digest": "p" * 32, "prompt_length": 9, **fields},
        Task,
        from_attributes=True,
    )


def judgment_of(item: str, who: str, label: Choice, **fields: object) -> Judgment:
    """A judgment."""
    name = digest("judgment", item, who, "1")
    return msgspec.convert(
        {"type": "Judgment", "judgment": name, "task": item, "annotator": who, "choice": label, **fields}, Judgment
    )


def replayed(labels: Labels) -> Run:
    """The labels through the stages as a recorded campaign."""
    run = Run()
    seen: set[str] = set()
    for item, who, label in labels:
        if item not in seen:
            seen.add(item)
            run.push(task_of(item, mode="recorded"))
        run.push(judgment_of(item, who, label, mode="recorded"))
    return run


# ---------------------------------------------------------------- real judgments


def lines(path: Path) -> Iterator[dict[str, str]]:
    """Of a gzipped JSONL."""
    with gzip.open(path, "rt", encoding="utf-8") as opened:
        yield from map(json.loads, opened)


def rte(folder: Path) -> tuple[Labels, dict[str, Choice]]:
    """Textual entailment with true gold."""
    with (folder / "rte.csv").open(encoding="utf-8") as opened:
        rows = list(csv.DictReader(line for line in opened if not line.startswith("#")))
    name: dict[str, Choice] = {"0": "a", "1": "b"}
    labels: Labels = [(row["item"], row["rater"], name[row["rating"]]) for row in rows]
    return labels, {row["item"]: name[row["gold_rating"]] for row in rows}


def jsonl(path: Path) -> Labels:
    """Recorded judgments."""
    return [(str(row["item"]), row["annotator"], row["label"]) for row in lines(path)]  # type: ignore[misc]


def held_out(labels: Labels) -> tuple[Labels, dict[str, Choice]]:
    """The last judgment of each item with at least three, as the answer that the others have to foretell."""
    sizes = Counter(item for item, _, _ in labels)
    last = {item: n for n, (item, _, _) in enumerate(labels) if sizes[item] >= 3}
    answers = {item: labels[n][2] for item, n in last.items()}
    kept = set(last.values())
    return [label for n, label in enumerate(labels) if n not in kept], answers


def majority(labels: Labels) -> dict[str, Choice]:
    """The most frequent label; the first of equals."""
    votes: dict[str, Counter[Choice]] = defaultdict(Counter)
    for item, _, label in labels:
        votes[item][label] += 1
    return {item: count.most_common(1)[0][0] for item, count in votes.items()}


def dawid_skene(labels: Labels) -> dict[str, Choice]:
    """crowd-kit's; empty where it is not installed."""
    try:
        import pandas as pd
        from crowdkit.aggregation import DawidSkene
    except ImportError:
        return {}
    frame = pd.DataFrame(labels, columns=["task", "worker", "label"])
    return dict(DawidSkene(n_iter=50).fit_predict(frame))


def share(found: Mapping[str, Choice], answers: Mapping[str, Choice]) -> str:
    """Of the answers that are found."""
    if not found:
        return "-"
    return f"{sum(found.get(item) == answer for item, answer in answers.items()) / len(answers):.4f}"


def real_row(name: str, labels: Labels, answers: Mapping[str, Choice], kind: str) -> list[str]:
    """One line of the table of real judgments."""
    run = replayed(labels)
    known = {
        key: reliability.summary(state.grades, state.judgments)  # type: ignore[attr-defined]
        for (stage, key), state in run.states.items()
        if stage == "assessments"
    }
    told = [Labelled(item=item, annotator=who, choice=label) for item, who, label in labels]
    refined = refine(told, known).posteriors
    online = {task: (p.p_a, p.p_b, p.p_tie) for task, p in run.preferences.items()}
    errors = [
        calibration_error(
            (max(belief), verdict(belief)[0] == answers[item]) for item, belief in of.items() if item in answers
        )
        for of in (online, refined)
    ]
    n = len(labels)
    return [
        name,
        f"{n:,}",
        kind,
        share(majority(labels), answers),
        share(dawid_skene(labels), answers),
        share({item: verdict(belief)[0] for item, belief in online.items()}, answers),
        share({item: verdict(belief)[0] for item, belief in refined.items()}, answers),
        f"{errors[0]:.3f} / {errors[1]:.3f}" if kind == "gold" else "-",
        f"{run.seconds['assessments'] / n * 1e6:.0f} + {run.seconds['preferences'] / n * 1e6:.0f}",
        f"{run.events.total() / n:.1f}",
    ]


def real(folder: Path, console: Console) -> None:
    """Accuracy on real judgments, and the cost of a judgment."""
    table = Table("set", "judgments", "against", "majority", "Dawid-Skene", "online", "refined", "ECE", "µs", "events")
    if (folder / "rte.csv").exists():
        table.add_row(*real_row("rte", *rte(folder), "gold"))
    for name in ("ukp_dev", "llmfao"):
        if (folder / f"{name}_judgments.jsonl.gz").exists():
            table.add_row(*real_row(name, *held_out(jsonl(folder / f"{name}_judgments.jsonl.gz")), "held-out vote"))
    console.print(table)
    console.print(
        "µs: the steps assessments + preferences, a judgment, without engine and disk. ECE: online / refined.\n"
    )


# ---------------------------------------------------------------- a simulated crowd


def crowd(draw: random.Random, size: int = 24) -> dict[str, float]:
    """Accuracies: most good, some weak, one in eight guessing."""
    return {f"w{n}": 0.5 if n % 8 == 0 else draw.choice((0.7, 0.8, 0.9, 0.95)) for n in range(size)}


def live(target: float, tasks: int = 1500, seed: int = 0) -> list[str]:
    """Adaptive overlap at that target: labels bought a pair, accuracy, escalated, and who was alarmed."""
    draw = random.Random(seed)
    run, people, truth = Run(), crowd(draw), {}
    bought = 0
    for n in range(tasks):
        item = f"t{n}"
        truth[item] = draw.choice(("a", "b"))
        hard = draw.random() < 0.2
        run.push(task_of(item, target_posterior=target, overlap=2, overlap_cap=9))
        for who in draw.sample(sorted(people), 9):
            if item in run.updates and run.updates[item].status != "open":
                break
            bought += 1
            accuracy = 0.5 + (people[who] - 0.5) * (0.3 if hard else 1.1)
            right = draw.random() < accuracy
            label: Choice = truth[item] if right else ("b" if truth[item] == "a" else "a")  # type: ignore[assignment]
            run.push(judgment_of(item, who, label, swapped=draw.random() < 0.5))
    decided = {item: p.verdict for item, p in run.preferences.items() if p.verdict}
    hits = sum(decided[item] == truth[item] for item in decided)
    flagged = {alert.annotator for alert in run.alerts}
    guessers = {who for who, accuracy in people.items() if accuracy == 0.5}
    return [
        f"{target:.2f}",
        f"{bought / tasks:.2f}",
        f"{hits / len(decided):.4f}",
        f"{1 - len(decided) / tasks:.1%}",
        f"{len(flagged & guessers)}/{len(guessers)}",
        f"{len(flagged - guessers)}/{len(people) - len(guessers)}",
    ]


def simulated(targets: Iterable[float], console: Console) -> None:
    """What adaptive overlap buys."""
    table = Table("target", "labels a pair", "right where decided", "escalated", "guessers alarmed", "others alarmed")
    for target in targets:
        table.add_row(*live(target))
    console.print(table)
    console.print(
        "1,500 pairs, 24 annotators, three of them guessing; one pair in five is hard. First overlap 2, cap 9."
    )


def main() -> None:
    """Both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = os.environ.get("PREFLOOP_SHARED_DATA", str(ROOT.parent / "shared" / "data"))
    parser.add_argument("--data", type=Path, default=Path(default), help="folder that holds judgments/")
    console = Console(width=130)
    real(parser.parse_args().data / "judgments", console)
    simulated((0.8, 0.9, 0.95), console)


if __name__ == "__main__":
    main()

"""The statistics on real judgments: what they cost, how right they are, what they foretell. Prints tables.

    python benchmarks/quality.py [--data FOLDER]

FOLDER holds `judgments/` (default: PREFLOOP_SHARED_DATA or ../shared/data); sets that are absent are left out.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import log
from pathlib import Path
from statistics import mean
from typing import cast

import msgspec
from rich.console import Console
from rich.table import Table

from streams.events import Alert, Candidate, Choice, Event, Judgment, Preference, Response, Task, TaskUpdate, digest
from streams.quality.calibration import calibration_error
from streams.quality.consensus import CHOICES, Posterior, verdict
from streams.quality.labelled import Labelled
from streams.quality.refinement import foretell, refine
from streams.topology import TOPOLOGY

ROOT = Path(__file__).parents[1]
Labels = list[tuple[str, str, Choice]]  # item, annotator, label, in arrival order
FED = ("judgments", "agreements", "standings", "tasks", "assessments", "retractions")
CROWD_KIT = ("MajorityVote", "DawidSkene", "OneCoinDawidSkene", "MACE")  # GLAD takes minutes
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
    told = [Labelled(item=item, annotator=who, choice=label) for item, who, label in labels]
    refined = refine(told).posteriors
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


# ---------------------------------------------------------------- judgments held out


def foretold(folder: Path, console: Console) -> None:
    """How well what somebody says on an item is foretold: log-loss of the last judgment of each item, in nats."""
    table = Table("set", "held out", "votes, smoothed", *CROWD_KIT, "refined")
    for name in ("ukp_dev", "llmfao"):
        path = folder / f"{name}_judgments.jsonl.gz"
        if path.exists():
            labels = jsonl(path)
            kept, answers = held_out(labels)
            who = {item: annotator for item, annotator, _ in labels if item in answers}  # the last one of each
            losses = [log_loss(each, answers) for each in (smoothed(kept), *crowd_kit(kept))]
            refined = refine([Labelled(item=item, annotator=one, choice=choice) for item, one, choice in kept])
            losses.append(log_loss({item: foretell(refined, item, who[item]) for item in answers}, answers))
            table.add_row(name, f"{len(answers):,}", *[f"{loss:.4f}" for loss in losses])
    console.print(table)
    console.print("Each column is mixed with 0.01 to 50 % of even odds, the share that is best for it.\n")


def shares(labels: Labels) -> Posterior:
    """Of a, b and tie in the set."""
    count = Counter(label for _, _, label in labels)
    return count["a"] / len(labels), count["b"] / len(labels), count["tie"] / len(labels)


def smoothed(labels: Labels, worth: float = 3.0) -> dict[str, Posterior]:
    """Each item's votes, with the set's shares as three more."""
    votes: dict[str, Counter[Choice]] = defaultdict(Counter)
    for item, _, label in labels:
        votes[item][label] += 1
    prior = dict(zip(CHOICES, shares(labels), strict=True))
    return {
        item: cast(Posterior, tuple((count[c] + worth * prior[c]) / (count.total() + worth) for c in CHOICES))
        for item, count in votes.items()
    }


def crowd_kit(labels: Labels) -> Iterator[dict[str, Posterior]]:
    """The posteriors of crowd-kit's methods."""
    import pandas as pd
    from crowdkit import aggregation

    frame = pd.DataFrame(labels, columns=["task", "worker", "label"])
    for name in CROWD_KIT:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = getattr(aggregation, name)().fit_predict_proba(frame).reindex(columns=list(CHOICES), fill_value=0)
        yield {str(item): (float(a), float(b), float(tie)) for item, a, b, tie in found.itertuples()}


def log_loss(foretold: Mapping[str, Posterior], answers: Mapping[str, Choice]) -> float:
    """Mean -log P(answer), in nats, with the share of even odds in it that is best for the method."""
    at = {choice: number for number, choice in enumerate(CHOICES)}
    given = [foretold[item][at[answer]] for item, answer in answers.items()]
    return min(
        mean(-log((1 - mix) * each + mix / 3) for each in given) for mix in (1e-4, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5)
    )


def main() -> None:
    """Both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = os.environ.get("PREFLOOP_SHARED_DATA", str(ROOT.parent / "shared" / "data"))
    parser.add_argument("--data", type=Path, default=Path(default), help="folder that holds judgments/")
    console = Console(width=130)
    folder = parser.parse_args().data / "judgments"
    real(folder, console)
    foretold(folder, console)


if __name__ == "__main__":
    main()

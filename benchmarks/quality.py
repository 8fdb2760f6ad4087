"""The statistics: how right they are on real judgments, what they foretell, what they cost. Prints tables.

    python -m benchmarks.quality [--data FOLDER]

FOLDER holds `judgments/` (default: PREFLOOP_SHARED_DATA or ../shared/data); sets that are absent are left out.
"""

from __future__ import annotations

import argparse
import os
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

from rich.console import Console
from rich.table import Table

from benchmarks.crowds import Crowd, redundant, worked
from benchmarks.foretold import ROOT, foretold
from benchmarks.sets import Labels, held_out, jsonl, labelled, rte
from benchmarks.steps import Run, judgment_of, task_of
from streams.events import Choice, Targets
from streams.quality import reliability
from streams.quality.calibration import calibration_error
from streams.quality.consensus import verdict
from streams.quality.labelled import Labelled
from streams.quality.refinement import Judged, fit, refine
from streams.stages import preferences

ARITHMETIC: tuple[tuple[Any, str], ...] = (
    (reliability, "summary"),
    (reliability, "learn_choice"),
    (reliability, "learn_graded"),
    (preferences, "all_and_others"),
)
TIMES = 3  # measured, of which the fastest counts: others use the machine as well
BEGIN = 1_790_000_000_000  # ms


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
    refined = refine(labelled(labels)).posteriors
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


# ---------------------------------------------------------------- what it costs


def cost(console: Console) -> None:
    """Processor time: the arithmetic of reliability and consensus, the whole steps, and a round of the refinement."""
    labels = arriving(list(redundant(Crowd(0, 2500, 0.0, 3), 3)))
    calls = arithmetic(labels)
    table = Table("processor time", "µs a judgment", "calls a judgment", title="a simulated campaign, open tasks")
    spent = {name: fastest(lambda made=made: again(*made)) for name, made in calls.items()}  # type: ignore[misc]
    for name, seconds in spent.items():
        table.add_row(name, micro(seconds, labels), f"{len(calls[name][1]) / len(labels):.2f}")
    table.add_row("reliability + consensus", micro(sum(spent.values()), labels), "")
    for stage, seconds in campaign(labels).seconds.items():
        table.add_row(f"step {stage}, with alarms and events", micro(seconds, labels), "")
    console.print(table)
    judged = Judged(labels)
    rounds = 10
    seconds = fastest(lambda: fit(judged, 0.1, rounds)) / rounds
    console.print(f"refinement: {len(labels) / seconds / 1e6:.1f} million judgments a second and round")
    rate = max(in_memory() for _ in range(TIMES))
    console.print(f"a campaign in memory, with pairs and requests: {rate:,.0f} judgments a second\n")


def in_memory() -> float:
    """Judgments a second of processor time, of a campaign as the service runs it (1,000 pairs, 60 people)."""
    begin = time.process_time()
    run, _ = worked(Crowd(0, 1000, 0.5, 2.7), Targets(posterior=0.95, overlap_cap=12), 1)
    return run.judgments / (time.process_time() - begin)


def micro(seconds: float, labels: Sequence[Labelled]) -> str:
    """A judgment."""
    return f"{seconds / len(labels) * 1e6:.1f}"


def arriving(labels: list[Labelled]) -> list[Labelled]:
    """As people work: a few hundred judgments' worth of tasks are open at a time."""
    draw = random.Random(0)
    order = sorted(range(len(labels)), key=lambda at: (at // 300, draw.random()))
    return [labels[at] for at in order]


def campaign(labels: Sequence[Labelled]) -> Run:
    """The labels through the stages as a live campaign."""
    run, seen = Run(), set[str]()
    for number, one in enumerate(labels):
        if one.item not in seen:
            seen.add(one.item)
            run.push(task_of(one.item, overlap=3, overlap_cap=5, target_posterior=0.9))
        at = BEGIN + 4_000 * number
        run.push(judgment_of(one.item, one.annotator, one.choice, swapped=one.swapped, answered_at=at))
    return run


Calls = tuple[Callable[..., object], list[Any]]


def arithmetic(labels: Sequence[Labelled]) -> dict[str, Calls]:
    """Every call of the statistics' functions that the campaign makes."""
    made: dict[str, Calls] = {}
    with ExitStack() as stack:
        for module, name in ARITHMETIC:
            function = getattr(module, name)
            spy = stack.enter_context(patch.object(module, name, wraps=function))
            made[name] = function, spy.call_args_list
        campaign(labels)
    return made


def again(function: Callable[..., object], calls: Sequence[Any]) -> None:
    """Makes the calls once more."""
    for call in calls:
        function(*call.args, **call.kwargs)


def fastest(work: Callable[[], object]) -> float:
    """Seconds of processor time."""
    found = []
    for _ in range(TIMES):
        begin = time.process_time()
        work()
        found.append(time.process_time() - begin)
    return min(found)


def main() -> None:
    """All tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = os.environ.get("PREFLOOP_SHARED_DATA", str(ROOT.parent / "shared" / "data"))
    parser.add_argument("--data", type=Path, default=Path(default), help="folder that holds judgments/")
    console = Console(width=130)
    folder = parser.parse_args().data / "judgments"
    cost(console)
    real(folder, console)
    foretold(folder, console)


if __name__ == "__main__":
    main()

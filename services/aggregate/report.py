"""The consensus as a file, and the report as tables."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from services.aggregate.findings import Findings, Outcome, Worker
from streams.quality.intervals import Estimate

SHOWN = 20  # annotators in the table unless all are asked for
NARROW = (0, 0, 0, 1)  # padding of a table with many columns, so that it fits into 80


def written(outcomes: Iterable[Outcome], form: str) -> str:
    """The consensus as CSV or JSON lines: item, label, p_a, p_b, p_tie, n."""
    rows = [
        {
            "item": o.item,
            "label": o.label,
            "p_a": round(o.belief[0], 6),
            "p_b": round(o.belief[1], 6),
            "p_tie": round(o.belief[2], 6),
            "n": o.n,
        }
        for o in outcomes
    ]
    if form == ".jsonl":
        return "".join(msgspec.json.encode(row).decode() + "\n" for row in rows)
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=("item", "label", "p_a", "p_b", "p_tie", "n"), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def show(found: Findings, console: Console, everyone: bool) -> None:
    """The report, for people."""
    console.print(
        f"{found.judgments:,} judgments by {len(found.workers):,} annotators on {len(found.outcomes):,} items",
        highlight=False,
    )
    console.print(agreement_table(found), workers_table(found.workers if everyone else found.workers[:SHOWN]))
    if not everyone and len(found.workers) > SHOWN:
        flagged = sum(bool(worker.alarms) for worker in found.workers[SHOWN:])
        console.print(
            f"the {SHOWN} busiest of {len(found.workers):,}; {flagged} of the others raised alarms; see --all"
        )


def agreement_table(found: Findings) -> Table:
    """Agreement beyond chance, and accuracy where gold was given."""
    table = Table("agreement", "", box=SIMPLE_HEAD)
    told = found.agreed
    cohen, pairs = found.cohen or (None, 0)
    table.add_row("Krippendorff's alpha (nominal)", estimate(told.alpha))
    table.add_row("Krippendorff's alpha (ordinal: a, tie, b)", estimate(told.alpha_ordinal))
    table.add_row("Fleiss' kappa", estimate(told.fleiss))
    table.add_row("Cohen's kappa, mean over pairs", f"{estimate(cohen)}  ({pairs:,} pairs who share 10 items)")
    table.add_row("same answer", estimate(told.percent))
    if found.score:
        missing = f", {found.score.missing:,} without a judgment" if found.score.missing else ""
        table.add_row("accuracy against gold", f"{found.score.accuracy:.1%} of {found.score.items:,} items{missing}")
        table.add_row("calibration error", f"{found.score.calibration_error:.3f}")
    return table


def workers_table(workers: Iterable[Worker]) -> Table:
    """One row an annotator."""
    table = Table(box=SIMPLE_HEAD, padding=NARROW)
    for name in (
        "annotator",
        "judged",
        "accu-\nracy",
        "95 %",
        "as the\nverdict",
        "side\nbias",
        "ties",
        "sec-\nonds",
        "alarms",
    ):
        words = name in ("annotator", "alarms")  # these give way where the screen is narrow, and go on in a second line
        table.add_column(name, no_wrap=not words, overflow="fold", justify="left" if words else "right")
    for worker in workers:
        known = worker.known
        table.add_row(
            worker.annotator,
            f"{known.judgments:,}",
            f"{known.accuracy:.2f}",
            f"{known.accuracy_low:.2f}-{known.accuracy_high:.2f}",
            f"{worker.agreed:.0%}",
            f"{known.side_bias:+z.2f}",
            f"{known.tie_rate:.0%}",
            "-" if worker.seconds is None else f"{worker.seconds:.0f}",
            ", ".join(worker.alarms),
        )
    return table


def estimate(found: Estimate | None) -> str:
    """Three digits and the 95 % interval, or a dash where nothing can be said."""
    return "-" if found is None else f"{found.value:.3f}  [{found.low:.3f}, {found.high:.3f}]"

"""The command itself: read, aggregate, write, report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track

from services.aggregate.findings import Findings, find, run
from services.aggregate.reading import Names, names_of, read_gold, read_judgments
from services.aggregate.report import show, written
from services.aggregate.slices import judged_of, prices_of, show_causes, show_comparison
from streams.errors import InputError

FORMATS = (".csv", ".jsonl")


def aggregate(
    judgments: Path,
    gold: Path | None,
    out: Path | None,
    console: Console,
    *,
    names: Names | None = None,
    everyone: bool = False,
    compare: str = "",
) -> Findings:
    """Reads, aggregates, writes to `out` (or standard output) and reports on `console`. Raises InputError."""
    if out is not None and out.suffix not in FORMATS:
        mend = f"end its name in {' or '.join(FORMATS)}"
        raise InputError(f"cannot tell the format of {out}", field="out", mend=mend)
    names = names or Names()
    known = read_gold(gold, names) if gold else None
    rows = read_judgments(judgments, names)
    loop = run(track(rows, description="scoring", console=console, transient=True))
    found = find(rows, known, loop)
    text = written(found.outcomes, out.suffix if out else ".csv")
    if out:
        save(out, text)
    else:
        typer.echo(text, nl=False)
    show(found, console, everyone)
    if names.slices:
        judged = judged_of(rows, names.slices)
        show_causes(judged, console)
        if compare:
            show_comparison(judged, compare, console)
    return found


def save(out: Path, text: str) -> None:
    """Writes the consensus. Raises InputError where the place cannot be written to."""
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        mend = "name a file in a folder that exists and that you may write to"
        raise InputError(f"cannot write {out}: {error.strerror}", field="out", mend=mend) from error


def aggregate_command(
    judgments: Annotated[
        Path, typer.Argument(help="JSON lines (may be .gz) or CSV: item, annotator, label[, seconds, t_end].")
    ],
    gold: Annotated[
        Path | None, typer.Option(help="Known answers (item, label), to measure accuracy and calibration.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Where the consensus goes, .csv or .jsonl; CSV to standard output if not given.")
    ] = None,
    labels: Annotated[str, typer.Option(help="Your labels as a, b or tie: 0=a,1=b,2=tie.")] = "",
    columns: Annotated[str, typer.Option(help="Our columns by your names: annotator=rater,label=rating.")] = "",
    gold_label: Annotated[str, typer.Option(help="The label's column in the gold file.")] = "label",
    slices: Annotated[
        str, typer.Option(help="Further columns to look for causes of low agreement in: domain,locale,vendor.")
    ] = "",
    compare: Annotated[
        str, typer.Option(help="Two of an annotators' column side by side, with prices: vendor:north=0.10,south=0.08.")
    ] = "",
    everyone: Annotated[bool, typer.Option("--all", help="Show every annotator, not only the busiest.")] = False,
) -> None:
    """Consensus and agreement of your own judgments, from a file.

    One judgment a line, in the order they arrived; labels a, b or tie; lines before a CSV header that begin with # are
    comments. Writes item, label, p_a, p_b, p_tie, n; the report goes to standard error. No service is needed.
    """
    console = Console(stderr=True)
    if compare:
        slices = ",".join(dict.fromkeys([*filter(None, slices.split(",")), prices_of(compare)[0]]))
    names = names_of(labels, columns, gold_label, slices)
    aggregate(judgments, gold, out, console, names=names, everyone=everyone, compare=compare)

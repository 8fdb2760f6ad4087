"""Read, aggregate, write, report."""

from __future__ import annotations

from pathlib import Path

import typer
from rich.console import Console
from rich.progress import track

from services.aggregate.findings import Findings, find, run
from services.aggregate.reading import Names, read_gold, read_judgments
from services.aggregate.report import show, written
from services.aggregate.slices import judged_of, show_causes, show_comparison
from services.written import require_writable, writing
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
    if out is not None:
        require_writable(out)
    names = names or Names()
    known = read_gold(gold, names) if gold else None
    rows = read_judgments(judgments, names)
    loop = run(track(rows, description="scoring", console=console, transient=True))
    found = find(rows, known, loop)
    text = written(found.outcomes, out.suffix if out else ".csv")
    if out:
        save(out, text)
    else:
        with writing(Path("standard output")):
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
    with writing(out):
        out.write_text(text, encoding="utf-8")

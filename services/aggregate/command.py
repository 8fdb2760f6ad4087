"""The command itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console


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
    from services.aggregate.aggregate import aggregate
    from services.aggregate.reading import names_of
    from services.aggregate.slices import prices_of

    console = Console(stderr=True)
    if compare:
        slices = ",".join(dict.fromkeys([*filter(None, slices.split(",")), prices_of(compare)[0]]))
    names = names_of(labels, columns, gold_label, slices)
    aggregate(judgments, gold, out, console, names=names, everyone=everyone, compare=compare)

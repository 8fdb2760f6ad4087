"""Slices of a file of judgments: which explain low agreement, and two of them side by side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from services.aggregate.reading import Row
from services.aggregate.report import NARROW
from services.analysis.gather import Judged, Tags
from services.analysis.reports import causes_report, comparison_report
from services.replay.recordings import milliseconds
from streams.errors import InputError
from streams.quality.compared import Compared
from streams.quality.labelled import Labelled

SHOWN = 12  # slices in the table
LOOKS = {
    "guideline": "the guideline",
    "annotators": "the annotators",
    "both": "guideline and annotators",
    "unclear": "cannot be told apart",
    "no lower": "",
}


def judged_of(judgments: Sequence[tuple[Labelled, Row]], columns: Sequence[str]) -> Judged:
    """The judgments with what the columns say: of the annotator where that never changes for one, else of the item.

    Raises InputError for a column that says two things of one item.
    """
    tags: Tags = defaultdict(dict)
    attributes: Tags = defaultdict(dict)
    for column in columns:
        values = [(label, str(value)) for label, row in judgments if (value := getattr(row, column)) is not None]
        people = {(label.annotator, value) for label, value in values}
        items = {(label.item, value) for label, value in values}
        of_people = len(people) == len({who for who, _ in people})
        if not of_people and len(items) > len({item for item, _ in items}):
            message = f"column {column!r} says different things of one item and of one annotator"
            raise InputError(message, field="slices", mend="slice by what belongs to the item or to the annotator")
        for name, value in people if of_people else items:
            (attributes if of_people else tags)[name][column] = value
    rows = [
        Compared(
            item=label.item,
            annotator=label.annotator,
            choice=label.choice,
            swapped=label.swapped,
            answered_at=milliseconds(row.t_end) if row.t_end else 0,
        )
        for label, row in judgments
    ]
    return Judged(rows=rows, tags=dict(tags), attributes=dict(attributes))


def prices_of(compare: str) -> tuple[str, list[tuple[str, float]]]:
    """`vendor:north=0.10,south=0.08` as the column and both names with prices. Raises InputError."""
    column, _, pair = compare.partition(":")
    parts = [part.partition("=") for part in pair.split(",")]
    try:
        names = [(name.strip(), float(price or 0)) for name, _, price in parts]
    except ValueError:
        names = []
    if len(names) != 2 or not column or not all(name for name, _ in names) or min(price for _, price in names) < 0:
        mend = "write COLUMN:ONE=PRICE,OTHER=PRICE, for instance vendor:north=0.10,south=0.08"
        raise InputError(f"--compare {compare!r} does not name two to compare", field="compare", mend=mend)
    return column, names


def show_causes(judged: Judged, console: Console) -> None:
    """The slices, the one that agrees least first."""
    found = causes_report(judged)["causes"]
    title = "slices against the rest, in points of agreement"
    table = Table(box=SIMPLE_HEAD, padding=NARROW, title=title, title_justify="left")
    numbers = ("same\nanswer", "else-\nwhere", "believed", "95 %", "with\nitems", "with\npeople")
    for name in ("slice", *numbers, "looks like"):
        table.add_column(name, no_wrap=name in numbers, justify="right" if name in numbers else "left")
    for cause in found[:SHOWN]:
        shrunk = cause["shrunk"]
        table.add_row(
            f"{cause['tag']} = {cause['value']}",
            f"{cause['agreement']:.1%}",
            f"{cause['elsewhere']:.1%}",
            *(f"{100 * value:+z.1f}" for value in (shrunk["value"],)),
            f"{100 * shrunk['low']:+z.1f} to {100 * shrunk['high']:+z.1f}",
            f"{100 * cause['items']['value']:+z.1f}",
            f"{100 * cause['annotators']['value']:+z.1f}",
            LOOKS[cause["looks"]],
        )
    console.print(table if found else "no slice has enough pairs of judgments to be compared")


def show_comparison(judged: Judged, compare: str, console: Console) -> None:
    """Two values of a column on the items that both judged. Raises InputError."""
    column, ((one, price_one), (other, price_other)) = prices_of(compare)
    report = comparison_report(judged, column, (one, other), (price_one, price_other))
    found = report["comparison"]
    if found is None:
        known = ", ".join(report["values"]) or "no annotator has one"
        least = report["least_items"]
        message = f"{one} and {other} have fewer than {least} items in common (values of {column}: {known})"
        raise InputError(message, field="compare", mend=f"name two that judged at least {least} of the same items")
    title = f"{found['items']:,} items judged by both"
    table = Table("", one, other, "difference", box=SIMPLE_HEAD, padding=NARROW, title=title, title_justify="left")
    for name, key in (("right, of decisive judgments", "accuracy"), ("takes the left one", "left"), ("ties", "ties")):
        table.add_row(name, shown(found["one"][key]), shown(found["other"][key]), shown(found[key], "+.1f"))
    needed = "judgments_needed"
    table.add_row("judgments for 95 %", *(shown(found[side][needed], ".2f", 1) for side in ("one", "other")), "")
    table.add_row("cost of such an item", *(shown(found[side]["cost"], ".3f", 1) for side in ("one", "other")), "")
    console.print(table)
    words = {"one": f"buy from {one}", "other": f"buy from {other}", "either": "no difference that decides"}
    console.print(f"[bold]{words[found['better']]}[/bold]: " + "; ".join(found["reasons"]), highlight=False)


def shown(found: dict[str, Any] | None, form: str = ".1f", scale: float = 100) -> str:
    """The value and its 95 % interval; shares in per cent."""
    if found is None:
        return "-"
    value, low, high = (format(scale * found[key], form) for key in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"

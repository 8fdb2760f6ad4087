"""Judgments and gold from anyone's file: JSON lines or CSV, whatever its columns and labels are called."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import msgspec

from services.replay.recordings import BadLine, Identity, recording
from streams.errors import InputError
from streams.events import Choice
from streams.quality.labelled import Labelled

CHOICES: tuple[Choice, ...] = ("a", "b", "tie")
COLUMNS = ("item", "annotator", "label", "seconds", "t_end", "shown_swapped")
EXAMPLES = {"labels": "--labels 0=a,1=b", "columns": "--columns annotator=rater,label=rating"}


class Row(msgspec.Struct, frozen=True):
    """A line of the file. Its columns may have other names: see `--columns`."""

    item: Identity
    annotator: Identity
    label: Identity
    seconds: float | None = None
    t_end: datetime | None = None
    shown_swapped: bool | None = None


class GoldRow(msgspec.Struct, frozen=True):
    """A line of the gold file; one without a label says nothing."""

    item: Identity
    label: Identity | None = None


@dataclass(frozen=True, kw_only=True)
class Names:
    """How the file calls what we call otherwise: columns (ours → the file's) and labels (the file's → ours)."""

    columns: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, Choice] = field(default_factory=dict)
    gold_label: str = "label"
    slices: tuple[str, ...] = ()  # further columns, under the file's names


def pairs_of(option: str, text: str) -> dict[str, str]:
    """`x=y,z=w` as a dictionary. Raises InputError."""
    parts = [part.strip().partition("=") for part in text.split(",") if part.strip()]
    pairs = {key: value for key, _, value in parts}
    if not all(key and value for key, value in pairs.items()):
        raise InputError(
            f"--{option} {text!r} is no list of NAME=NAME", field=option, mend=f"for instance {EXAMPLES[option]}"
        )
    return pairs


def names_of(labels: str, columns: str, gold_label: str, slices: str = "") -> Names:
    """The options as names. Raises InputError."""
    choices, own = pairs_of("labels", labels), pairs_of("columns", columns)
    for choice in choices.values():
        if choice not in CHOICES:
            raise InputError(f"--labels maps to {choice!r}", field="labels", mend="map to a, b or tie")
    for column in own:
        if column not in COLUMNS:
            mend = f"write OURS=YOURS, ours being one of {', '.join(COLUMNS)}"
            raise InputError(f"--columns knows no {column!r}", field="columns", mend=mend)
    further = tuple(name.strip() for name in slices.split(",") if name.strip())
    for name in further:
        if name in COLUMNS or not name.isidentifier():
            mend = "name columns of tags or vendors, of letters, digits and underscores"
            raise InputError(f"--slices cannot take {name!r}", field="slices", mend=mend)
    return Names(columns=own, labels=cast("dict[str, Choice]", choices), gold_label=gold_label, slices=further)


def read_judgments(path: Path, names: Names) -> list[tuple[Labelled, Row]]:
    """The judgments in the file's order. Raises InputError, naming file, line, field and the mend."""
    kind = renamed(Row, {name: names.columns.get(name, name) for name in COLUMNS}, names.slices)
    found = [(labelled(path, line, row, names), row) for line, row in rows_of(path, kind)]
    if not found:
        raise InputError(f"{path} holds no judgment", mend="give one judgment a line: item, annotator, label")
    return found


def read_gold(path: Path, names: Names) -> dict[str, Choice]:
    """The known answers by item. Raises InputError as above, and where a file contradicts itself."""
    kind = renamed(GoldRow, {"item": names.columns.get("item", "item"), "label": names.gold_label})
    gold: dict[str, Choice] = {}
    for line, row in rows_of(path, kind):
        if row.label is None:
            continue
        answer = choice_of(path, line, row.label, names)
        if gold.setdefault(str(row.item), answer) != answer:
            message = f"{path}, line {line}, field label: item {str(row.item)!r} has two known answers"
            raise InputError(message, field="label", mend="keep one line an item in the gold file")
    return gold


def renamed(kind: type[Any], columns: Mapping[str, str], further: Sequence[str] = ()) -> type[Any]:
    """The struct with its fields under the file's names, and further columns that may be missing."""
    fields: list[Any] = [
        (f.name, f.type) if f.required else (f.name, f.type, f.default) for f in msgspec.structs.fields(kind)
    ]
    fields += [(name, str | int | float | None, None) for name in further]
    return msgspec.defstruct(kind.__name__, fields, rename=dict(columns), frozen=True)


def rows_of(path: Path, kind: type[Any]) -> Iterator[tuple[int, Any]]:
    """Line numbers and rows."""
    with recording(path, kind) as opened:
        for line, row in enumerate(opened.records, 1):
            if isinstance(row, BadLine):
                raise bad_line(path, row)
            yield line, row


def bad_line(path: Path, bad: BadLine) -> InputError:
    """What is wrong with the line, and the mend."""
    named = re.search(r"\$\.(\w+)|field `(\w+)`", bad.reason)
    name = (named[1] or named[2]) if named else ""
    where = f"{path}, line {bad.number}" + (f", field {name}" if name else "")
    mend = "every line needs item, annotator and label; where the columns have other names, say so with --columns"
    return InputError(f"{where}: {bad.reason}", field=name, mend=mend)


def labelled(path: Path, line: int, row: Row, names: Names) -> Labelled:
    """The row as the statistics see it; where the order shown is not known, a stood on the left."""
    choice = choice_of(path, line, row.label, names)
    return Labelled(item=str(row.item), annotator=str(row.annotator), choice=choice, swapped=bool(row.shown_swapped))


def choice_of(path: Path, line: int, label: str | int, names: Names) -> Choice:
    """The label as a, b or tie."""
    choice = names.labels.get(str(label), str(label))
    if choice not in CHOICES:
        known = ", ".join([*names.labels, *CHOICES])
        message = f"{path}, line {line}, field label: {str(label)!r} is none of {known}"
        raise InputError(message, field="label", mend=f"map your labels, for instance --labels {label}=a")
    return choice

"""Files of recorded items and judgments: JSON lines, gzipped or not, or CSV with the same names in its header."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import dropwhile
from pathlib import Path
from typing import IO, Annotated, Generic, TypeVar, cast

import msgspec
from msgspec import Meta

from streams.errors import InputError
from streams.events import Choice
from streams.intake import MOST_REASON
from streams.mismatch import explained

R = TypeVar("R", bound=msgspec.Struct)
Identity = Annotated[str, Meta(min_length=1, max_length=1_024)] | int
Attribute = Annotated[str, Meta(max_length=64, pattern=r"^[^\x00\ud800-\udfff]*$")]  # what every database stores


class Item(msgspec.Struct, frozen=True):
    """Two responses to one prompt. `consensus`: what others made of it, for comparison alone; `tags` in JSON alone."""

    item: Identity
    prompt: str
    a: str
    b: str
    consensus: Choice | None = None
    gold: Choice | None = None
    topic: str = ""
    tags: dict[str, str] = {}
    model_a: str = ""
    model_b: str = ""


class Recorded(msgspec.Struct, frozen=True):
    """One judgment of an item. Times are ISO 8601 (UTC where no zone is said); `seconds` is the time it took.

    `vendor`, `cohort` and `source` are the annotator's.
    """

    item: Identity
    annotator: Identity
    label: Choice
    t_start: datetime | None = None
    t_end: datetime | None = None
    seconds: Annotated[float, Meta(ge=0, le=31_536_000)] | None = None
    shown_swapped: bool | None = None  # True: b was on the left; unknown counts as a on the left
    reason: Annotated[str, Meta(max_length=MOST_REASON)] | None = None
    vendor: Attribute = ""
    cohort: Attribute = ""
    source: Attribute = ""


NEEDED: dict[type, tuple[str, ...]] = {
    Item: ("item", "prompt", "a", "b"),
    Recorded: ("item", "annotator", "label (a, b or tie)"),
}


@dataclass(frozen=True, kw_only=True)
class BadLine:
    """A line that is none of what was expected."""

    number: int  # from 1; of a CSV file the row under the header
    reason: str


@dataclass(frozen=True)
class Recording(Generic[R]):
    """An open file of records; `place()` of `size` bytes are read."""

    records: Iterator[R | BadLine]
    place: Callable[[], int]
    size: int


@contextmanager
def recording(path: Path, kind: type[R]) -> Iterator[Recording[R]]:
    """The records of the file in its order, read as they are asked for. Raises InputError where it cannot be read."""
    try:
        raw = path.open("rb")
    except OSError as error:
        raise _unreadable(path, error) from error
    with raw:
        plain = cast("IO[bytes]", gzip.GzipFile(fileobj=raw)) if path.suffix == ".gz" else raw
        read = _csv_records if path.name.removesuffix(".gz").endswith(".csv") else _json_records
        yield Recording(_whole(path, read(plain, kind)), raw.tell, max(1, path.stat().st_size))


def usable(path: Path, kind: type[R]) -> Iterator[R]:
    """The good records of the file, bad lines left out. Raises InputError where all are bad, or there is none."""
    found, first = False, None
    with recording(path, kind) as source:
        for record in source.records:
            if isinstance(record, BadLine):
                first = first or record
            else:
                found = True
                yield record
    if not found:
        why = f"none of its lines can be used; line {first.number}: {first.reason}" if first else "it is empty"
        mend = f"give JSON lines or CSV with {', '.join(NEEDED[kind])}"
        raise InputError(f"{path}: {why}; {mend}", field="file", mend=mend)


def _whole(path: Path, records: Iterator[R | BadLine]) -> Iterator[R | BadLine]:
    try:
        yield from records
    except (OSError, EOFError, zlib.error) as error:  # a gzip file that is cut or damaged
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> InputError:
    mend = "give a whole, readable file of JSON lines or CSV, named .gz where it is gzipped"
    return InputError(f"cannot read {path}: {error}; {mend}", field="file", mend=mend)


def milliseconds(moment: datetime) -> int:
    """Since 1970 UTC; a time without a zone is UTC."""
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def _json_records(lines: IO[bytes], kind: type[R]) -> Iterator[R | BadLine]:
    decode = msgspec.json.Decoder(kind).decode
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            yield BadLine(number=number, reason=f"not a record: {explained(error, kind)}")


def _csv_records(lines: IO[bytes], kind: type[R]) -> Iterator[R | BadLine]:
    """Empty fields count as absent; lines before the header that begin with # are comments."""
    text = io.TextIOWrapper(lines, encoding="utf-8", errors="surrogateescape", newline="")
    try:
        for number, row in enumerate(csv.DictReader(dropwhile(lambda line: line.startswith("#"), text)), 1):
            given = {name: value for name, value in row.items() if name and value}
            try:
                yield msgspec.convert(given, kind, strict=False)
            except msgspec.ValidationError as error:
                yield BadLine(number=number, reason=f"not a record: {explained(error, kind)}")
    finally:
        if not lines.closed:
            text.detach()  # the file is its opener's to close

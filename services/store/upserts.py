"""Upserts of view rows: what to write, and the SQL text that writes many alike at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import JSON, Dialect, String, Table, bindparam, literal_column
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from streams.engines.sqlite_log import as_json

Row = dict[str, Any]


class Upsert(NamedTuple):
    """`own` is written always; `first` only where the row is begun.

    `newer` names a column that must not go back, `earliest` one that must not go on: where the same event comes
    twice, the first copy counts. 0 in that column says that the row was begun by another event.
    """

    table: Table
    key: Row
    own: Row
    first: Row = {}
    newer: str = ""
    earliest: str = ""


Shape = tuple[Table, tuple[str, ...], tuple[str, ...], tuple[str, ...], str, str]


def shape_of(upsert: Upsert) -> Shape:
    """Upserts of one shape are written by one statement."""
    return upsert.table, tuple(upsert.key), tuple(upsert.own), tuple(upsert.first), upsert.newer, upsert.earliest


@dataclass(frozen=True, kw_only=True)
class Statement:
    """INSERT ... ON CONFLICT as text, compiled once: binding through SQLAlchemy took half of a fold's time."""

    text: str
    pick: Callable[[Row], Any]  # the values in the order of the placeholders
    structured: tuple[str, ...]  # the JSON columns
    worded: tuple[str, ...]  # columns of text that cannot hold a NUL character
    defaults: Row

    def row(self, upsert: Upsert) -> tuple[Any, ...]:
        """The values in the order of the placeholders."""
        values = {**self.defaults, **upsert.first, **upsert.key, **upsert.own}
        for name in self.structured:
            values[name] = as_json(values[name])
        for name in self.worded:
            if (value := values[name]) and "\0" in value:
                values[name] = value.replace("\0", "\ufffd")
        return self.pick(values)  # type: ignore[no-any-return]


@cache
def statement_of(shape: Shape, dialect: Dialect) -> Statement:
    """The statement for upserts of that shape. Columns that none of them names get their defaults on a new row."""
    table, key, own, first, newer, earliest = shape
    written = (*key, *first, *own)
    defaults = {
        column.name: column.default.arg  # type: ignore[attr-defined]
        for column in table.c
        if column.default is not None and column.name not in written
    }
    insert: Any = (sqlite if dialect.name == "sqlite" else postgresql).insert(table)
    insert = insert.values({name: bindparam(name) for name in (*written, *defaults)})
    if own:
        where = _stands(insert, table, newer, earliest)
        changes = {name: insert.excluded[name] for name in own}
        insert = insert.on_conflict_do_update(index_elements=list(key), set_=changes, where=where)
    else:
        insert = insert.on_conflict_do_nothing(index_elements=list(key))
    compiled = insert.compile(dialect=_positional(dialect))
    names = compiled.positiontup
    structured = tuple(name for name in names if isinstance(table.c[name].type, JSON))
    is_text = dialect.name == "postgresql"
    worded = tuple(name for name in names if is_text and isinstance(table.c[name].type, String))
    pick = itemgetter(*names)
    return Statement(text=str(compiled), pick=pick, structured=structured, worded=worded, defaults=defaults)


def _stands(insert: Any, table: Table, newer: str, earliest: str) -> Any:
    """The condition under which a row that is there is written over; None: always."""
    if newer:
        return insert.excluded[newer] >= table.c[newer]
    if earliest:
        return (insert.excluded[earliest] <= table.c[earliest]) | (table.c[earliest] == literal_column("0"))
    return None


def _positional(dialect: Dialect) -> Dialect:
    """The same dialect with values by place, which `Statement.row` gives, and not by name."""
    return dialect if dialect.name == "sqlite" else PGDialect_psycopg(paramstyle="format")  # type: ignore[no-untyped-call]

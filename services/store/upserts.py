"""Upserts of view rows: what to write, and the SQL text that writes many alike at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import JSON, Dialect, Table, bindparam
from sqlalchemy.dialects import postgresql, sqlite

from streams.engines.sqlite_log import as_json

Row = dict[str, Any]


class Upsert(NamedTuple):
    """`own` is written always; `first` only where the row is begun; `newer` names a column that must not go back."""

    table: Table
    key: Row
    own: Row
    first: Row = {}
    newer: str = ""


Shape = tuple[Table, tuple[str, ...], tuple[str, ...], tuple[str, ...], str]


def shape_of(upsert: Upsert) -> Shape:
    """Upserts of one shape are written by one statement."""
    return upsert.table, tuple(upsert.key), tuple(upsert.own), tuple(upsert.first), upsert.newer


@dataclass(frozen=True, kw_only=True)
class Statement:
    """INSERT ... ON CONFLICT as text, compiled once: binding through SQLAlchemy took half of a fold's time."""

    text: str
    pick: Callable[[Row], Any]  # the values in the order of the placeholders
    structured: tuple[str, ...]  # the JSON columns
    defaults: Row

    def row(self, upsert: Upsert) -> tuple[Any, ...]:
        """The values in the order of the placeholders."""
        values = {**self.defaults, **upsert.first, **upsert.key, **upsert.own}
        for name in self.structured:
            values[name] = as_json(values[name])
        return self.pick(values)  # type: ignore[no-any-return]


@cache
def statement_of(shape: Shape, dialect: Dialect) -> Statement:
    """The statement for upserts of that shape. Columns that none of them names get their defaults on a new row."""
    table, key, own, first, newer = shape
    written = (*key, *first, *own)
    defaults = {
        column.name: column.default.arg  # type: ignore[attr-defined]
        for column in table.c
        if column.default is not None and column.name not in written
    }
    insert: Any = (sqlite if dialect.name == "sqlite" else postgresql).insert(table)
    insert = insert.values({name: bindparam(name) for name in (*written, *defaults)})
    if own:
        where = insert.excluded[newer] >= table.c[newer] if newer else None
        changes = {name: insert.excluded[name] for name in own}
        insert = insert.on_conflict_do_update(index_elements=list(key), set_=changes, where=where)
    else:
        insert = insert.on_conflict_do_nothing(index_elements=list(key))
    compiled = insert.compile(dialect=dialect)
    names = compiled.positiontup
    structured = tuple(name for name in names if isinstance(table.c[name].type, JSON))
    return Statement(text=str(compiled), pick=itemgetter(*names), structured=structured, defaults=defaults)

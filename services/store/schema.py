"""Making, dropping and comparing the SQL tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, select, text
from sqlalchemy.schema import CreateTable

from services.store import models as m
from services.store.projection import Views
from streams.events import digest


def views_version(sql: Connection) -> str:
    """A digest of the views' definitions: another one means they must be folded again."""
    return digest(*(str(CreateTable(table).compile(sql)) for table in m.VIEWS))


def prepare(sql: Connection) -> bool:
    """Creates what is missing; where the views were made by another version, empties them. True if it did."""
    sql.execute(text("CREATE TABLE IF NOT EXISTS schema_versions (name TEXT PRIMARY KEY, version TEXT NOT NULL)"))
    m.metadata.create_all(sql, tables=list(m.FACTS))
    wanted = views_version(sql)
    found = sql.execute(text("SELECT version FROM schema_versions WHERE name = 'views'")).scalar()
    if found == wanted:
        return False
    if found is not None:
        drop_views(sql)
    m.metadata.create_all(sql)
    sql.execute(text("INSERT OR REPLACE INTO schema_versions VALUES ('views', :version)"), {"version": wanted})
    return found is not None


def drop_views(sql: Connection) -> None:
    """Drops every view and forgets how far they had come; the engine folds the log into them again."""
    m.metadata.drop_all(sql, tables=list(m.VIEWS))
    m.metadata.create_all(sql, tables=list(m.VIEWS))
    sql.execute(text("DELETE FROM engine_offsets WHERE consumer = :name"), {"name": Views.name})


def rows_of_views(sql: Connection) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Every row of every view, ordered by key: for comparing two foldings."""
    for table in m.VIEWS:
        for row in sql.execute(select(table).order_by(*table.primary_key.columns)):
            yield table.name, tuple(row)

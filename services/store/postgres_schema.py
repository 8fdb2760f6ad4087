"""PostgreSQL's schema: brought to this version by Alembic, and checked before a process works on it."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from services.store import cluster_tables
from services.store import models as m
from services.store.database import outages, transaction
from streams.errors import UnavailableError

FOLDER = Path(__file__).parent / "migrations"
TARGET = [m.metadata, cluster_tables.metadata]


def migrate(database: Engine) -> str:
    """Brings the schema to this version; its name. Several processes at once wait for one another."""
    with outages(), database.connect() as sql, transaction(sql):
        sql.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('prefloop migrations', 0))"))
        command.upgrade(_config(sql), "head")
        return newest()


def require_current(database: Engine) -> None:
    """Raises UnavailableError where the schema is older or newer than this program."""
    with outages(), database.connect() as sql:
        found = MigrationContext.configure(sql).get_current_revision()
    if found != newest():
        raise UnavailableError(
            f"the database has schema {found or 'none'} and this version needs {newest()}: run `prefloop setup-cluster`"
        )


def differences(sql: Connection) -> list[object]:
    """What the migrated schema lacks, or has too much, against the tables as the program defines them."""
    context = MigrationContext.configure(sql, opts={"compare_type": True})
    return list(compare_metadata(context, TARGET))  # type: ignore[arg-type]


def write_migration(sql: Connection, name: str) -> None:
    """For developers: a new migration from the differences (`python -m services.store.postgres_schema URL NAME`)."""
    command.revision(_config(sql), name, autogenerate=True, rev_id=f"{int(newest() or '0') + 1:04d}")


def newest() -> str:
    """The newest version that this program knows."""
    return ScriptDirectory.from_config(_config(None)).get_current_head() or ""


def _config(sql: Connection | None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = sql
    return config


if __name__ == "__main__":
    import sys

    from services.store.database import open_postgres

    with open_postgres(sys.argv[1]).connect() as connection:
        command.upgrade(_config(connection), "head")
        write_migration(connection, sys.argv[2])

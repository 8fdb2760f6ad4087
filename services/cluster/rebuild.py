"""`prefloop rebuild` on a cluster: its views are emptied; the materializer folds the log into them again."""

from __future__ import annotations

from rich.console import Console
from sqlalchemy import Engine, text

from services.materializer.materializer import LOCK
from services.settings import Settings
from services.store import cluster_tables as c
from services.store import models as m
from services.store.database import Advisory, open_postgres, outages, transaction
from services.store.projection import Views
from streams.errors import UnavailableError


def rebuild_cluster(settings: Settings, console: Console) -> None:
    """Raises UnavailableError while a materializer runs, and in an outage."""
    database = open_postgres(settings.database_url)
    try:
        empty_views(database)
    finally:
        database.dispose()
    console.print("the views are empty: start the materializer; its /readyz says when all is folded")


def empty_views(database: Engine) -> None:
    """Empties every view and forgets how far they had come. Facts, and what a migration noted, stay."""
    lock = Advisory(database, LOCK)
    if not lock.acquire():
        raise UnavailableError("a materializer is running: stop it first")
    tables = ", ".join(f'"{table.name}"' for table in (*m.VIEWS, *c.VIEWS, c.engine_origins))
    places = text("DELETE FROM engine_offsets WHERE consumer IN (:views, :reached, :counted)")
    try:
        with outages(), database.connect() as sql, transaction(sql):
            sql.exec_driver_sql(f"TRUNCATE {tables}")
            sql.execute(places, {"views": Views.name, "reached": c.REACHED, "counted": c.COUNTED})
    finally:
        lock.release()

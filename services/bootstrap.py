"""The composition root: the one place where the parts of a service are opened and joined."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy

from services.settings import Settings
from services.store.projection import Views
from services.store.schema import drop_views, prepare
from streams.engines.embedded import EmbeddedEngine
from streams.engines.sqlite_log import SqliteLog
from streams.topology import TOPOLOGY


def now_ms() -> int:
    """Milliseconds since 1970 UTC."""
    return time.time_ns() // 1_000_000


@dataclass(kw_only=True)
class Service:
    """What every part of a process works with."""

    settings: Settings
    store: SqliteLog  # reads of the log
    log: EmbeddedEngine  # writes to the log: log.submit(lambda transaction: transaction.append(event))
    engine: EmbeddedEngine
    database: sqlalchemy.Engine  # reads of the views, from any thread
    clock: Callable[[], int] = now_ms

    def close(self) -> None:
        """Stops the engine and closes the file; everything acknowledged is durable."""
        self.engine.stop()
        self.store.close()


def open_service(settings: Settings, *, fresh_views: bool = False) -> Service:
    """Opens the data folder, recovers and starts the engine. The caller closes it.

    With `fresh_views` the views are dropped first; the engine folds the log into them again.
    """
    store = SqliteLog(settings.data, TOPOLOGY)
    prepare(store.connection)
    if fresh_views:
        drop_views(store.connection)
    engine = EmbeddedEngine(store, [Views()])
    engine.start()
    return Service(settings=settings, store=store, log=engine, engine=engine, database=store.database)

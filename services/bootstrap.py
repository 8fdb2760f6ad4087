"""The composition root: the one place where the parts of a service are opened and joined.

One machine is composed here, a cluster in services/cluster/composition.py; what works with a `Service` works on both.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol, TypeVar

import sqlalchemy

from services.api.live import LiveCounts
from services.queue.memory import MemoryQueue
from services.queue.port import AssignmentQueue
from services.queue.rebuild import Restorable, ViewArchive
from services.settings import Settings
from services.store.projection import Views
from services.store.schema import drop_views, prepare
from services.trail import told_log, told_topology
from streams.engines.embedded import EmbeddedEngine
from streams.engines.port import Listener, Record, Transaction
from streams.engines.sqlite_log import SqliteLog
from streams.events import Event
from streams.topology import TOPOLOGY, Topology

T = TypeVar("T")


def now_ms() -> int:
    """Milliseconds since 1970 UTC."""
    return time.time_ns() // 1_000_000


class LogReads(Protocol):
    """Reads of the log. Offsets of a topic grow, and may have holes."""

    @property
    def topology(self) -> Topology:
        """What the log holds."""
        ...

    def read(self, topic: str, start: int = 0, limit: int = 1000) -> Sequence[Record]:
        """Records of the topic from offset `start` on, in order."""
        ...

    def end(self, topic: str) -> int:
        """The offset after the last record of the topic."""
        ...

    def newest(self, topic: str, key: str) -> Event | None:
        """The newest event of that key in a compacted topic, or None."""
        ...

    def totals(self) -> dict[str, int]:
        """Events by topic."""
        ...


class Writing(Protocol):
    """Writes to the log; see port.Log."""

    def submit(self, work: Callable[[Transaction], T]) -> Future[T]:
        """Runs `work` inside a transaction; the future resolves when it is durable."""
        ...


class Running(Protocol):
    """The engine as its neighbours see it, in this process or elsewhere."""

    @property
    def failure(self) -> BaseException | None:
        """What broke it for good."""
        ...

    def add_listener(self, listener: Listener) -> None:
        """`listener` gets records as they become durable, in order: be quick."""
        ...

    def drain(self) -> None:
        """Returns when the views hold what is in the log now."""
        ...

    def lag(self) -> dict[str, int]:
        """Events not yet applied, by reader."""
        ...

    def state(self, stage: str, key: str) -> object | None:
        """The committed state of that key."""
        ...


class ServiceQueue(AssignmentQueue, Restorable, Protocol):
    """A queue that can be filled from the views."""


@dataclass(kw_only=True)
class Service:
    """What every part of a process works with."""

    settings: Settings
    store: LogReads
    log: Writing  # writes to the log: log.submit(lambda transaction: transaction.append(event))
    engine: Running
    database: sqlalchemy.Engine  # reads of the views, from any thread
    queue: ServiceQueue
    live: Callable[[int], LiveCounts] = LiveCounts  # given the start in ms
    is_alone: bool = True  # this process feeds the queue and ends leases; a cluster has others for it
    exclusive: Callable[[str], AbstractContextManager[object]] = nullcontext  # one holder of a name, wherever it runs
    clock: Callable[[], int] = now_ms

    def close(self) -> None:
        """Stops and closes everything; what was acknowledged is durable."""
        raise NotImplementedError


@dataclass(kw_only=True)
class OneMachine(Service):
    """All of it in one process, over one data folder."""

    store: SqliteLog
    engine: EmbeddedEngine

    def close(self) -> None:
        """Stops the engine and closes the file; everything acknowledged is durable."""
        self.engine.stop()
        self.store.close()


def open_service(settings: Settings, *, fresh_views: bool = False) -> OneMachine:
    """Opens the data folder, recovers and starts the engine. The caller closes it.

    With `fresh_views` the views are dropped first; the engine folds the log into them again.
    """
    store = SqliteLog(settings.data, told_topology(TOPOLOGY))
    prepare(store.connection)
    if fresh_views:
        drop_views(store.connection)
    engine = EmbeddedEngine(store, [Views()])
    engine.start()
    queue = MemoryQueue(ViewArchive(store.database, engine.lag))
    return OneMachine(
        settings=settings, store=store, log=told_log(engine), engine=engine, database=store.database, queue=queue
    )

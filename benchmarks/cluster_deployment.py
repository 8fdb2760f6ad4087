"""A cluster on this machine, to be measured: who takes how much CPU, and when everything is applied."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from services.cluster.brokers import connection_of, layout_of
from services.cluster.engine import RemoteEngine
from services.cluster.follower import Follower
from services.settings import Settings
from services.spawned import Spawned
from services.store.database import open_postgres
from tests.services.cluster import Cluster

ADMIN_KEY = "plk_benchmark_0123456789abcdef0123456789abcdef"
PATIENCE_S = 900.0


class Deployment:
    """The three servers run inside the block; processes of prefloop run while `process` says so."""

    def __init__(self, folder: Path) -> None:
        """`folder` must be one that the user postgres may enter."""
        self._cluster = Cluster(folder, durable=True, admin_key=ADMIN_KEY, log_level="error")
        self._stack = ExitStack()
        self._parts: dict[str, Callable[[], int]] = {"client": os.getpid}  # process ids by name

    def __enter__(self) -> Self:
        with self._stack:
            cluster = self._stack.enter_context(self._cluster)
            for name, server in (("kafka", cluster.kafka), ("postgres", cluster.postgres), ("redis", cluster.redis)):
                self._parts[name] = lambda server=server: server.pid  # type: ignore[misc]
            self.settings: Settings = cluster.settings
            self.connection, self.layout = connection_of(self.settings), layout_of(self.settings)
            self.engine = self._engine()
            self._stack = self._stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @contextmanager
    def process(self, name: str) -> Iterator[Spawned]:
        """`prefloop NAME`, ready."""
        with self._cluster.process(name) as spawned:
            self._parts[name] = lambda: spawned.pid
            yield spawned
            del self._parts[name]

    def cpu(self) -> Mapping[str, float]:
        """CPU seconds of each part so far, its children included; "client" is this process."""
        return {name: _cpu_seconds(pid()) for name, pid in self._parts.items()}

    def drain(self, *readers: str) -> None:
        """Returns when these stages and views have applied everything."""
        deadline = time.monotonic() + PATIENCE_S
        while any(self.engine.measure()[reader] for reader in readers):
            if time.monotonic() > deadline:
                logs = self._cluster.folder
                raise RuntimeError(f"it does not get on: {self.engine.measure()}; look at the logs in {logs}")
            time.sleep(0.05)

    def _engine(self) -> RemoteEngine:
        database = open_postgres(self.settings.database_url)
        engine = RemoteEngine(self.connection, self.layout, database, Follower(self.connection, self.layout))
        self._stack.callback(database.dispose)
        self._stack.callback(engine.close)
        return engine


def _cpu_seconds(pid: int) -> float:
    """Of the process, its living children and those that have ended; not of other parts, which are its children too."""
    process = psutil.Process(pid)
    family = [process] if pid == os.getpid() else [process, *process.children(recursive=True)]
    seconds = 0.0
    for member in family:
        try:
            times = member.cpu_times()
        except psutil.NoSuchProcess:
            continue
        seconds += times.user + times.system
        if pid != os.getpid():
            seconds += times.children_user + times.children_system
    return seconds

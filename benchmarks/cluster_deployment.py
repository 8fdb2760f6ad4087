"""Kafka, PostgreSQL (durable) and Redis on this machine, and prefloop's processes over them, to be measured."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
from rich.console import Console

from services.cluster.brokers import connection_of, layout_of
from services.cluster.engine import RemoteEngine
from services.cluster.follower import Follower
from services.cluster.setup import setup_cluster
from services.settings import Settings, read_settings
from services.spawned import Spawned, free_port
from services.store.database import open_postgres
from tests.services import kafka, postgres, redis

ADMIN_KEY = "plk_benchmark_0123456789abcdef0123456789abcdef"
PATIENCE_S = 900.0


class Deployment:
    """The three servers run inside the block; processes of prefloop run while `process` says so."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()
        self._parts: dict[str, Callable[[], int]] = {}  # process ids by name

    def __enter__(self) -> Self:
        with self._stack:
            self._open_servers()
            setup_cluster(self.settings, Console(quiet=True))
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
        port = free_port()
        environment = {**self._environment, "PREFLOOP_PORT": str(port)}
        log = self._folder / f"{name}.log"
        with Spawned([name], ADMIN_KEY, port=port, log=log, environment=environment) as spawned:
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
                raise RuntimeError(f"it does not get on: {self.engine.measure()}; look at the logs in {self._folder}")
            time.sleep(0.05)

    def _open_servers(self) -> None:
        programs, redis_program = postgres.binaries(), shutil.which("redis-server")
        if programs is None or redis_program is None or (reason := kafka.absent()):
            sys.exit(f"this needs PostgreSQL, Redis and Kafka on this machine: {reason if programs else ''}")
        postgres.OPTIONS = tuple(option for option in postgres.OPTIONS if option != "fsync=off")
        self._folder.chmod(0o755)  # PostgreSQL runs as another user
        folders = {name: self._folder / name for name in ("kafka", "postgres", "redis")}
        for folder in folders.values():
            folder.mkdir()
        broker = kafka.Broker(folders["kafka"])
        database = postgres.Postgres(folders["postgres"], programs, free_port())
        memory = redis.Redis(folders["redis"], redis_program, free_port())
        for name, server in (("kafka", broker), ("postgres", database), ("redis", memory)):
            before = {child.pid for child in psutil.Process().children()}
            server.start()
            (pid,) = {child.pid for child in psutil.Process().children()} - before
            self._parts[name] = lambda pid=pid: pid  # type: ignore[misc]
            self._stack.callback(server.stop)
        self._parts["client"] = os.getpid
        self._environment = {
            "PREFLOOP_KAFKA": broker.servers,
            "PREFLOOP_DATABASE_URL": database.create_database(),
            "PREFLOOP_REDIS_URL": memory.url,
            "PREFLOOP_DATA": str(self._folder / "data"),
            "PREFLOOP_LOG_LEVEL": "error",
        }
        self.settings: Settings = read_settings(self._environment, admin_key=ADMIN_KEY)
        self.connection, self.layout = connection_of(self.settings), layout_of(self.settings)

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

"""A whole cluster on this machine: Kafka, PostgreSQL, Redis, and every process of ours, each to be killed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from services.cluster.brokers import connection_of, layout_of
from services.materializer.folding import Folding, Message
from services.settings import read_settings
from services.spawned import Spawned, free_port
from services.store import models as m
from services.store.database import open_postgres
from services.store.postgres_schema import migrate
from services.store.schema import rows_of_views
from streams.engines.kafka_reader import KafkaReader
from streams.engines.kafka_topics import Layout
from streams.engines.port import Record
from tests.chaos.deployments import ADMIN, Member
from tests.chaos.history import Found, ViewRow
from tests.services import kafka, postgres, redis

PROCESSES = ("api 1", "api 2", "worker 1", "worker 2", "materializer", "coordinator")
CAUGHT_UP_WITHIN = PATIENCE = 600.0  # seconds, also on a machine that is busy with other things
LOOK = 0.5  # seconds
PATIENT = "broker.session.timeout.ms=9000\n"  # as in production: a busy machine is no dead broker
FOLDED_AT_ONCE = 500


class Cluster:
    """Runs inside the block. Its folder must be one that the user postgres may enter."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()
        self._processes: dict[str, Spawned] = {}

    def __enter__(self) -> Self:
        with self._stack:
            self._open_servers()
            self._settings = read_settings(self._environment, admin_key=ADMIN)
            self._run("setup-cluster")
            for name in PROCESSES:
                self._launch(name)
            for spawned in self._processes.values():
                spawned.wait_until_ready()  # not one after the other: the API waits for the queue, which others fill
            self._stack = self._stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def http(self) -> httpx.Client:
        """See Deployment."""
        return self._processes["api 1"].http

    @property
    def urls(self) -> Sequence[str]:
        """See Deployment."""
        return [spawned.url for name, spawned in self._processes.items() if name.startswith("api")]

    @property
    def members(self) -> Mapping[str, Member]:
        """See Deployment."""
        return {"Kafka": self._kafka, "PostgreSQL": self._postgres, "Redis": self._redis, **self._processes}

    def found(self, quota: int) -> Found:
        """See Deployment. The views are folded again into a database of their own."""
        layout = layout_of(self._settings)
        reader = KafkaReader(connection_of(self._settings))
        try:
            self._catch_up()
            messages = list(_messages(reader, layout))
        finally:
            reader.close()
        return Found(
            records=_by_topic(layout, messages),
            views=self._views(self._settings.database_url),
            rebuilt=self._rebuilt(layout, messages),
            quota=quota,
            repeats=True,
        )

    def _open_servers(self) -> None:
        programs, redis_program = postgres.binaries(), shutil.which("redis-server")
        if programs is None or redis_program is None or (reason := kafka.absent()):
            raise RuntimeError(f"a cluster needs PostgreSQL, Redis and Kafka here: {reason if programs else ''}")
        folders = {name: self._folder / name for name in ("kafka", "postgres", "redis")}
        for folder in folders.values():
            folder.mkdir(parents=True)
        self._kafka = kafka.Broker(folders["kafka"], more=PATIENT)
        self._postgres = postgres.Postgres(folders["postgres"], programs, free_port())
        self._redis = redis.Redis(folders["redis"], redis_program, free_port())
        for server in (self._kafka, self._postgres, self._redis):
            server.start()
            self._stack.callback(server.stop)
        self._environment = {
            "PREFLOOP_KAFKA": self._kafka.servers,
            "PREFLOOP_DATABASE_URL": self._postgres.create_database(),
            "PREFLOOP_REDIS_URL": self._redis.url,
            "PREFLOOP_KAFKA_PARTITIONS": "4",
            "PREFLOOP_DATA": str(self._folder / "data"),
            "PREFLOOP_LOG_LEVEL": "warning",
        }

    def _run(self, command: str) -> None:
        environment = {**os.environ, **self._environment, "PREFLOOP_ADMIN_KEY": ADMIN}
        subprocess.run(
            [sys.executable, "-m", "services.cli", command], check=True, capture_output=True, env=environment
        )

    def _launch(self, name: str) -> None:
        port = free_port()
        log = self._folder / f"{name.replace(' ', '-')}.log"
        environment = {**self._environment, "PREFLOOP_PORT": str(port)}
        spawned = Spawned([name.split()[0]], ADMIN, port=port, log=log, environment=environment, patience_s=PATIENCE)
        spawned.launch()
        self._stack.push(spawned.__exit__)
        self._processes[name] = spawned

    def _catch_up(self) -> None:
        """Until nothing is left to apply, twice in a row: a stage's outputs are work for the next."""
        deadline, calm = time.monotonic() + CAUGHT_UP_WITHIN, 0
        while calm < 6:  # the lag that is told is up to two seconds old
            lag = self._processes["api 1"].http.get("/v1/live").raise_for_status().json()["lag"]
            calm = 0 if any(lag.values()) else calm + 1
            if time.monotonic() > deadline:
                raise RuntimeError(f"the stages and views have not caught up: {lag}")
            time.sleep(LOOK)

    def _rebuilt(self, layout: Layout, messages: Sequence[Message]) -> list[ViewRow]:
        url = self._postgres.create_database()
        database = open_postgres(url)
        try:
            migrate(database)
            folding = Folding(database, layout)
            folding.reload()
            for start in range(0, len(messages), FOLDED_AT_ONCE):
                folding.fold(messages[start : start + FOLDED_AT_ONCE], lambda letters: None)
        finally:
            database.dispose()
        return self._views(url)

    def _views(self, url: str) -> list[ViewRow]:
        database = open_postgres(url)
        try:
            with database.connect() as sql:
                return [_without_number(*row) for row in rows_of_views(sql)]
        finally:
            database.dispose()


def _messages(reader: KafkaReader, layout: Layout) -> Iterator[Message]:
    for topic in layout.kafka_topics.values():
        if topic.topics:
            for one in reader.all(layout.full_name(topic.name)):
                yield Message(topic.name, one.partition, one.offset, one.key, one.payload)


def _by_topic(layout: Layout, messages: Iterable[Message]) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = {}
    for message in messages:
        if message.payload:
            record = layout.record(*message)
            found.setdefault(record.topic, []).append(record)
    return found


NUMBERS = {table.name: [n for n, column in enumerate(table.c) if column.name == "log_offset"] for table in m.VIEWS}


def _without_number(table: str, row: tuple[object, ...]) -> ViewRow:
    """Without log_offset, which counts the folds: another fold goes in another order."""
    return table, tuple(value for n, value in enumerate(row) if n not in NUMBERS[table])

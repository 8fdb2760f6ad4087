"""A cluster with every process of ours, each to be killed like the servers below them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from services.cluster.brokers import connection_of, layout_of
from services.materializer.folding import Folding, Message
from services.spawned import Spawned
from services.store import models as m
from services.store.database import open_postgres
from services.store.postgres_schema import migrate
from services.store.schema import rows_of_views
from streams.engines.kafka_reader import KafkaReader
from streams.engines.kafka_topics import Layout
from streams.engines.port import Record
from tests.chaos.deployments import ADMIN, Member
from tests.chaos.history import Found, ViewRow
from tests.services.cluster import Cluster

PROCESSES = ("api 1", "api 2", "worker 1", "worker 2", "materializer", "coordinator")
CAUGHT_UP_WITHIN = PATIENCE = 600.0  # seconds, also on a machine that is busy with other things
LOOK = 0.5  # seconds
PATIENT = "broker.session.timeout.ms=9000\n"  # as in production: a busy machine is no dead broker
FOLDED_AT_ONCE = 500


class EveryProcess:
    """A cluster with every process of ours. Its folder must be one that the user postgres may enter."""

    def __init__(self, folder: Path) -> None:
        self._cluster = Cluster(folder, kafka_options=PATIENT, admin_key=ADMIN, kafka_partitions=4, log_level="warning")
        self._stack = ExitStack()
        self._processes: dict[str, Spawned] = {}

    def __enter__(self) -> Self:
        with self._stack:
            self._stack.enter_context(self._cluster)
            for name in PROCESSES:
                self._processes[name] = spawned = self._cluster.process(name, PATIENCE)
                spawned.launch()
                self._stack.push(spawned.__exit__)
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
        servers = {"Kafka": self._cluster.kafka, "PostgreSQL": self._cluster.postgres, "Redis": self._cluster.redis}
        return {**servers, **self._processes}

    def found(self, quota: int) -> Found:
        """See Deployment. The views are folded again into a database of their own."""
        settings = self._cluster.settings
        layout, reader = layout_of(settings), KafkaReader(connection_of(settings))
        try:
            messages, views = self._at_rest(reader, layout)
        finally:
            reader.close()
        return Found(
            records=_by_topic(layout, messages),
            views=views,
            rebuilt=self._rebuilt(layout, messages),
            quota=quota,
            repeats=True,
        )

    def _at_rest(self, reader: KafkaReader, layout: Layout) -> tuple[list[Message], list[ViewRow]]:
        """The log and the views of one moment: a lease that ends meanwhile is written to both."""
        while True:
            self._catch_up()
            ends, messages = _ends(reader, layout), list(_messages(reader, layout))
            views = _views(self._cluster.settings.database_url)
            if _ends(reader, layout) == ends:
                return messages, views

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
        url = self._cluster.postgres.create_database()
        database = open_postgres(url)
        try:
            migrate(database)
            folding = Folding(database, layout)
            folding.reload()
            for start in range(0, len(messages), FOLDED_AT_ONCE):
                folding.fold(messages[start : start + FOLDED_AT_ONCE], lambda letters: None)
        finally:
            database.dispose()
        return _views(url)


def _views(url: str) -> list[ViewRow]:
    database = open_postgres(url)
    try:
        with database.connect() as sql:
            return [_without_number(*row) for row in rows_of_views(sql)]
    finally:
        database.dispose()


def _ends(reader: KafkaReader, layout: Layout) -> list[dict[int, int]]:
    return [reader.ends(layout.full_name(topic.name)) for topic in layout.kafka_topics.values() if topic.topics]


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

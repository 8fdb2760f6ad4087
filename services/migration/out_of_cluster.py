"""A cluster into a new data folder.

Each topic is written in one transaction, which also notes that it is done: a migration that was broken off goes on with
the next one. What a cluster's log holds twice (workers and replicas send again what they are not sure of) comes once.
"""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Callable, Iterator

import msgspec
from sqlalchemy import Connection, select

from services.cluster.composition import ClusterService
from services.materializer.materializer import LOCK
from services.settings import Settings
from services.store import models as m
from services.store.database import Advisory, outages
from services.store.projection import Views
from services.store.schema import prepare
from streams.engines.guarded import Delivery, Kept
from streams.engines.kafka_reader import KafkaReader
from streams.engines.kafka_states import newest
from streams.engines.kafka_topics import KafkaTopic
from streams.engines.sqlite_log import SqliteLog
from streams.errors import ConflictError, DecodeError, UnavailableError

PAGE = 5_000
Progress = Callable[[str, int], None]
ADMITTED = {"output": m.outputs.c.output, "judgment": m.judgments.c.judgment, "signal": m.signals.c.signal}


class _Head(msgspec.Struct):
    id: str = ""
    ingested_at: int = 0


_head_of = msgspec.json.Decoder(_Head).decode
_kept_of = msgspec.json.Decoder(Kept).decode


def out_of_cluster(service: ClusterService, target: Settings, progress: Progress) -> dict[str, int]:
    """Copies everything; how many events of each topic the folder holds then. `prefloop up` folds its views.

    Raises ConflictError where the folder holds something else, UnavailableError in an outage, while the folder is in
    use, while a materializer runs, and while stages or views are behind. Repeat it after any of them.
    """
    lock = Advisory(service.database, LOCK)
    if not lock.acquire():
        raise UnavailableError("a materializer of the cluster is running: stop all its processes first")
    try:
        if behind := {reader: lag for reader, lag in service.engine.measure().items() if lag}:
            raise UnavailableError(f"the cluster is not done with its log ({behind}): let it finish, then stop it")
        return _copy(service, target, progress)
    finally:
        lock.release()


def _copy(service: ClusterService, target: Settings, progress: Progress) -> dict[str, int]:
    folder = SqliteLog(target.data, service.layout.topology)
    reader = KafkaReader(service.connection)
    try:
        prepare(folder.connection)
        _Copying(service, reader, folder, progress).run()
        return folder.totals()
    finally:
        reader.close()
        folder.close()


class _Copying:
    """One folder being written."""

    def __init__(self, service: ClusterService, reader: KafkaReader, folder: SqliteLog, progress: Progress) -> None:
        self._service = service
        self._layout = service.layout
        self._reader = reader
        self._folder = folder
        self._raw = folder.raw
        self._progress = progress

    def run(self) -> None:
        """Part by part."""
        self._begin()
        for home in self._layout.kafka_topics.values():
            if home.topics:
                self._once(home.name, lambda home=home: self._topics(home))  # type: ignore[misc]
        for stage in self._layout.topology.stages.values():
            self._once(f"states of {stage.name}", lambda stage=stage: self._states(stage.name))  # type: ignore[misc]
        self._once("facts", self._facts)
        self._once("places", self._places)

    def _begin(self) -> None:
        self._raw.execute("CREATE TABLE IF NOT EXISTS migrated (part TEXT PRIMARY KEY)")
        begun = self._raw.execute("SELECT count(*) FROM migrated").fetchone()[0]
        if not begun and any(self._folder.totals().values()):
            raise ConflictError("the folder holds events of its own", mend="name a folder that is not there yet")

    def _once(self, part: str, copy: Callable[[], None]) -> None:
        if self._raw.execute("SELECT 1 FROM migrated WHERE part = ?", (part,)).fetchone():
            return
        self._raw.execute("BEGIN IMMEDIATE")
        try:
            copy()
            self._raw.execute("INSERT INTO migrated VALUES (?)", (part,))
            self._raw.execute("COMMIT")
        except BaseException:
            self._raw.execute("ROLLBACK")
            raise

    # ------------------------------------------------------------ topics

    def _topics(self, home: KafkaTopic) -> None:
        """All partitions merged by time, each topic with offsets of its own."""
        self._raw.execute("CREATE TEMP TABLE seen (topic TEXT, id TEXT, PRIMARY KEY (topic, id)) WITHOUT ROWID")
        ends = dict.fromkeys(home.topics, 0)
        partitions = [self._partition(home, number) for number in range(self._layout.count(home.name))]
        rows: dict[str, list[tuple[int, str, bytes]]] = {topic: [] for topic in home.topics}
        for _, topic, key, payload in heapq.merge(*partitions, key=lambda one: one[0]):
            if not self._is_first(topic, payload, compacted=home.compacted):
                continue
            rows[topic].append((ends[topic], key, payload))
            ends[topic] += 1
            if len(rows[topic]) >= PAGE:
                self._write(topic, rows[topic], compacted=home.compacted)
        for topic in home.topics:
            self._write(topic, rows[topic], compacted=home.compacted)
        self._raw.execute("DROP TABLE seen")

    def _partition(self, home: KafkaTopic, number: int) -> Iterator[tuple[int, str, str, bytes]]:
        """(time, topic, key, payload); words of one owner only as the newest, and none where they were erased."""
        deliveries = self._pages(self._layout.full_name(home.name), number)
        if home.compacted:
            newest = {one.key: one for one in deliveries}
            deliveries = iter(sorted(newest.values(), key=lambda one: one.offset))
        for one in deliveries:
            if one.payload and (topic := self._topic_of(one)) in home.topics:
                yield _head_of(one.payload).ingested_at, topic, one.key.decode(), one.payload

    def _topic_of(self, delivery: Delivery) -> str:
        """ "" for bytes that are no event: their dead letter is what is kept of them."""
        try:
            return self._layout.topic_of(delivery.payload)
        except DecodeError:
            return ""

    def _pages(self, name: str, number: int) -> Iterator[Delivery]:
        start = 0
        while page := self._reader.read(name, number, start, PAGE):
            yield from page
            start = page[-1].offset + 1

    def _is_first(self, topic: str, payload: bytes, *, compacted: bool) -> bool:
        """The first copy of an id counts."""
        identity = _head_of(payload).id
        if compacted or not identity:
            return True
        return self._raw.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (topic, identity)).rowcount > 0

    def _write(self, topic: str, rows: list[tuple[int, str, bytes]], *, compacted: bool) -> None:
        verb = "INSERT OR REPLACE" if compacted else "INSERT"
        self._raw.executemany(f"{verb} INTO log_{topic} (log_offset, key, payload) VALUES (?, ?, ?)", rows)
        self._progress(topic, len(rows))
        rows.clear()

    # ------------------------------------------------------------ states, facts, places

    def _states(self, stage: str) -> None:
        values = newest(self._reader.all(self._layout.states(stage)))
        states = ((key.decode(), _kept_of(value).state) for key, value in values.items())
        rows = [(stage, key, bytes(state)) for key, state in states if state is not None]
        self._raw.executemany("INSERT INTO engine_states VALUES (?, ?, ?)", rows)
        self._progress(f"states of {stage}", len(rows))

    def _facts(self) -> None:
        new = self._folder.connection
        with outages(), self._service.database.connect() as old:
            for table in m.FACTS:
                rows = [dict(row) for row in old.execute(table.select()).mappings()]
                if rows:
                    new.execute(table.insert(), rows)
                self._progress(table.name, len(rows))
            self._admissions(old)

    def _admissions(self, old: Connection) -> None:
        """Of those that were never confirmed, the ones whose event is in the log: others were never acknowledged."""
        query = "SELECT kind, identity, content_hash, confirmed FROM admissions"
        found = old.exec_driver_sql(query)
        while page := found.fetchmany(PAGE):
            rows = [tuple(row[:3]) for row in page if row.confirmed or _is_in_log(old, row.kind, row.identity)]
            self._raw.executemany("INSERT INTO admissions VALUES (?, ?, ?)", rows)
            self._progress("admissions", len(rows))

    def _places(self) -> None:
        """The stages have applied all; the views are folded when the folder is opened."""
        for stage in self._layout.topology.stages.values():
            rows = [(stage.name, topic, self._end(topic)) for topic in stage.inputs]
            self._raw.executemany("INSERT INTO engine_offsets VALUES (?, ?, ?)", rows)
        self._raw.execute("DELETE FROM engine_offsets WHERE consumer = ?", (Views.name,))

    def _end(self, topic: str) -> int:
        connection: sqlite3.Connection = self._raw
        (last,) = connection.execute(f"SELECT max(log_offset) FROM log_{topic}").fetchone()
        return 0 if last is None else int(last) + 1


def _is_in_log(sql: Connection, kind: str, identity: str) -> bool:
    column = ADMITTED.get(kind)
    return column is not None and sql.execute(select(column).where(column == identity)).first() is not None

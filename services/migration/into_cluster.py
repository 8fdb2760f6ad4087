"""A data folder into an empty cluster.

What goes into one Kafka partition is one sequence that follows from the folder alone. So a migration that was broken
off goes on after as many messages as a partition holds already: nothing is lost, nothing is there twice.
"""

from __future__ import annotations

import heapq
import time
from collections import Counter
from collections.abc import Callable, Iterator

import msgspec
from kafka import KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata
from sqlalchemy import Connection, text
from sqlalchemy.dialects.postgresql import insert

from services.bootstrap import OneMachine, open_service
from services.cluster.composition import ClusterService
from services.materializer.folding import SAVE_PLACE
from services.materializer.materializer import LOCK
from services.settings import Settings
from services.store import models as m
from services.store.cluster_tables import MIGRATED
from services.store.database import Advisory, outages, transaction
from streams.engines.guarded import Kept
from streams.engines.kafka_reader import KafkaReader
from streams.engines.kafka_states import FIRST_OWNER, key_of_row
from streams.engines.kafka_topics import MOST_MESSAGE_BYTES, KafkaTopic, Layout, partition_of
from streams.engines.sqlite_log import rows_of
from streams.errors import ConflictError, UnavailableError
from streams.topology import Stage

PAGE = 5_000
PATIENCE_S = 30.0
SOURCE = "migration source"  # the consumer under which the folder's ends are noted: it must not change on the way
Progress = Callable[[str, int], None]  # what, and how many more are done


class Sent(msgspec.Struct, frozen=True):
    """One message on its way; `topic` is the full name."""

    topic: str
    partition: int
    key: bytes
    payload: bytes


class _Timed(msgspec.Struct):
    ingested_at: int = 0


_time_of = msgspec.json.Decoder(_Timed).decode


def into_cluster(source: Settings, service: ClusterService, progress: Progress) -> dict[str, int]:
    """Copies everything; how many events of each topic the cluster holds then.

    Raises ConflictError where the cluster holds something else, UnavailableError in an outage, while the folder is in
    use, and while a materializer or a worker of the cluster runs. Repeat it after any of them.
    """
    lock = Advisory(service.database, LOCK)
    if not lock.acquire():
        raise UnavailableError("a materializer of the cluster is running: stop all its processes first")
    try:
        if workers := workers_of(service):
            raise UnavailableError(f"{workers} workers of the cluster are running: stop all its processes first")
        return _copy_all(open_service(source), service, progress)
    finally:
        lock.release()


def workers_of(service: ClusterService) -> int:
    """How many workers there are now. Raises UnavailableError."""
    group = f"{service.layout.prefix}worker"
    try:
        with KafkaAdminClient(**service.connection.kafka_python()) as admin:
            return len(admin.describe_groups([group])[group]["members"] or ())
    except KafkaError as error:
        if error.retriable:
            return 0  # a cluster that never had a group
        raise UnavailableError(f"Kafka does not tell its workers ({error}): is it running?") from error


def _copy_all(folder: OneMachine, service: ClusterService, progress: Progress) -> dict[str, int]:
    try:
        folder.engine.drain()
        folder.engine.stop()
        return _copy(folder, service, progress)
    finally:
        folder.close()


def _copy(folder: OneMachine, service: ClusterService, progress: Progress) -> dict[str, int]:
    ends = {name: folder.store.end(name) for name in folder.store.topology.topics}
    reader = KafkaReader(service.connection)
    try:
        _require_same(service, ends, reader)
        counts = Counter(dict.fromkeys(ends, 0))
        with _Producing(service, reader, progress) as producing:
            for home in service.layout.kafka_topics.values():
                producing.send(home.name, _messages(folder, service.layout, home, counts))
            for stage in service.layout.topology.stages.values():
                producing.send(f"states of {stage.name}", _states(folder, service.layout, stage))
        _copy_facts(folder, service, progress)
        _set_places(service, reader)
    finally:
        reader.close()
    return dict(counts)


# ---------------------------------------------------------------- what is sent


def _messages(folder: OneMachine, layout: Layout, home: KafkaTopic, counts: Counter[str]) -> Iterator[Sent]:
    """The topics of one Kafka topic, merged by time, each in its order."""

    def of(topic: str) -> Iterator[tuple[int, str, str, bytes]]:
        for key, payload in _stored(folder, topic):
            counts[topic] += 1
            yield _time_of(payload).ingested_at, topic, key, payload

    for _, topic, key, payload in heapq.merge(*map(of, home.topics), key=lambda one: one[0]):
        name, key_bytes, partition = layout.place(topic, key)
        yield Sent(name, partition, key_bytes, payload)


def _stored(folder: OneMachine, topic: str) -> Iterator[tuple[str, bytes]]:
    start = 0
    while rows := rows_of(folder.store.reader, topic, start, PAGE):
        yield from ((key, payload) for _, key, payload in rows)
        start = rows[-1][0] + 1


def _states(folder: OneMachine, layout: Layout, stage: Stage) -> Iterator[Sent]:
    """As the worker's table holds them; nothing of this log was applied to them yet."""
    partitions = layout.count(layout.inbox(stage).name)
    query = "SELECT key, payload FROM engine_states WHERE stage = ? ORDER BY key"
    for key, payload in folder.store.reader.execute(query, (stage.name,)):
        value = msgspec.json.encode(Kept(msgspec.Raw(payload), {}))
        yield Sent(
            layout.states(stage.name), partition_of(key, partitions), key_of_row(FIRST_OWNER, key.encode()), value
        )


class _Producing:
    """Sends what is not there yet."""

    def __init__(self, service: ClusterService, reader: KafkaReader, progress: Progress) -> None:
        self._reader = reader
        self._progress = progress
        self._producer = KafkaProducer(
            **service.connection.kafka_python(),
            acks="all",
            enable_idempotence=True,
            linger_ms=20,
            batch_size=262_144,
            max_request_size=MOST_MESSAGE_BYTES,
            metrics_enabled=False,
        )

    def __enter__(self) -> _Producing:
        return self

    def __exit__(self, *_: object) -> None:
        self._producer.close(timeout=30)

    def send(self, what: str, messages: Iterator[Sent]) -> None:
        """Returns when Kafka has acknowledged all of them."""
        there: dict[str, dict[int, int]] = {}
        waiting = []
        for message in messages:
            if message.topic not in there:
                there[message.topic] = self._reader.ends(message.topic)
            ends = there[message.topic]
            if ends[message.partition] > 0:
                ends[message.partition] -= 1
                continue
            waiting.append(
                self._producer.send(message.topic, value=message.payload, key=message.key, partition=message.partition)
            )
            if len(waiting) >= PAGE:
                self._settle(what, waiting)
        self._settle(what, waiting)
        if any(left for ends in there.values() for left in ends.values()):
            raise ConflictError(f"the cluster holds more of {what} than the folder", mend="begin with an empty cluster")

    def _settle(self, what: str, waiting: list[object]) -> None:
        try:
            self._producer.flush()
            for future in waiting:
                future.get(timeout=0)  # type: ignore[attr-defined]
        except KafkaError as error:
            raise UnavailableError(f"Kafka does not take events ({error}): repeat the migration") from error
        self._progress(what, len(waiting))
        waiting.clear()


# ---------------------------------------------------------------- facts, places, checks


def _require_same(service: ClusterService, ends: dict[str, int], reader: KafkaReader) -> None:
    """An empty cluster, or one into which this very folder was being copied."""
    with outages(), service.database.connect() as sql:
        if _places(sql, MIGRATED):
            raise ConflictError("this cluster's migration is finished already", mend="start its processes")
        noted = _places(sql, SOURCE)
        if noted == ends:
            return
        layout = service.layout
        names = [layout.full_name(home.name) for home in layout.kafka_topics.values() if home.topics]
        if noted or any(end for name in names for end in reader.ends(name).values()):
            what = "another folder, or this one before it went on" if noted else "events of its own"
            raise ConflictError(
                f"the cluster holds {what}: a folder goes into an empty cluster",
                mend="choose another PREFLOOP_KAFKA_PREFIX and another database, and run `prefloop setup-cluster`",
            )
        with transaction(sql):
            sql.exec_driver_sql(SAVE_PLACE, [(SOURCE, topic, 0, end) for topic, end in ends.items()])


def _places(sql: Connection, consumer: str) -> dict[str, int]:
    query = text("SELECT topic, next_offset FROM engine_offsets WHERE consumer = :name")
    return {topic: place for topic, place in sql.execute(query, {"name": consumer})}  # noqa: C416


def _copy_facts(folder: OneMachine, service: ClusterService, progress: Progress) -> None:
    with folder.database.connect() as old, outages(), service.database.connect() as new, transaction(new):
        for table in m.FACTS:
            rows = [dict(row) for row in old.execute(table.select()).mappings()]
            for start in range(0, len(rows), PAGE):
                new.execute(insert(table).on_conflict_do_nothing(), rows[start : start + PAGE])
            progress(table.name, len(rows))
        found = old.exec_driver_sql("SELECT kind, identity, content_hash FROM admissions")
        while page := found.fetchmany(PAGE):
            new.exec_driver_sql(
                "INSERT INTO admissions (kind, identity, content_hash, confirmed, at) VALUES (%s, %s, %s, true, 0)"
                " ON CONFLICT DO NOTHING",
                [tuple(row) for row in page],
            )
            progress("admissions", len(page))


def _set_places(service: ClusterService, reader: KafkaReader) -> None:
    """No stage applies what was brought, and the views fold it as what came once."""
    layout = service.layout
    homes = [home.name for home in layout.kafka_topics.values() if home.topics]
    ends = {(name, part): end for name in homes for part, end in reader.ends(layout.full_name(name)).items()}
    inboxes = {layout.inbox(stage).name for stage in layout.topology.stages.values()}
    commit = {
        TopicPartition(layout.full_name(name), part): OffsetAndMetadata(end, "", -1)
        for (name, part), end in ends.items()
        if name in inboxes
    }
    _commit(service, commit)
    with outages(), service.database.connect() as sql, transaction(sql):  # last: it says that all is done
        sql.exec_driver_sql(SAVE_PLACE, [(MIGRATED, name, part, end) for (name, part), end in ends.items()])


def _commit(service: ClusterService, places: dict[TopicPartition, OffsetAndMetadata]) -> None:
    """The workers' places; a cluster that never had a group takes a moment to keep one."""
    deadline = time.monotonic() + PATIENCE_S
    while errors := _refused(service, places):
        if not all(error.retriable for error in errors) or time.monotonic() > deadline:
            names = ", ".join(error.__name__ for error in errors)
            raise UnavailableError(f"the workers' places were refused ({names}): stop all workers, and repeat")
        time.sleep(0.2)


def _refused(service: ClusterService, places: dict[TopicPartition, OffsetAndMetadata]) -> set[type[KafkaError]]:
    """Sets the places; why some could not be set."""
    try:
        with KafkaAdminClient(**service.connection.kafka_python()) as admin:
            answers = admin.alter_group_offsets(f"{service.layout.prefix}worker", places)
    except KafkaError as error:
        return {type(error)}
    return {answer for answer in answers.values() if answer.errno}

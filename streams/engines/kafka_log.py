"""The log on Apache Kafka: what is admitted in SQL is produced in batches, and acknowledged when Kafka has it.

Works that wait run together in one SQL transaction, which is committed; then all their events are produced and
acknowledged by Kafka; then the futures resolve. A crash in between leaves an id admitted whose event was never
appended. So an admission is *confirmed* with a later batch, and whoever comes again with the same content before that
is told "new" and appends once more: receivers drop doubles.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import structlog
from aiokafka.errors import KafkaError
from sqlalchemy import Connection
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError

from streams.codecs import encode
from streams.engines.guarded import Sending
from streams.engines.kafka_connection import KafkaConnection
from streams.engines.kafka_reader import KafkaReader
from streams.engines.kafka_sender import BlockingSender
from streams.engines.kafka_topics import Layout
from streams.engines.port import Admission, Record, Transaction
from streams.errors import DecodeError, UnavailableError, UnsureError
from streams.events import Event

T = TypeVar("T")
Claim = tuple[str, str]  # kind and identity of an admission

MOST_WAITING = 2_048  # works; beyond them the client is told to come again
MOST_JOBS = 512  # works of one batch
MOST_BYTES = 8 * 1024 * 1024  # of events in flight: a batch takes no further work beyond them
STALE_S = 15.0  # a work that waited longer is not sent any more
BLOCK_S = 3.0  # until Kafka, which does not answer, counts as away
DELIVERY_S = 10.0  # until a batch that Kafka does not acknowledge is given up
WRITTEN_WITHIN_S = STALE_S + BLOCK_S + DELIVERY_S  # after its `submit`, a work is in the log or never will be
CONFIRM_S = 0.5  # idle time after which admissions are confirmed without a next batch
_log = structlog.get_logger("log")


class AdmissionBatch(Protocol):
    """One SQL transaction over the admission index and the facts that live in SQL alone."""

    sql: Connection

    def attempt(self, work: Callable[[], T]) -> T:
        """Runs `work`; what it wrote is undone when it raises, and the batch goes on."""
        ...

    def admit(self, kind: str, identity: str, content_hash: str) -> Admission:
        """See port.Transaction; "new" too for the same content that is not confirmed yet."""
        ...

    def admit_all(self, kind: str, claims: Sequence[tuple[str, str]]) -> list[Admission]:
        """`admit` of each (identity, content hash), in order, in few round trips."""
        ...

    def confirm(self, claims: Sequence[Claim]) -> None:
        """The log has acknowledged the events of these ids."""
        ...


class AdmissionStore(Protocol):
    """Where ids are claimed, for all replicas alike."""

    def batch(self) -> AbstractContextManager[AdmissionBatch]:
        """A transaction: committed at the end of the block, undone where the block raises."""
        ...


@dataclass(kw_only=True)
class _Job:
    work: Callable[[Transaction], Any]
    future: Future[Any]
    since: float = field(default_factory=time.monotonic)
    result: Any = None
    error: Exception | None = None
    sendings: list[Sending] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)


class KafkaTransaction:
    """What one work may do; see port.Transaction. Nothing is sent before the SQL is committed."""

    def __init__(self, layout: Layout, batch: AdmissionBatch, job: _Job) -> None:
        self.sql = batch.sql
        self._layout = layout
        self._batch = batch
        self._job = job

    def append(self, event: Event) -> int:
        """Collects the event; -1, for its offset is known to Kafka alone."""
        topic = self._layout.topology.by_event[type(event)]
        name, key, partition = self._layout.place(topic.name, topic.key(event))
        self._job.sendings.append(Sending(name, partition, key, encode(event)))
        return -1

    def admit(self, kind: str, identity: str, content_hash: str) -> Admission:
        """Claims the id for this content; see port.Transaction."""
        admission = self._batch.admit(kind, identity, content_hash)
        if admission == "new":
            self._job.claims.append((kind, identity))
        return admission

    def admit_all(self, kind: str, claims: Sequence[tuple[str, str]]) -> list[Admission]:
        """Claims many ids in few round trips; see port.Transaction."""
        admissions = self._batch.admit_all(kind, claims)
        for (identity, _), admission in zip(claims, admissions, strict=True):
            if admission == "new":
                self._job.claims.append((kind, identity))
        return admissions


def _refuse_stale(jobs: Sequence[_Job]) -> None:
    """Bounds how long after its `submit` a work can reach the log (WRITTEN_WITHIN_S)."""
    oldest = time.monotonic() - STALE_S
    for job in jobs:
        if job.since < oldest and job.error is None:
            job.error = UnavailableError("too much waits to be written: try again in a moment", retry_after=2)
            job.sendings, job.claims = [], []


class KafkaLog:
    """See port.Log. One thread admits, produces and acknowledges."""

    def __init__(self, connection: KafkaConnection, layout: Layout, store: AdmissionStore) -> None:
        self._connection = connection
        self._layout = layout
        self._store = store
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._door = threading.Lock()
        self._stopping = False
        self._unconfirmed: list[Claim] = []
        self._sender: BlockingSender | None = None
        self._reader: KafkaReader | None = None
        self._thread = threading.Thread(target=self._run, name="kafka-log", daemon=True)
        self._thread.start()

    # ------------------------------------------------------------ port

    def submit(self, work: Callable[[Transaction], T]) -> Future[T]:
        """Runs `work`; resolves when Kafka has acknowledged what it appended. See port.Log."""
        future: Future[T] = Future()
        with self._door:
            if self._stopping:
                future.set_exception(UnavailableError("the service is stopping: try again in a moment", retry_after=5))
            elif self._jobs.qsize() >= MOST_WAITING:
                future.set_exception(UnavailableError("too much waits to be written: try again in a moment"))
            else:
                self._jobs.put(_Job(work=work, future=future))
        return future

    def read(self, topic: str, start: int = 0, limit: int = 1_000) -> Sequence[Record]:
        """Records of a topic that lives in one partition, in order; offsets have holes, others live there too."""
        home = self._single(topic)
        found: list[Record] = []
        reader = self._open_reader()
        while len(found) < limit:
            page = reader.read(self._layout.full_name(home), 0, start, 1_000)
            if not page:
                break
            start = page[-1].offset + 1
            for delivery in page:
                try:
                    record = self._layout.record(home, 0, delivery.offset, delivery.key, delivery.payload)
                except DecodeError:
                    continue  # whoever folds the topic buries it
                if record.topic == topic:
                    found.append(record)
        return found[:limit]

    def end(self, topic: str) -> int:
        """The offset after the last record of the partition that the topic lives in."""
        return self._open_reader().ends(self._layout.full_name(self._single(topic)))[0]

    def close(self) -> None:
        """Finishes what waits, then closes."""
        with self._door:
            self._stopping = True
            self._jobs.put(None)
        self._thread.join()
        if self._reader is not None:
            self._reader.close()

    def _single(self, topic: str) -> str:
        home = self._layout.home(topic)
        if not home.single:
            raise ValueError(f"{topic} has {self._layout.partitions} partitions: read them by place, with KafkaReader")
        return home.name

    def _open_reader(self) -> KafkaReader:
        with self._door:
            if self._reader is None:
                self._reader = KafkaReader(self._connection)
            return self._reader

    # ------------------------------------------------------------ writer

    def _run(self) -> None:
        while not (self._stopping and self._jobs.empty()):
            jobs = self._waiting()
            try:
                self._write(jobs)
            except Exception as error:  # nobody may wait for ever, whatever it was
                _log.error("batch failed", error=repr(error), exc_info=not isinstance(error, UnavailableError))
                self._refuse(jobs, error)
        if self._sender is not None:
            self._sender.close()

    def _waiting(self) -> list[_Job]:
        """What waits; or nothing, after a while in which only admissions wait to be confirmed."""
        jobs: list[_Job] = []
        try:
            while len(jobs) < MOST_JOBS:
                job = self._jobs.get(timeout=0 if jobs else CONFIRM_S if self._unconfirmed else None)
                if job is None:
                    break
                if job.future.set_running_or_notify_cancel():
                    jobs.append(job)
        except queue.Empty:
            pass
        return jobs

    def _write(self, jobs: list[_Job]) -> None:
        """Admits in SQL, and produces; what would be too much in flight goes with the next round."""
        while jobs or self._unconfirmed:
            done = self._admit(jobs)
            _refuse_stale(done)
            self._produce([sending for job in done for sending in job.sendings])
            self._unconfirmed += [claim for job in done for claim in job.claims]
            for job in done:
                job.future.set_exception(job.error) if job.error else job.future.set_result(job.result)
            del jobs[: len(done)]
            if not jobs:
                return

    def _admit(self, jobs: Sequence[_Job]) -> list[_Job]:
        """Runs works in one SQL transaction until MOST_BYTES are collected; those that ran."""
        done: list[_Job] = []
        confirming, size = list(self._unconfirmed), 0
        try:
            with self._store.batch() as batch:
                batch.confirm(confirming)
                for job in jobs:
                    self._attempt(batch, job)
                    done.append(job)
                    size += sum(len(sending.payload or b"") for sending in job.sendings)
                    if size > MOST_BYTES:
                        break
        except (SQLAlchemyError, OSError) as error:
            raise UnavailableError(f"the database does not take admissions ({error}): is it running?") from error
        del self._unconfirmed[: len(confirming)]
        return done

    def _attempt(self, batch: AdmissionBatch, job: _Job) -> None:
        transaction = KafkaTransaction(self._layout, batch, job)
        try:
            job.result = batch.attempt(lambda: job.work(transaction))
        except (OperationalError, InterfaceError, OSError):
            raise  # the database, not the work
        except Exception as error:
            job.error, job.sendings, job.claims = error, [], []

    def _produce(self, sendings: Sequence[Sending]) -> None:
        """Returns when Kafka has acknowledged all; raises UnavailableError where it has not."""
        if not sendings:
            return
        try:
            self._open_sender().send(sendings)
        except (KafkaError, TimeoutError) as error:
            self._drop_sender()  # an idempotent producer that gave a batch up cannot go on
            raise UnsureError(f"Kafka does not take events ({error!r}): is it running?", retry_after=2) from error

    def _open_sender(self) -> BlockingSender:
        if self._sender is None:
            self._connection.check()
            self._sender = BlockingSender(self._connection, block_s=BLOCK_S, delivery_s=DELIVERY_S)
        return self._sender

    def _drop_sender(self) -> None:
        sender, self._sender = self._sender, None
        if sender is not None:
            sender.abort()

    def _refuse(self, jobs: Sequence[_Job], cause: Exception) -> None:
        for job in jobs:
            if not job.future.done():
                unsure = isinstance(cause, UnsureError)
                error = (UnsureError if unsure else UnavailableError)(
                    f"{'perhaps ' if unsure else ''}not written: {cause}", retry_after=getattr(cause, "retry_after", 1)
                )
                error.__cause__ = cause
                job.future.set_exception(error)

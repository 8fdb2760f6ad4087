"""What all processes of a cluster decide, told to this one: the records of `control`, in their order."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TypeVar

import structlog
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from services.bootstrap import Writing
from streams.engines.kafka_connection import KafkaConnection
from streams.engines.kafka_topics import Layout
from streams.engines.port import Admission, Listener, Record, Transaction
from streams.errors import DecodeError, UnavailableError
from streams.events import Event

T = TypeVar("T")
POLL_MS = 200
AGAIN_S = 1.0
PATIENCE_S = 5.0  # who waits to see an event of theirs is told then in any case: it is durable
REMEMBERED = 10_000  # ids of the newest events
CONTROL = "control"
_log = structlog.get_logger("follower")


@dataclass
class _Waiter:
    missing: set[str]
    then: Callable[[], None]
    until: float


class Follower:
    """Follows from the first listener on; before that nobody is told anything. Thread-safe."""

    def __init__(self, connection: KafkaConnection, layout: Layout) -> None:
        self._connection = connection
        self._layout = layout
        self._place = TopicPartition(layout.full_name(CONTROL), 0)
        self._listeners: list[Listener] = []
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._waiters: list[_Waiter] = []
        self._lock = threading.Lock()
        self._leaving = threading.Event()
        self._thread: threading.Thread | None = None

    def add_listener(self, listener: Listener) -> None:
        """`listener` gets everything that is appended from now on, and perhaps a little of what was before."""
        self._listeners.append(listener)
        if self._thread is None:
            consumer = self._open()
            start = consumer.end_offsets([self._place])[self._place]
            self._thread = threading.Thread(target=self._run, args=(consumer, start), name="follower", daemon=True)
            self._thread.start()

    def when_seen(self, ids: Collection[str], then: Callable[[], None]) -> None:
        """Calls `then` when the listeners have been told of these events; at once where nobody follows."""
        with self._lock:
            missing = {one for one in ids if one not in self._seen}
            if missing and self._thread is not None and not self._leaving.is_set():
                self._waiters.append(_Waiter(missing, then, time.monotonic() + PATIENCE_S))
                return
        then()

    def close(self) -> None:
        """Stops, and lets everybody go who waits."""
        self._leaving.set()
        if self._thread is not None:
            self._thread.join()
        self._release(everybody=True)

    def _open(self) -> KafkaConsumer:
        self._connection.check()
        consumer = KafkaConsumer(
            **self._connection.kafka_python(), group_id=None, enable_auto_commit=False, auto_offset_reset="earliest"
        )
        consumer.assign([self._place])
        return consumer

    def _run(self, consumer: KafkaConsumer, place: int) -> None:
        while not self._leaving.is_set():
            try:
                place = self._follow(consumer, place)
            except (KafkaError, UnavailableError) as error:
                _log.warning("Kafka does not answer", error=str(error))
                self._release()
                self._leaving.wait(AGAIN_S)
        consumer.close(autocommit=False)

    def _follow(self, consumer: KafkaConsumer, place: int) -> int:
        consumer.seek(self._place, place)
        while not self._leaving.is_set():
            messages = consumer.poll(timeout_ms=POLL_MS).get(self._place, ())
            if messages:
                self._tell([r for m in messages if (r := self._record(m.offset, m.key, m.value)) is not None])
                place = messages[-1].offset + 1
            self._release()
        return place

    def _record(self, offset: int, key: bytes | None, payload: bytes) -> Record | None:
        try:
            return self._layout.record(CONTROL, 0, offset, key, payload)
        except DecodeError:
            return None  # the materializer makes a dead letter of it

    def _tell(self, records: Sequence[Record]) -> None:
        for listener in self._listeners:
            listener(records)
        ids = [record.event.id for record in records]
        with self._lock:
            self._seen.update(dict.fromkeys(ids))
            while len(self._seen) > REMEMBERED:
                self._seen.popitem(last=False)
            for waiter in self._waiters:
                waiter.missing.difference_update(ids)

    def _release(self, *, everybody: bool = False) -> None:
        now = time.monotonic()
        with self._lock:
            done = [one for one in self._waiters if everybody or not one.missing or now > one.until]
            self._waiters = [one for one in self._waiters if one not in done]
        for waiter in done:
            waiter.then()


class FollowedLog:
    """A log whose writer sees its own decisions: futures resolve when this process was told of them as well."""

    def __init__(self, log: Writing, follower: Follower, layout: Layout) -> None:
        self._log = log
        self._follower = follower
        self._layout = layout

    def submit(self, work: Callable[[Transaction], T]) -> Future[T]:
        """See port.Log."""
        told: Future[T] = Future()
        ids: list[str] = []

        def watched(transaction: Transaction) -> T:
            ids.clear()
            return work(_Watched(transaction, ids, self._layout))

        self._log.submit(watched).add_done_callback(lambda done: self._settle(done, ids, told))
        return told

    def _settle(self, done: Future[T], ids: list[str], told: Future[T]) -> None:
        if error := done.exception():
            told.set_exception(error)
        elif ids:
            self._follower.when_seen(ids, lambda: told.set_result(done.result()))
        else:
            told.set_result(done.result())


class _Watched:
    """A transaction that notes the ids of what goes to `control`."""

    def __init__(self, transaction: Transaction, ids: list[str], layout: Layout) -> None:
        self.sql = transaction.sql
        self._transaction = transaction
        self._ids = ids
        self._layout = layout

    def append(self, event: Event) -> int:
        """See port.Transaction."""
        if self._layout.home(self._layout.topology.by_event[type(event)].name).name == CONTROL:
            self._ids.append(event.id)
        return self._transaction.append(event)

    def admit(self, kind: str, identity: str, content_hash: str) -> Admission:
        """See port.Transaction."""
        return self._transaction.admit(kind, identity, content_hash)

    def admit_all(self, kind: str, claims: Sequence[tuple[str, str]]) -> list[Admission]:
        """See port.Transaction."""
        return self._transaction.admit_all(kind, claims)

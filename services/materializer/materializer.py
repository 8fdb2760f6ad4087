"""The loop: poll Kafka, fold into PostgreSQL, tell the queue. Killed at any point it goes on from what is committed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import structlog
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from services.materializer.folding import Folded, Folding, Message
from services.queue.port import AssignmentQueue
from services.store.database import Advisory
from services.trail import is_told, tell
from streams.engines.kafka_connection import KafkaConnection
from streams.engines.kafka_log import WRITTEN_WITHIN_S
from streams.engines.kafka_topics import Layout
from streams.engines.port import Log, Record, Transaction
from streams.errors import UnavailableError
from streams.events import DeadLetter

MOST = 2_000  # messages of one transaction
POLL_MS = 200  # at most, while nothing comes
AGAIN_S = 1.0  # after an outage
LOOK_S = 1.0  # between two looks at lag, lock and queue
SOON_S = 0.1  # the same while the queue waits to be filled
LOCK = "materializer"
_log = structlog.get_logger("materializer")


class FedQueue(AssignmentQueue, Protocol):
    """A queue that remembers how far it was told, outside of this process."""

    def shut(self) -> None:
        """Grants nothing more until it is filled again."""
        ...

    def note(self, number: int) -> None:
        """All folds before that number were applied."""
        ...

    def told(self) -> int:
        """The newest number noted; 0 where there is none."""
        ...


class Materializer:
    """One active in a cluster: others wait for the lock.

    `restore` fills the queue from SQL; `is_new` says that there was no task yet, so that nothing can be under way;
    `noted` hears of what is in the views.
    """

    def __init__(
        self,
        *,
        folding: Folding,
        lock: Advisory,
        connection: KafkaConnection,
        layout: Layout,
        log: Log,
        queue: FedQueue,
        restore: Callable[[], None],
        is_new: Callable[[], bool] = lambda: False,
        noted: Callable[[Sequence[Record]], None] = lambda _: None,
        written_within_s: float = WRITTEN_WITHIN_S,
    ) -> None:
        self._folding = folding
        self._lock = lock
        self._connection = connection
        self._layout = layout
        self._log = log
        self._queue = queue
        self._restore = restore
        self._is_new = is_new
        self._noted = noted
        self._written_within_s = written_within_s
        self._restored = False  # the queue holds what SQL holds
        self._lost_at = 0.0  # when it was seen that it does not; 0 while it does
        self._target: dict[TopicPartition, int] = {}  # how far SQL must be before the queue is filled from it
        self._look_at = 0.0
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self.run, name="materializer", daemon=True)
        self.lag = -1  # messages not yet folded; -1 before it is known
        self.counts = {"folded": 0, "doubles": 0, "dead_letters": 0}
        self.heard_at = time.monotonic()  # of the loop's last turn
        self.failure = ""  # the outage it is in

    @property
    def ready(self) -> bool:
        """Whether all that was in the log a moment ago is in SQL and in the queue."""
        return self._restored and not self.failure

    def start(self) -> None:
        """Runs on a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Finishes what is in hand."""
        self._leaving.set()
        if self._thread.ident:
            self._thread.join()

    def run(self) -> None:
        """Until `stop`; outages are waited out."""
        while not self._leaving.is_set():
            try:
                if self._lock.is_held() or self._lock.acquire():
                    self._follow()
            except (UnavailableError, KafkaError) as error:
                self.failure = str(error)
                _log.error("outage", error=str(error))
            self.heard_at = time.monotonic()
            self._leaving.wait(AGAIN_S)
        self._lock.release()

    def _follow(self) -> None:
        """Everything from what is committed on, until `stop` or an outage."""
        self._folding.reload()
        self._look_at = 0.0
        self._forget_queue()
        self._restored = self._is_told()
        self._connection.check()
        consumer = KafkaConsumer(
            **self._connection.kafka_python(),
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_poll_records=MOST,
        )
        try:
            self._assign(consumer)
            while not self._leaving.is_set():
                self._turn(consumer)
        finally:
            consumer.close(autocommit=False)

    def _assign(self, consumer: KafkaConsumer) -> None:
        """All partitions by hand, each from its committed place."""
        places = [
            TopicPartition(self._layout.full_name(topic.name), partition)
            for topic in self._layout.kafka_topics.values()
            if topic.topics
            for partition in range(self._layout.count(topic.name))
        ]
        consumer.assign(places)
        for place in places:
            consumer.seek(place, self._folding.places.get((self._short(place.topic), place.partition), 0))

    def _turn(self, consumer: KafkaConsumer) -> None:
        self.heard_at = time.monotonic()
        polled = consumer.poll(timeout_ms=POLL_MS, max_records=MOST)
        messages = [
            Message(self._short(place.topic), m.partition, m.offset, m.key or b"", m.value or b"")
            for place, batch in polled.items()
            for m in batch
        ]
        if messages:
            self._fold(messages)
        if time.monotonic() >= self._look_at:
            self._look(consumer)

    def _fold(self, messages: Sequence[Message]) -> None:
        folded = self._folding.fold(messages, self._bury, self._tell)
        self._noted(folded.records)
        if is_told():
            tell("folded", (record.event for record in folded.records))
        self.counts["folded"] += len(folded.entries)
        self.counts["doubles"] += folded.doubles
        self.counts["dead_letters"] += len(folded.letters)

    def _look(self, consumer: KafkaConsumer) -> None:
        """Once in a while: how far is the end of the log, and does the queue know what SQL knows?"""
        if not self._lock.is_held():
            raise UnavailableError("the lock of the active materializer is lost: asking for it again")
        ends = consumer.end_offsets(list(consumer.assignment()))
        reached = {place: consumer.position(place) for place in ends}
        self.lag = sum(ends[place] - reached[place] for place in ends)
        self.failure = ""
        if not (self._restored and self._queue.ready):
            self._restored = False
            self._refill(ends, reached)
        self._look_at = time.monotonic() + (LOOK_S if self._restored else SOON_S)

    def _refill(self, ends: Mapping[TopicPartition, int], reached: Mapping[TopicPartition, int]) -> None:
        """The queue from SQL, when SQL has all that was granted by the lost one.

        First it is closed, then what was under way gets its time to reach the log, then SQL follows the log so far.
        """
        try:
            if not self._lost_at:
                self._queue.shut()
                self._lost_at = time.monotonic()
            if time.monotonic() < self._lost_at + self._written_within_s and not self._is_new():
                return
            self._target = self._target or dict(ends)
            if all(reached[place] >= end for place, end in self._target.items()):
                self._restore()
                self._queue.note(self._folding.number)
                self._forget_queue()
                self._restored = True
        except UnavailableError as error:
            self._missed(error)

    def _tell(self, folded: Folded) -> None:
        """A queue that does not answer stops no view; it is filled again when it does."""
        if not self._restored:
            return
        try:
            self._queue.apply(folded.records)
            self._queue.note(folded.number)
        except UnavailableError as error:
            self._missed(error)

    def _is_told(self) -> bool:
        """Whether the queue, as another process left it, is not behind SQL."""
        try:
            return self._queue.ready and self._queue.told() >= self._folding.number
        except UnavailableError:
            return False

    def _missed(self, error: UnavailableError) -> None:
        self._restored = False
        self._forget_queue()
        self.failure = str(error)
        _log.warning("the queue does not answer", error=str(error))

    def _forget_queue(self) -> None:
        self._lost_at, self._target = 0.0, {}

    def _bury(self, letters: list[DeadLetter]) -> None:
        def append(transaction: Transaction) -> None:
            for letter in letters:
                transaction.append(letter)

        self._log.submit(append).result()

    def _short(self, name: str) -> str:
        return name.removeprefix(self._layout.prefix)

"""The engine of one machine: one writer thread that appends, runs the stages and folds the views.

State, outputs and offset of a step are written in one transaction, many events and all stages a transaction.
The writer works in slices of a few milliseconds while anybody waits for it, and in longer ones while nobody does.
"""

from __future__ import annotations

import queue
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError

from streams.engines.consumers import TURN, Consumer, StageConsumer, ViewConsumer
from streams.engines.port import Listener, Transaction, View
from streams.engines.sqlite_log import SqliteLog, SqliteTransaction
from streams.errors import UnavailableError

T = TypeVar("T")
BUSY_SLICE = 0.0005  # seconds of stage work a commit gets at least, however many wait for an acknowledgement
IDLE_SLICE = 0.250  # and at most, while nobody waits: longer transactions write a page that changes often once
MOST_JOBS = 512  # appends that share one commit
TOLD_EVERY = 60.0  # seconds between lines about a storage that fails
_log = structlog.get_logger("engine")

Job = tuple[Callable[[Transaction], object], "Future[object]"]


def no_fault(point: str) -> None:
    """Nothing breaks; tests pass a function that does."""


class EmbeddedEngine:
    """See port.Engine and port.Log. `fault` is called at each named point of a step, so that tests can crash there."""

    def __init__(self, log: SqliteLog, views: Sequence[View] = (), *, fault: Callable[[str], None] = no_fault) -> None:
        self._log = log
        self._fault = fault
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._listeners: list[Listener] = []
        self._stages = [StageConsumer(log, stage, fault) for stage in log.topology.stages.values()]
        self._consumers: list[Consumer] = [*self._stages, *(ViewConsumer(log, view) for view in views)]
        self._turns = deque((consumer, topic) for consumer in self._consumers for topic in consumer.topics)
        self._idle = threading.Event()
        self._door = threading.Lock()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._told_again_at = 0.0  # monotonic seconds: before that, a failing storage is not told again
        self.failure: BaseException | None = None

    # ------------------------------------------------------------ port

    def submit(self, work: Callable[[Transaction], T]) -> Future[T]:
        """Runs `work` in a transaction; resolves when durable. See port.Log."""
        future: Future[T] = Future()
        with self._door:  # so that no job slips in behind the last look into the queue
            if self._stopping or self.failure:
                future.set_exception(UnavailableError("the service is stopping: try again in a moment", retry_after=5))
            else:
                self._jobs.put((work, future))  # type: ignore[arg-type]
        return future

    def add_listener(self, listener: Listener) -> None:
        """`listener` gets all records of each commit, on the writer's thread: be quick."""
        self._listeners.append(listener)

    def start(self) -> None:
        """Starts the writer."""
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finishes what is in hand, then stops."""
        with self._door:
            self._stopping = True
            self._jobs.put(None)
        if self._thread is not None:
            self._thread.join()

    def drain(self) -> None:
        """Returns when every stage and view has applied every event; raises what broke the writer."""
        self.submit(lambda transaction: None).result()  # taking a job clears `_idle`, whatever it was
        while not self._idle.wait(0.2):
            if self.failure:
                raise self.failure

    def state(self, stage: str, key: str) -> object | None:
        """The committed state of that key."""
        return next(s for s in self._stages if s.name == stage).stored_state(self._log.reader, key)

    def lag(self) -> dict[str, int]:
        """Events not yet applied, by stage and view."""
        return {consumer.name: consumer.lag() for consumer in self._consumers}

    # ------------------------------------------------------------ writer

    def _run(self) -> None:
        jobs: list[Job] = []
        try:
            working = True
            while not (self._stopping and self._jobs.empty()):
                jobs = [] if working else self._waiting_jobs(block=True)
                working = self._slice(jobs)
        except BaseException as error:
            with self._door:
                self.failure = error
            _log.error("engine stopped", error=repr(error), exc_info=True)
            self._refuse(jobs, error)
            while jobs := self._waiting_jobs(block=False):
                self._refuse(jobs, error)

    def _waiting_jobs(self, *, block: bool) -> list[Job]:
        """What waits to be appended; with `block` waits for the first."""
        if block:
            self._idle.set()
        jobs: list[Job] = []
        try:
            while len(jobs) < MOST_JOBS:
                job = self._jobs.get(block=block and not jobs)
                self._idle.clear()
                if job is None:
                    break
                if job[1].set_running_or_notify_cancel():  # from here on nobody can cancel it
                    jobs.append(job)
        except queue.Empty:
            pass
        return jobs

    def _slice(self, jobs: list[Job]) -> bool:
        """One transaction: stages and views while nobody waits, then the jobs. True where work may be left.

        Without `jobs` in hand the stages go first, so that a job that comes meanwhile finds a transaction that is
        about to be committed: it waits for the turn in hand and for one commit, not for a commit of its own.
        """
        try:
            return self._transact(jobs)
        except (SQLAlchemyError, sqlite3.Error, OSError) as error:
            return self._recover(jobs, error)

    def _transact(self, jobs: list[Job]) -> bool:
        log = self._log
        log.raw.execute("BEGIN IMMEDIATE")
        try:
            transaction = SqliteTransaction(log)
            worked = bool(jobs) or self._work(transaction)
            jobs += self._waiting_jobs(block=False)
            outcomes = [(future, _attempt(transaction, work)) for work, future in jobs]
            for consumer in self._consumers:
                consumer.save(transaction)
            transaction.flush()
            self._fault("before_commit")
            log.raw.execute("COMMIT")
            self._fault("after_commit")
        except BaseException:
            self._undo()
            raise
        for listener in self._listeners:
            listener(transaction.appended)
        for future, (result, error) in outcomes:
            future.set_exception(error) if error else future.set_result(result)
        return worked or bool(jobs)

    def _work(self, transaction: SqliteTransaction) -> bool:
        """Turns of stages and views, round and round, until all are done, time is over, or somebody waits."""
        start = time.perf_counter()
        resting = 0  # turns in a row that found nothing
        while resting < len(self._turns):
            consumer, topic = self._turns[0]
            self._turns.rotate(-1)  # the next slice goes on where this one ends: nobody starves
            if not consumer.turn(transaction, topic, TURN):
                resting += 1
                continue
            resting = 0
            spent = time.perf_counter() - start
            if spent > IDLE_SLICE or (spent > BUSY_SLICE and not self._jobs.empty()):
                return True
        return False

    def _undo(self) -> None:
        """Back to what is durable: file, offsets and caches."""
        if self._log.raw.in_transaction:
            self._log.raw.execute("ROLLBACK")
        self._log.reload()
        for consumer in self._consumers:
            consumer.reload()

    def _recover(self, jobs: list[Job], error: Exception) -> bool:
        """The storage failed (full, locked): nothing was acknowledged; those who wait are told, the loop goes on."""
        if time.monotonic() >= self._told_again_at:  # a disk may be full for a night, and the log lies on one
            _log.error("transaction failed", error=str(error), mend="check disk space and rights of the data folder")
            self._told_again_at = time.monotonic() + TOLD_EVERY
        self._refuse(jobs, error)
        time.sleep(0.2)
        return True

    def _refuse(self, jobs: list[Job], cause: BaseException) -> None:
        for _, future in jobs:
            if future.done():
                continue  # acknowledged before the failure
            error = UnavailableError(f"the log could not be written ({cause}): check disk space and the log")
            error.__cause__ = cause
            future.set_exception(error)


def _attempt(transaction: SqliteTransaction, work: Callable[[Transaction], object]) -> tuple[object, Exception | None]:
    try:
        return transaction.attempt(work), None
    except sqlite3.OperationalError:
        raise  # the storage: nothing of this transaction can be trusted
    except Exception as error:
        return None, error

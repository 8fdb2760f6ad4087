"""The background thread: takes what was logged, sends it in batches, keeps on disk what cannot be sent yet."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from prefloop_sdk.delivery import Delivery, ServiceAwayError, Tally
from prefloop_sdk.entries import Entry
from prefloop_sdk.notices import Notices
from prefloop_sdk.spool import Spool

BATCH_BYTES = 4 * 1024 * 1024
BUFFER_ITEMS = 10_000
BUFFER_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True)
class Stats:
    """What became of everything logged, since the process began: counts of outputs and signals together."""

    sent: int = 0  # taken by the service
    duplicates: int = 0  # the service had them already
    rejected: int = 0  # can never be accepted: refused by the service, or bad arguments
    spooled: int = 0  # written to disk, to be sent later
    dropped: int = 0  # lost: the disk bound was reached, the disk refused, or a line was damaged
    pending: int = 0  # in memory now


class Backoff(NamedTuple):
    """Exponential backoff with full jitter (Brooker, AWS Architecture Blog, 2015). Seconds."""

    base: float = 0.5
    most: float = 60.0

    def wait(self, attempt: int, at_least: float) -> float:
        """Before attempt `attempt` + 1; never less than what the service asked for."""
        return max(at_least, random.uniform(0, min(self.most, self.base * 2 ** min(attempt, 30))))


class Courier:
    """Thread-safe. `put` returns at once; one thread, started when it is first needed, does the rest."""

    def __init__(
        self, delivery: Delivery, spool: Spool | None, notices: Notices, *, batch: int, linger: float, backoff: Backoff
    ) -> None:
        self._delivery = delivery
        self._spool = spool
        self._notices = notices
        self._batch = batch
        self._linger_s = linger
        self._backoff = backoff
        self._stats = Stats()
        self._begin()
        if self._backlog:
            with self.wake:
                self._start()

    def _begin(self) -> None:
        """As new: nothing in memory, no thread. Also after a fork."""
        self.wake = threading.Condition()
        self._buffer: deque[Entry] = deque()
        self._buffered_bytes = 0
        self._in_flight: list[Entry] = []
        self._thread: threading.Thread | None = None
        self._attempt = 0  # failures in a row
        self._retry_at = 0.0  # monotonic seconds; later than now while the service is taken to be away
        self._backlog = self._spool is not None and self._spool.used_bytes() > 0  # there may be something on disk
        self._idle = not self._backlog
        self._hurried = 0  # callers of flush that wait
        self._closed = False

    # ------------------------------------------------------------ callers' side

    def put(self, entry: Entry) -> None:
        """Takes the entry. Touches the disk only where the buffer is full, or after `close`."""
        with self.wake:
            self._buffer.append(entry)
            self._buffered_bytes += len(entry.body)
            self._idle = False
            full = len(self._buffer) >= BUFFER_ITEMS or self._buffered_bytes >= BUFFER_BYTES or self._closed
            overflow = self._take() if full else []
            if len(self._buffer) in (1, self._batch):
                self._start()
                self.wake.notify_all()
        if overflow:
            self._store(overflow)

    def reject(self, reason: str) -> None:
        """Counts what can never be accepted."""
        self._notices.warn(reason, f"prefloop: not sent: {reason}")
        self._count(rejected=1)

    def stats(self) -> Stats:
        """The counts now."""
        with self.wake:
            damaged = self._spool.damaged if self._spool else 0
            pending = len(self._buffer) + len(self._in_flight)
            return replace(self._stats, dropped=self._stats.dropped + damaged, pending=pending)

    def flush(self, timeout: float) -> bool:
        """Waits until all is delivered; False where `timeout` seconds were not enough."""
        with self.wake:
            self._hurried += 1
            self._retry_at = 0.0
            self._start()
            self.wake.notify_all()
            try:
                return self.wake.wait_for(lambda: self._idle, timeout)
            finally:
                self._hurried -= 1

    def close(self, timeout: float) -> None:
        """Delivers for up to `timeout` seconds (not at all while the service is away); the rest goes to disk."""
        with self.wake:
            if self._closed:
                return
            self._hurried += 1
            self.wake.notify_all()
            self.wake.wait_for(lambda: self._idle or (self._away() and not self._in_flight), timeout)
            self._closed = True
            rest = self._in_flight + self._take()
            self.wake.notify_all()
        self._store(rest)
        if self._spool:
            self._spool.release()

    def hold(self) -> None:
        """Before a fork: nothing is half done while the process is copied."""
        self.wake.acquire()
        if self._spool:
            self._spool.lock.acquire()

    def let_go(self) -> None:
        """After a fork, in the parent."""
        if self._spool:
            self._spool.lock.release()
        self.wake.release()

    def forget(self) -> None:
        """After a fork, in the child: what the parent has in memory is the parent's to send."""
        self._delivery.forget()
        if self._spool:
            self._spool.forget()
        self._stats = Stats()
        self._begin()

    # ------------------------------------------------------------ the thread

    def _start(self) -> None:
        if self._thread is None and not self._closed:
            self._thread = threading.Thread(target=self._run, name="prefloop-sdk", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while self._await_work():
            self._try_work()
        self._delivery.close()

    def _try_work(self) -> None:
        try:
            self._work()
        except Exception as error:  # a fault of ours must not end the thread: it counts as an outage
            self._notices.warn("fault", f"prefloop: unexpected {error!r}; trying again")
            with self.wake:
                self._backlog = True
                self._set_back(0.0)

    def _work(self) -> None:
        """Away: what comes goes to disk. Else: the oldest batch is sent, first from disk."""
        with self.wake:
            if self._away():
                self._in_flight += self._take()
        if self._in_flight:  # away, or a fault came between
            self._keep()
        elif not self._send_from_disk():
            self._send_from_memory()

    def _send_from_disk(self) -> bool:
        """False where nothing is on disk."""
        with self.wake:
            wanted, self._backlog = self._backlog, False  # whoever stores from here on sets it again
        entries = self._spool.peek(self._batch, BATCH_BYTES) if self._spool and wanted else []
        if not self._spool or not entries:
            return False
        with self.wake:
            self._backlog = True
        if self._send(entries):
            self._spool.done()
        return True

    def _send_from_memory(self) -> None:
        with self.wake:
            self._in_flight = self._take(self._batch, BATCH_BYTES)
        if self._in_flight and not self._send(self._in_flight):
            self._keep()

    def _send(self, entries: list[Entry]) -> bool:
        """False where the service is away."""
        try:
            tally = self._delivery.send(entries)
        except ServiceAwayError as error:
            self._notices.warn("away", f"prefloop: cannot deliver, keeping outputs on disk: {error.reason}")
            self._set_back(error.retry_after)
            return False
        self._delivered(tally)
        return True

    def _delivered(self, tally: Tally) -> None:
        self._notices.over("away", "prefloop: delivering again")
        for fault in tally.faults:
            self._notices.warn(fault, f"prefloop: rejected for good: {fault}")
        with self.wake:
            self._in_flight = []
            self._attempt, self._retry_at = 0, 0.0
            self._count(sent=tally.sent, duplicates=tally.duplicates, rejected=tally.rejected)

    def _set_back(self, retry_after: float) -> None:
        """Nothing is sent for a while."""
        with self.wake:
            self._retry_at = time.monotonic() + self._backoff.wait(self._attempt, retry_after)
            self._attempt += 1
            self.wake.notify_all()  # who closes need not wait any longer

    def _keep(self) -> None:
        """What is in flight goes to disk, unless `close` has done that already."""
        with self.wake:
            if self._closed:
                return
            entries = self._in_flight
        self._store(entries)
        with self.wake:
            self._in_flight = []  # only now: `close` waits for it
            self.wake.notify_all()

    def _await_work(self) -> bool:
        """Waits for something to do; False when it is over."""
        with self.wake:
            while not self._closed:
                if self._buffer or self._in_flight:
                    self._linger()
                    return not self._closed
                wait = self._retry_at - time.monotonic() if self._backlog else None
                if wait is not None and wait <= 0:
                    return True
                self._idle = not self._backlog
                if self._idle:
                    self.wake.notify_all()
                self.wake.wait(wait)
            return False

    def _linger(self) -> None:
        """A moment for more to come, so that batches are worth their request."""
        self.wake.wait_for(lambda: len(self._buffer) >= self._batch or self._hurried or self._closed, self._linger_s)

    # ------------------------------------------------------------ shared

    def _away(self) -> bool:
        return self._retry_at > time.monotonic()

    def _take(self, most_items: int = BUFFER_ITEMS, most_bytes: int = 2 * BUFFER_BYTES) -> list[Entry]:
        """The oldest of the buffer, out of it. Call it with the lock."""
        taken: list[Entry] = []
        while self._buffer and len(taken) < most_items and most_bytes > 0:
            taken.append(self._buffer.popleft())
            most_bytes -= len(taken[-1].body)
        self._buffered_bytes -= sum(len(entry.body) for entry in taken)
        return taken

    def _store(self, entries: Sequence[Entry]) -> None:
        if not entries:
            return
        stored = self._spool.append(entries) if self._spool else 0
        if stored < len(entries):
            self._notices.warn(
                "full", "prefloop: dropping outputs: the spool is full or cannot be written (spool_bytes=)"
            )
        with self.wake:
            self._backlog = self._backlog or stored > 0
            self._count(spooled=stored, dropped=len(entries) - stored)
            self._start()
            self.wake.notify_all()
        if self._spool and self._closed:
            self._spool.release()  # nobody here will send it

    def _count(self, **more: int) -> None:
        with self.wake:
            self._stats = replace(self._stats, **{name: getattr(self._stats, name) + n for name, n in more.items()})

"""Does the worker get on? The pure decision when it must be ended, and the thread that ends it.

Faust can stop reading a partition, or committing, without an error. Lag alone is no sign of it (a backlog has lag), and
no lag is no sign of health (a lost commit shows as lag only from outside). What counts is lag without progress.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import structlog

ALL_STALLED_S = 30.0  # lag somewhere and progress nowhere
ONE_STALLED_S = 120.0  # lag without progress on one partition: one large fetch may starve the others for a while
LOOP_STALLED_S = 60.0  # the event loop itself does not turn
STALLED_EXIT = 72  # exit code
_log = structlog.get_logger("worker")

Partition = tuple[str, int]


@dataclass(frozen=True, kw_only=True)
class Glance:
    """The worker at one moment."""

    ready: bool  # states restored, events flowing
    lags: Mapping[Partition, int]  # by assigned partition
    commits: Mapping[Partition, int]
    restored: int = 0  # rows of states read since the process began


@dataclass(kw_only=True)
class Progress:
    """When each partition, and anything at all, last moved. Times are seconds of a monotonic clock."""

    started: float
    last: Glance | None = None
    any_moved: float = 0.0
    moved: dict[Partition, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.any_moved = self.started

    def look(self, now: float, glance: Glance) -> str:
        """Why the process must be ended; "" while it gets on."""
        before, self.last = self.last, glance
        self.moved = {tp: self.moved.get(tp, now) for tp in glance.commits}
        for tp, commit in glance.commits.items():
            if before is None or before.commits.get(tp) != commit or not glance.lags.get(tp):
                self.moved[tp] = now
        if _moved_at_all(before, glance):
            self.any_moved = now
        return self._verdict(now, glance)

    def _verdict(self, now: float, glance: Glance) -> str:
        if now - self.any_moved > ALL_STALLED_S:
            return f"no progress for {ALL_STALLED_S:.0f} s" + (f", lag {dict(glance.lags)}" if glance.ready else "")
        stalled = [tp for tp, moved in self.moved.items() if now - moved > ONE_STALLED_S]
        return f"no progress of {stalled} for {ONE_STALLED_S:.0f} s" if stalled and glance.ready else ""


def _moved_at_all(before: Glance | None, glance: Glance) -> bool:
    if before is None or before.commits != glance.commits or before.ready != glance.ready:
        return True
    if not glance.ready:
        return before.restored != glance.restored
    return not any(glance.lags.values())


class Watchdog:
    """Ends the process when it does not get on: the supervisor starts another, which begins at the commits."""

    def __init__(self, end: Callable[[int], None] = os._exit, clock: Callable[[], float] = time.monotonic) -> None:
        self._end = end
        self._clock = clock
        self._progress = Progress(started=clock())
        self._looked = clock()
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._guard, name="watchdog", daemon=True)

    def start(self) -> None:
        """Watches the event loop from a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """No more watching."""
        self._leaving.set()

    def look(self, glance: Glance) -> None:
        """Called by the event loop every few seconds."""
        self._looked = self._clock()
        if reason := self._progress.look(self._looked, glance):
            self._give_up(reason)

    def check_loop(self) -> None:
        """Ends the process when the loop has not called for long."""
        if self._clock() - self._looked > LOOP_STALLED_S:
            self._give_up(f"the event loop did not turn for {LOOP_STALLED_S:.0f} s")

    def _guard(self) -> None:
        while not self._leaving.wait(5.0):
            self.check_loop()

    def _give_up(self, reason: str) -> None:
        _log.error("stalled: ending the process", reason=reason)
        self._end(STALLED_EXIT)

"""Leases that are over: free in the queue at once, and told to the log until the log has them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from services.queue.port import AssignmentQueue
from streams.events import Assignment


class OverdueLeases:
    """Ends leases of the queue; what an outage kept from the log is there again the next time."""

    def __init__(self, queue: AssignmentQueue) -> None:
        self._queue = queue
        self._unwritten: list[Assignment] = []

    @contextmanager
    def ended(self, now: int) -> Iterator[Sequence[Assignment]]:
        """Those that are over by then; the block writes them to the log. Its errors are raised."""
        ended, self._unwritten = [*self._unwritten, *self._queue.expire(now)], []
        try:
            yield ended
        except BaseException:
            self._unwritten += ended
            raise

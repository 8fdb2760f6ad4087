"""Calls that wait for another server, beside the event loop: one that hangs stops those who need it, nobody else."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import anyio
import anyio.to_thread

from streams.errors import UnavailableError

T = TypeVar("T")
AT_ONCE = 32  # calls; apart from the threads that read SQL
PATIENCE_S = 2.0  # for a turn: who waits longer is sent away, so that a line never outlasts its cause


class Elsewhere:
    """Threads for such calls, for one event loop."""

    def __init__(self) -> None:
        self._room = anyio.CapacityLimiter(AT_ONCE)

    async def run(self, call: Callable[[], T]) -> T:
        """What `call` returns. Raises UnavailableError where its turn does not come, and what `call` raises."""
        asked_at = time.monotonic()

        def in_time() -> T:
            if time.monotonic() > asked_at + PATIENCE_S:
                raise UnavailableError("too many requests wait for a server that is slow to answer", retry_after=2)
            return call()

        return await anyio.to_thread.run_sync(in_time, limiter=self._room)

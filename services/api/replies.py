"""What the writer's thread has done, brought to the event loop: once a commit, not once a request."""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")
Reply = tuple["asyncio.Future[Any]", "Future[Any]"]


class Replies:
    """Waking the loop costs a system call, so futures that resolve together wake it together. For one event loop."""

    def __init__(self) -> None:
        self._arrived: deque[Reply] = deque()
        self._is_called = False

    async def wait(self, future: Future[T]) -> T:
        """The future's result, or its exception."""
        loop = asyncio.get_running_loop()
        reply: asyncio.Future[T] = loop.create_future()
        future.add_done_callback(partial(self._arrive, loop, reply))
        return await reply

    def _arrive(self, loop: asyncio.AbstractEventLoop, reply: asyncio.Future[Any], future: Future[Any]) -> None:
        """On the thread that resolved it."""
        self._arrived.append((reply, future))
        if not self._is_called and not loop.is_closed():
            self._is_called = True
            loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        self._is_called = False  # before the look: what comes after it calls again
        while self._arrived:
            reply, future = self._arrived.popleft()
            if reply.done():
                continue  # its request was cancelled
            if error := future.exception():
                reply.set_exception(error)
            else:
                reply.set_result(future.result())

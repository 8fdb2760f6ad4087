"""What the writer resolves reaches whoever waits for it, whatever else happens."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future

import pytest

from services.api.replies import Replies


def test_results_and_exceptions_reach_their_own_waiters() -> None:
    async def everybody() -> list[object]:
        replies, futures = Replies(), [Future[int]() for _ in range(100)]
        waiting = [asyncio.ensure_future(replies.wait(future)) for future in futures]
        await asyncio.sleep(0)
        writer = threading.Thread(target=_resolve, args=(futures,))
        writer.start()
        return list(await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 10))

    answers = asyncio.run(everybody())
    assert [answer for answer in answers if isinstance(answer, int)] == [n for n in range(100) if n % 3]
    assert [str(answer) for answer in answers if isinstance(answer, ValueError)] == [str(n) for n in range(0, 100, 3)]


def test_one_that_is_resolved_already_is_answered() -> None:
    future: Future[str] = Future()
    future.set_result("done")
    assert asyncio.run(Replies().wait(future)) == "done"


def test_a_request_that_was_cancelled_does_not_hinder_the_others() -> None:
    async def two() -> str:
        replies, first, second = Replies(), Future[str](), Future[str]()
        lost = asyncio.ensure_future(replies.wait(first))
        kept = asyncio.ensure_future(replies.wait(second))
        await asyncio.sleep(0)
        lost.cancel()
        first.set_result("nobody waits")
        second.set_result("here")
        with pytest.raises(asyncio.CancelledError):
            await lost
        return await asyncio.wait_for(kept, 10)

    assert asyncio.run(two()) == "here"


def test_what_resolves_after_the_loop_has_ended_is_no_error() -> None:
    replies, future = Replies(), Future[None]()

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(replies.wait(future), 0.001)

    asyncio.run(give_up())
    future.set_result(None)
    assert future.done()


def _resolve(futures: list[Future[int]]) -> None:
    for number, future in enumerate(futures):
        if number % 3:
            future.set_result(number)
        else:
            future.set_exception(ValueError(number))

"""Every source partition from its commit on, without a hole; only what is current is acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import faust
import pytest
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from mode import Service

from streams.engines.faust_consumer import HOLE_EXIT, TRIES, GaplessConsumer, GaplessTransport

SOURCE, CHANGELOG = TP("in", 0), TP("states", 0)


class Seeks(Service):  # type: ignore[misc]
    """Stands where the driver's thread is: remembers what is fetched again."""

    def __init__(self) -> None:
        super().__init__()
        self.places: list[tuple[TP, int]] = []
        self.thread_loop = SimpleNamespace(call_soon_threadsafe=lambda seek, tp, offset: seek(tp, offset))

    def seek(self, tp: TP, offset: int) -> None:
        self.places.append((tp, offset))


class Taken:
    """A message, as far as the consumer looks at it."""

    def __init__(self, offset: int, tp: TP, generation_id: int) -> None:
        self.offset, self.tp, self.topic, self.generation_id, self.acked = offset, tp, tp.topic, generation_id, False


def message(offset: int, tp: TP = SOURCE, generation: int = 1) -> Taken:
    return Taken(offset, tp, generation)


class Bench:
    """A consumer without a broker; `fetched` is what the next fetch brings."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.delivered: list[int] = []
        self.fetched: list[Any] = []
        app = faust.App("bench", broker="kafka://127.0.0.1:1", autodiscover=False, web_enabled=False)
        app.transport = GaplessTransport(app.conf.broker_consumer, app)
        app.topics = SimpleNamespace(acks_enabled_for=lambda topic: topic == "in", on_message=self._deliver)
        app.consumer_generation_id = 1
        self.seeks = Seeks()
        monkeypatch.setattr(driver.Consumer, "_new_consumer_thread", lambda _: self.seeks)
        self.consumer = GaplessConsumer(app.transport, self._deliver, None, None)

        async def getmany(_: Any, timeout: float) -> AsyncIterator[tuple[TP, Any]]:
            for fetched in self.fetched:
                yield fetched.tp, fetched

        monkeypatch.setattr(driver.Consumer, "getmany", getmany)

    async def _deliver(self, taken: Any) -> None:
        self.delivered.append(taken.offset)

    async def fetch(self, *offsets: int) -> None:
        self.fetched = [message(offset) for offset in offsets]
        async for _, taken in self.consumer.getmany(1.0):
            await self.consumer._count(taken)

    async def assigned(self, commit: int | None, earliest: int = 0) -> None:
        async def found(*_: Any) -> dict[TP, int | None]:
            return {SOURCE: commit}

        async def first(*_: Any) -> dict[TP, int]:
            return {SOURCE: earliest}

        self.consumer.seek_to_committed, self.consumer.earliest_offsets = found, first
        await self.consumer.perform_seek()
        self.consumer.resume_flow()


def test_delivery_begins_at_the_commit_and_has_no_doubles(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> Bench:
        bench = Bench(monkeypatch)
        await bench.assigned(5)
        await bench.fetch(3, 4, 5, 6, 6, 7)
        return bench

    bench = asyncio.run(scenario())
    assert bench.delivered == [5, 6, 7]
    assert bench.seeks.places == [(SOURCE, 5)]


@pytest.mark.parametrize("commit", [None, 0])
def test_without_a_commit_it_begins_at_the_first_record(monkeypatch: pytest.MonkeyPatch, commit: int | None) -> None:
    async def scenario() -> Bench:
        bench = Bench(monkeypatch)
        await bench.assigned(commit, earliest=2)
        await bench.fetch(2, 3)
        return bench

    assert asyncio.run(scenario()).delivered == [2, 3]


def test_nothing_beyond_a_hole_is_delivered_and_the_hole_is_fetched_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> Bench:
        bench = Bench(monkeypatch)
        await bench.assigned(5)
        await bench.fetch(5, 7, 8)
        await bench.fetch(6, 7, 8)
        return bench

    bench = asyncio.run(scenario())
    assert bench.delivered == [5, 6, 7, 8]
    assert bench.seeks.places[1:] == [(SOURCE, 6)]


def test_a_hole_that_does_not_close_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[int] = []
    monkeypatch.setattr("os._exit", ended.append)

    async def scenario() -> None:
        bench = Bench(monkeypatch)
        await bench.assigned(5)
        for _ in range(TRIES):
            await bench.fetch(9)
        assert bench.delivered == []

    asyncio.run(scenario())
    assert ended == [HOLE_EXIT]


def test_what_could_not_be_handed_over_stays_due(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> Bench:
        bench = Bench(monkeypatch)
        await bench.assigned(5)

        async def cancelled(_: Any) -> None:
            raise asyncio.CancelledError

        bench.consumer._hand_over = cancelled
        with pytest.raises(asyncio.CancelledError):
            await bench.consumer._count(message(5))
        bench.consumer._hand_over = bench._deliver
        await bench.fetch(5, 6)
        return bench

    assert asyncio.run(scenario()).delivered == [5, 6]


def test_only_current_messages_are_acknowledged(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        bench = Bench(monkeypatch)
        await bench.assigned(5)
        old, new = message(5, generation=0), message(5)
        assert not bench.consumer.ack(old)
        assert bench.consumer.ack(new)
        assert bench.consumer._acked[SOURCE] == [5]
        bench.consumer.stop_flow()
        assert not bench.consumer.ack(message(6))

    asyncio.run(scenario())


def test_a_message_that_is_left_stops_the_commits_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        bench = Bench(monkeypatch)
        await bench.assigned(5)
        bench.consumer.ack(message(5))
        left = message(6)
        bench.consumer.leave(left)
        bench.consumer.ack(left)
        bench.consumer.ack(message(7))
        assert bench.consumer._new_offset(SOURCE) == 6

    asyncio.run(scenario())


def test_changelogs_pass_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> list[int]:
        bench = Bench(monkeypatch)
        bench.fetched = [message(offset, CHANGELOG) for offset in (3, 9)]
        return [taken.offset async for _, taken in bench.consumer.getmany(1.0)]

    assert asyncio.run(scenario()) == [3, 9]


def test_writes_are_done_before_partitions_are_given_away(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []

    async def writes_are_done() -> None:
        order.append("written")

    async def revoked(*_: Any) -> None:
        order.append("revoked")

    async def scenario() -> None:
        bench = Bench(monkeypatch)
        monkeypatch.setattr(driver.Consumer, "on_partitions_revoked", revoked)
        bench.consumer.revoking = writes_are_done
        await bench.consumer.on_partitions_revoked({SOURCE})

    asyncio.run(scenario())
    assert order == ["written", "revoked"]

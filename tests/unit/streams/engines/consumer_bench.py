"""A consumer without a broker, and what it is fed in the tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import faust
import pytest
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from mode import Service

from streams.engines.faust_consumer import GaplessConsumer, GaplessTransport, RecordBatch, consecutive

SOURCE = TP("in", 0)


class Seeks(Service):  # type: ignore[misc]
    """Stands where the driver's thread is: remembers what is fetched again."""

    def __init__(self) -> None:
        super().__init__()
        self.places: list[tuple[TP, int]] = []
        self.thread_loop = SimpleNamespace(call_soon_threadsafe=lambda seek, tp, offset: seek(tp, offset))

    def seek(self, tp: TP, offset: int) -> None:
        self.places.append((tp, offset))


def record(offset: int) -> SimpleNamespace:
    """As aiokafka brings it, as far as anybody looks at it."""
    return SimpleNamespace(offset=offset, key=b"key", value=b"value %d" % offset)


def message(*offsets: int) -> RecordBatch:
    return RecordBatch.of(SOURCE, [record(offset) for offset in offsets], 1)


class Bench:
    """A consumer without a broker; `fetched` is what the next fetch brings."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.delivered: list[int] = []
        self.fetched: list[RecordBatch] = []
        app = faust.App("bench", broker="kafka://127.0.0.1:1", autodiscover=False, web_enabled=False, store="memory://")
        app.transport = GaplessTransport(app.conf.broker_consumer, app)
        app.transport.readers = {SOURCE.topic: ["sums"]}
        app.topics = SimpleNamespace(acks_enabled_for=lambda topic: True, on_message=self._deliver)
        self.seeks = Seeks()
        monkeypatch.setattr(driver.Consumer, "_new_consumer_thread", lambda _: self.seeks)
        self.consumer = GaplessConsumer(app.transport, self._deliver, self._moved, self._moved)
        self.begun: list[Any] = []
        self.confirmed: list[bool] = []  # what the group says when it is asked; it says yes where nothing is told here
        monkeypatch.setattr(self.consumer, "add_future", self.begun.append)

        async def getmany(_: Any, timeout: float) -> AsyncIterator[tuple[TP, Any]]:
            for fetched in self.fetched:
                yield fetched.tp, fetched

        monkeypatch.setattr(driver.Consumer, "getmany", getmany)

    async def _moved(self, *_: Any) -> None:
        """Faust's own part of a rebalance."""

    async def _deliver(self, taken: Any) -> None:
        self.delivered += [d.offset for d in taken.since(taken.tenure.due[taken.tp])]

    async def fetch(self, *offsets: int) -> list[RecordBatch]:
        """What is delivered of a fetch of these."""
        delivered = []
        self.fetched = [message(*(r.offset for r in group)) for group in consecutive([record(o) for o in offsets])]
        async for _, taken in self.consumer.getmany(1.0):
            await self.consumer._count(taken)
            delivered.append(taken)
        return delivered

    async def rebalance(self) -> None:
        """All partitions are given away, and an assignment comes."""
        await self.consumer.on_partitions_revoked({SOURCE})
        self.consumer.stop_flow()
        await self.consumer.on_partitions_assigned({SOURCE}, 1)

    async def resumed(self, commit: int | None, earliest: int = 0) -> None:
        """What Faust does when it believes that streams may flow."""

        async def found(*_: Any) -> dict[TP, int | None]:
            return {SOURCE: commit}

        async def first(*_: Any) -> dict[TP, int]:
            return {SOURCE: earliest}

        async def confirmed(_: Any) -> bool:
            return self.confirmed.pop() if self.confirmed else True

        self.consumer.seek_to_committed, self.consumer.earliest_offsets = found, first
        self.consumer._commit = confirmed
        self.consumer.resume_flow()
        await self.begin()

    async def begin(self) -> None:
        """What was begun in the background is done."""
        while self.begun:
            await self.begun.pop(0)

    async def assigned(self, commit: int | None, earliest: int = 0) -> None:
        await self.rebalance()
        await self.resumed(commit, earliest)

    def message(self, *offsets: int) -> RecordBatch:
        """Delivered in the present tenure."""
        batch = message(*offsets)
        batch.tenure = self.consumer.tenure
        return batch

    def step(self, *batches: RecordBatch, stage: str = "sums") -> list[int]:
        """The offsets that are stepped."""
        turn = self.consumer.turn(stage, batches)
        if turn.deliveries:
            self.consumer.count_done(stage, turn)
        return [delivery.offset for delivery in turn.deliveries]

    def commit(self) -> dict[TP, int]:
        """What would be committed now."""
        places = self.consumer._filter_tps_with_pending_acks()
        return dict(self.consumer._filter_committable_offsets(places))

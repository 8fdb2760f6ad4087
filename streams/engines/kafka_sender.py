"""Sends to Kafka: idempotent, acknowledged by all replicas, in order within a partition, whole batches at a time.

kafka-python takes 32 µs of CPU a message, aiokafka's `send` 14 µs, most of it for a future each; a batch that is filled
in C and sent as one takes 4 µs a message. Who sends here has its messages together anyway.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator, Sequence
from typing import Any

import aiokafka

from streams.engines.guarded import Sending
from streams.engines.kafka_connection import KafkaConnection
from streams.engines.kafka_topics import MOST_MESSAGE_BYTES

ABORT_S = 5.0  # a task of aiokafka's that does not end within is left behind: nobody may wait for it
BATCH_BYTES = 262_144  # of one partition; a larger message is a batch of its own


class Sender:
    """One producer, of the event loop that it is started in."""

    def __init__(self, connection: KafkaConnection, *, request_timeout_ms: int = 20_000) -> None:
        self._producer = aiokafka.AIOKafkaProducer(
            **connection.aiokafka(),
            acks="all",
            enable_idempotence=True,
            max_batch_size=BATCH_BYTES,
            max_request_size=MOST_MESSAGE_BYTES,
            request_timeout_ms=request_timeout_ms,
        )

    async def start(self) -> None:
        """Connects."""
        await self._producer.start()

    async def send(self, sendings: Sequence[Sending]) -> None:
        """Returns when all are acknowledged; raises aiokafka's KafkaError where one is not."""
        places: dict[tuple[str, int], list[Sending]] = {}
        for sending in sendings:
            places.setdefault((sending.topic, sending.partition), []).append(sending)
        await _all(self._send(topic, partition, those) for (topic, partition), those in places.items())

    async def append(self, sending: Sending) -> int:
        """The offset of one message, once it is acknowledged; raises aiokafka's KafkaError."""
        placed = await self._producer.send_and_wait(
            sending.topic, sending.payload, sending.key, partition=sending.partition
        )
        return int(placed.offset)

    async def stop(self) -> None:
        """Sends what waits."""
        await self._producer.stop()

    async def abort(self) -> None:
        """Gives up what is not acknowledged: aiokafka's `stop` would wait for it, without end where nobody answers."""
        producer, task = self._producer, self._producer._sender.sender_task
        producer._closed = True
        ending = [asyncio.ensure_future(producer.client.close())]  # what is on its way fails now
        if task is not None:
            task.cancel()
            ending.append(task)
        await asyncio.wait(ending, timeout=ABORT_S)

    async def _send(self, topic: str, partition: int, sendings: Sequence[Sending]) -> None:
        producer = self._producer
        await _all([await producer.send_batch(b, topic, partition=partition) for b in self._batches(sendings)])

    def _batches(self, sendings: Sequence[Sending]) -> Iterator[Any]:
        batch = self._producer.create_batch()
        for sending in sendings:
            if batch.append(timestamp=None, key=sending.key, value=sending.payload) is None:  # it is full
                yield batch
                batch = self._producer.create_batch()
                batch.append(timestamp=None, key=sending.key, value=sending.payload)
        batch.close()  # nothing more comes: it goes at once
        yield batch


async def _all(awaitables: Any) -> None:
    """Waits for all of them, whatever comes of some; then raises the first error."""
    for result in await asyncio.gather(*awaitables, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result


class BlockingSender:
    """A sender for threads: it runs on an event loop of its own, on a thread of its own."""

    def __init__(self, connection: KafkaConnection, *, block_s: float, delivery_s: float) -> None:
        """Connects. Raises KafkaError or TimeoutError where that takes longer than `block_s`."""
        self._delivery_s = delivery_s
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="kafka-sender", daemon=True)
        self._thread.start()
        try:
            self._sender = self._run(_made(connection, block_s, delivery_s))
        except BaseException:
            self._end_loop()
            raise

    def send(self, sendings: Sequence[Sending]) -> None:
        """Returns when all are acknowledged; else raises aiokafka's KafkaError or TimeoutError: then `abort`."""
        self._run(asyncio.wait_for(self._sender.send(sendings), self._delivery_s))

    def abort(self) -> None:
        """Gives up what is not acknowledged, and closes."""
        self._close(self._sender.abort())

    def close(self) -> None:
        """Closes in good order."""
        self._close(self._sender.stop())

    def _close(self, closing: Coroutine[Any, Any, None]) -> None:
        try:
            self._run(closing)
        finally:
            self._end_loop()

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _made(connection: KafkaConnection, block_s: float, delivery_s: float) -> Sender:
    sender = Sender(connection, request_timeout_ms=int(1000 * delivery_s))
    try:
        await asyncio.wait_for(sender.start(), block_s)
    except BaseException:
        await sender.abort()
        raise
    return sender

"""A Faust transport that delivers every source partition from its commit on without a hole.

faust-streaming 0.15.3 loses events where partitions change hands: it begins to read before it has looked up the commit,
empties the streams' queues after messages were put into them, marks as read what it could not deliver, closes the holes
that follow by calling them gaps, and acknowledges stale messages. This consumer keeps a count of its own: the next
offset of each source partition to deliver. Whatever comes is measured against it; a message beyond it means that some
are missing, and they are fetched again. Only messages of the present assignment can be acknowledged.

It leans on private names of faust-streaming 0.15.3 and aiokafka 0.14, which are pinned for it.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import structlog
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, Message

HOLE_EXIT = 71  # exit code: a hole that fetching again did not close
TRIES = 10  # fetches of the same place before the process is ended: a fresh one begins at the commit
_log = structlog.get_logger("worker")

Deliver = Callable[[Message], Awaitable[None]]


class GaplessConsumer(driver.Consumer):  # type: ignore[misc]
    """Faust's consumer with its own account of what must come next."""

    def __init__(self, transport: Any, callback: Deliver, *args: Any, **kwargs: Any) -> None:
        self._hand_over = callback
        self._due: dict[TP, int] = {}  # the next offset to deliver, of each source partition in hand
        self._commits: dict[TP, int] = {}  # where the present assignment begins
        self.has_joined = False  # an assignment has come, be it empty
        self._fetches: dict[tuple[TP, int], int] = {}  # how often a hole was fetched again
        self.revoking: Callable[[], Awaitable[None]] | None = None  # awaited before partitions are given away
        super().__init__(transport, self._count, *args, **kwargs)

    # ------------------------------------------------------------ what is current

    def is_current(self, message: Message) -> bool:
        """False where partitions changed hands since: leave the message, it will come again, here or elsewhere."""
        return bool(self.flow_active and message.generation_id == self.app.consumer_generation_id)

    def ack(self, message: Message) -> bool:
        """Counts the message as done, if it is current."""
        if self.is_current(message):
            return bool(super().ack(message))
        self.leave(message)
        return False

    def leave(self, message: Message) -> None:
        """The message is out of hand but not done: nothing after it can be committed in this assignment."""
        message.acked = True
        self._unacked_messages.discard(message)

    def commits(self) -> dict[TP, int]:
        """The offset committed of each source partition in hand."""
        return {tp: self._committed_offset[tp] or self._commits.get(tp, 0) for tp in self._due}

    # ------------------------------------------------------------ assignments

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Lets the batch in hand finish its writes, so that none of them lands after the next owner's."""
        self._due, self._commits = {}, {}
        if self.revoking is not None:
            await self.revoking()
        await super().on_partitions_revoked(revoked)

    async def perform_seek(self) -> None:
        """Looks up where each source partition goes on: at its commit, or at its first record."""
        await self.maybe_wait_for_commit_to_finish()
        found = await self.seek_to_committed()
        commits = {tp: offset or 0 for tp, offset in found.items() if self._is_source(tp)}
        fresh = [tp for tp, offset in commits.items() if not offset]
        if fresh:
            commits.update(await self.earliest_offsets(*fresh))
        self._committed_offset.update({tp: offset or None for tp, offset in commits.items()})
        self._commits = commits

    def resume_flow(self) -> None:
        """The streams' queues have just been emptied: from here on everything due is delivered."""
        super().resume_flow()
        self._due = dict(self._commits)
        self.has_joined = True
        for tp in self._due:
            self._fetch_again(tp)

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        """Seeks changelogs, once no fetch is on its way that could be taken for the new place."""
        if not self.flow_active:
            await self.wait_for_stopped_flow()
        await super().seek_wait(partitions)

    # ------------------------------------------------------------ delivery

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Message]]:
        """Messages in order; of the sources only what is due."""
        behind_hole: set[TP] = set()
        async for tp, message in super().getmany(timeout):
            if self._is_source(tp):
                if tp in behind_hole or not self._is_due(tp, message.offset, behind_hole):
                    continue
                self._read_offset[tp] = None  # else the base class would drop it, or fill a hole that is none
            yield tp, message

    def _is_due(self, tp: TP, offset: int, behind_hole: set[TP]) -> bool:
        due = self._due.get(tp)
        if due is None or offset < due or self.app.in_recovery:
            return False
        if offset > due:
            behind_hole.add(tp)
            self._mend_hole(tp, due, offset)
            return False
        return True

    def _mend_hole(self, tp: TP, due: int, found: int) -> None:
        self._fetches[tp, due] = tries = self._fetches.get((tp, due), 0) + 1
        _log.warning("hole", topic=tp.topic, partition=tp.partition, due=due, found=found, tries=tries)
        if tries >= TRIES:
            _log.error("the hole does not close: ending the process", topic=tp.topic, partition=tp.partition, due=due)
            os._exit(HOLE_EXIT)
        self._fetch_again(tp)

    async def _count(self, message: Message) -> None:
        """Hands over; what is cancelled on the way was not delivered and stays due."""
        due = self._due
        await self._hand_over(message)
        if due.get(message.tp) == message.offset:
            due[message.tp] += 1

    def _fetch_again(self, tp: TP) -> None:
        self._thread.thread_loop.call_soon_threadsafe(self._thread.seek, tp, self._due[tp])

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:
        self.not_waiting_next_records.clear()  # the base class sets it here, and would never wait
        return await super()._getmany(active_partitions, timeout)

    def _is_source(self, tp: TP) -> bool:
        return bool(self.app.topics.acks_enabled_for(tp.topic))


class GaplessTransport(driver.Transport):  # type: ignore[misc]
    """Faust's transport with that consumer: `app.transport = GaplessTransport(app.conf.broker_consumer, app)`."""

    Consumer = GaplessConsumer

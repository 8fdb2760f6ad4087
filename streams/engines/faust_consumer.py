"""A Faust transport that delivers every source partition from its commit on without a hole.

faust-streaming 0.15.3 loses events where partitions change hands: it begins to read before it has looked up the commit,
empties the streams' queues after messages were put into them, marks as read what it could not deliver, closes the holes
that follow by calling them gaps, acknowledges what a stream took from its queue and nobody stepped, lets a recovery
that was overtaken start the flow again, and commits beyond a hole where it knows of no commit before it. So this
consumer keeps two counts of its own for each source partition, which begin at the commit of the assignment: `due`, the
next offset to deliver, and `done`, the next one to step. A message beyond `due` means that some are missing, and they
are fetched again. Only what goes on at `done` is stepped, and `done` is what is committed.

Faust makes two tasks and a dozen calls of each message. So what it gets as one message is a batch of records of one
source partition that follow each other; and of a changelog that a table is recovered from, the last record of each
fetch, since all of them are applied as they come.

It leans on private names of faust-streaming 0.15.3 and aiokafka 0.14, which are pinned for it.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any

import faust
import structlog
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, Message
from faust.types.tuples import ConsumerMessage

from streams.engines.guarded import Delivery

HOLE_EXIT = 71  # exit code: a hole that fetching again did not close, or that was found too late for it
MOST_RECORDS = 128  # of a record batch
TRIES = 10  # fetches of the same place before the process is ended: a fresh one begins at the commit
_log = structlog.get_logger("worker")

Deliver = Callable[[Message], Awaitable[None]]


class RecordBatch(ConsumerMessage):  # type: ignore[misc]
    """Records of one source partition without a hole between them, as one message; its offset is that of the last."""

    deliveries: list[Delivery]

    @classmethod
    def of(cls, tp: TP, records: Sequence[Any], generation_id: int) -> RecordBatch:
        """The batch of these records of aiokafka's."""
        last = records[-1]
        batch = cls(tp.topic, tp.partition, last.offset, 0.0, 0, [], b"", b"", None, tp=tp, generation_id=generation_id)
        batch.deliveries = [Delivery(tp.partition, r.offset, r.key or b"", r.value or b"") for r in records]
        return batch

    @property
    def first(self) -> int:
        """The offset of the first record."""
        return self.deliveries[0].offset

    def skip_to(self, offset: int) -> None:
        """Drops the records before `offset`."""
        del self.deliveries[: offset - self.first]


def consecutive(records: Sequence[Any]) -> list[list[Any]]:
    """The records in groups of at most MOST_RECORDS whose offsets follow each other."""
    groups: list[list[Any]] = []
    for record in records:
        if groups and record.offset == groups[-1][-1].offset + 1 and len(groups[-1]) < MOST_RECORDS:
            groups[-1].append(record)
        else:
            groups.append([record])
    return groups


class GaplessConsumer(driver.Consumer):  # type: ignore[misc]
    """Faust's consumer with its own account of what must come next."""

    def __init__(self, transport: Any, callback: Deliver, *args: Any, **kwargs: Any) -> None:
        self._hand_over = callback
        self._commits: dict[TP, int] = {}  # where the present assignment begins, of each source partition in hand
        self._due: dict[TP, int] = {}  # the next offset to deliver
        self._done: dict[TP, int] = {}  # the next offset to step: all before it may be committed
        self._moving = True  # partitions are given away: nothing is current before the next assignment
        self.has_joined = False  # an assignment has come, be it empty
        self._fetches: dict[tuple[TP, int], int] = {}  # how often a hole was fetched again
        self.revoking: Callable[[], Awaitable[None]] | None = None  # awaited before partitions are given away
        super().__init__(transport, self._count, *args, **kwargs)

    # ------------------------------------------------------------ what is current

    def is_current(self, message: Message) -> bool:
        """False where partitions changed hands since: leave the message, it will come again, here or elsewhere."""
        return bool(self.flow_active and message.generation_id == self._generation())

    def _generation(self) -> int | None:
        """The present assignment's, once its tables' recovery has begun: a former one must not pass for it."""
        generation: int = self.app.consumer_generation_id
        settled = not self._moving and self.app.tables.recovery._generation_id == generation
        return generation if settled else None

    def in_turn(self, batches: Sequence[RecordBatch]) -> list[RecordBatch]:
        """Those to be stepped now: current, and each beginning where the one before it ended."""
        done, mine = dict(self._done), []
        for batch in batches:
            at = done.get(batch.tp)
            if at is None or batch.offset < at or not self.is_current(batch):
                continue
            if batch.first > at:
                _end_for_hole(batch.tp, at, batch.first)
            batch.skip_to(at)
            done[batch.tp] = batch.offset + 1
            mine.append(batch)
        return mine

    def count_done(self, batches: Sequence[RecordBatch]) -> None:
        """They are stepped, their outputs sent and their states kept: they may be committed."""
        for batch in batches:
            if self._done.get(batch.tp) == batch.first:
                self._done[batch.tp] = batch.offset + 1

    def ack(self, message: Message) -> bool:
        """Faust acknowledges whatever leaves a stream, stepped or not: it counts for nothing here."""
        message.acked = True
        self._unacked_messages.discard(message)
        return False

    def commits(self) -> dict[TP, int]:
        """The offset committed of each source partition in hand."""
        return {tp: self._committed_offset[tp] or self._commits.get(tp, 0) for tp in self._due}

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        return (tp for tp in self._done if topics is None or tp in topics or tp.topic in topics)

    def _new_offset(self, tp: TP) -> int | None:
        return self._done.get(tp) or None

    # ------------------------------------------------------------ assignments

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Lets the batch in hand finish its writes, so that none of them lands after the next owner's."""
        self._moving, self._commits, self._due = True, {}, {}
        if self.revoking is not None:
            await self.revoking()
        self._done = {}
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """From here on the new generation counts, as soon as the tables' recovery knows of it."""
        self._moving = False
        await super().on_partitions_assigned(assigned, generation_id)

    async def perform_seek(self) -> None:
        """Looks up where each source partition goes on: at its commit, or at its first record."""
        generation = self._generation()
        await self.maybe_wait_for_commit_to_finish()
        found = await self.seek_to_committed()
        commits = {tp: offset or 0 for tp, offset in found.items() if self._is_source(tp)}
        fresh = [tp for tp, offset in commits.items() if not offset]
        if fresh:
            commits.update(await self.earliest_offsets(*fresh))
        if generation is None or generation != self._generation():
            commits = {}  # of an assignment that is over; it is done again in the next
        self._committed_offset.update({tp: offset or None for tp, offset in commits.items()})
        self._commits = commits

    def resume_flow(self) -> None:
        """The streams' queues have just been emptied: from here on everything due is delivered."""
        super().resume_flow()
        self._due, self._done = dict(self._commits), dict(self._commits)
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
        """Messages in order; of the sources record batches, and only what is due."""
        behind_hole: set[TP] = set()
        async for tp, message in super().getmany(timeout):
            if isinstance(message, RecordBatch):
                if tp in behind_hole or not self._is_due(message, behind_hole):
                    continue
                self._read_offset[tp] = None  # else the base class would drop it, or fill a hole that is none
            yield tp, message

    def _is_due(self, batch: RecordBatch, behind_hole: set[TP]) -> bool:
        """Whether some of it is; what is not is dropped."""
        tp, due = batch.tp, self._due.get(batch.tp)
        if due is None or batch.offset < due or self.app.in_recovery:
            return False
        if batch.first > due:
            behind_hole.add(tp)
            self._mend_hole(tp, due, batch.first)
            return False
        batch.skip_to(due)
        return True

    def _mend_hole(self, tp: TP, due: int, found: int) -> None:
        self._fetches[tp, due] = tries = self._fetches.get((tp, due), 0) + 1
        _log.warning("hole", topic=tp.topic, partition=tp.partition, due=due, found=found, tries=tries)
        if tries >= TRIES:
            _end_for_hole(tp, due, found)
        self._fetch_again(tp)

    async def _count(self, message: Message) -> None:
        """Hands over; what is cancelled on the way was not delivered and stays due."""
        due = self._due
        await self._hand_over(message)
        if isinstance(message, RecordBatch) and due.get(message.tp) == message.first:
            due[message.tp] = message.offset + 1

    def _fetch_again(self, tp: TP) -> None:
        self._thread.thread_loop.call_soon_threadsafe(self._thread.seek, tp, self._due[tp])

    async def _wait_next_records(self, timeout: float) -> Any:
        """Nothing where the flow was stopped meanwhile: the base class would look up commits, beside the recovery."""
        records, active = await super()._wait_next_records(timeout)
        return (records if self.flow_active else None), active

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:
        self.not_waiting_next_records.clear()  # the base class sets it here, and would never wait
        fetched = await super()._getmany(active_partitions, timeout)
        taken = ((tp, self._taken(tp, found)) for tp, found in (fetched or {}).items())
        return {tp: found for tp, found in taken if found}

    def _taken(self, tp: TP, records: Sequence[Any]) -> Sequence[Any]:
        """What goes on to Faust. Outside a recovery a changelog brings only what this worker wrote itself."""
        if self._is_source(tp):
            return consecutive(records)
        if not self.app.in_recovery:
            return []
        table = self.app.tables._changelogs[tp.topic]
        for record in records:
            table.put(tp.partition, record.key, record.value)
        return records[-1:]

    def _to_message(self, tp: TP, record: Any) -> Any:
        if isinstance(record, list):
            return RecordBatch.of(tp, record, self.app.consumer_generation_id)
        return super()._to_message(tp, record)

    def _is_source(self, tp: TP) -> bool:
        return bool(self.app.topics.acks_enabled_for(tp.topic))


def _end_for_hole(tp: TP, due: int, found: int) -> None:
    """A fresh process begins at the commit."""
    _log.error("a hole is left: ending the process", topic=tp.topic, partition=tp.partition, due=due, found=found)
    os._exit(HOLE_EXIT)


class StateTable(faust.Table):  # type: ignore[misc]
    """States in memory. `GaplessConsumer` restores them as it fetches the changelog."""

    def put(self, partition: int, key: bytes, value: bytes) -> None:
        """Keeps the state of a key, as long as its partition is here."""
        self.data.data[key] = value
        self.data._key_partition[key] = partition  # by which Faust drops what is given away

    def apply_changelog_batch(self, batch: Any) -> None:
        """Nothing is left to do when Faust gets round to it."""


class GaplessTransport(driver.Transport):  # type: ignore[misc]
    """Faust's transport with that consumer: `app.transport = GaplessTransport(app.conf.broker_consumer, app)`."""

    Consumer = GaplessConsumer

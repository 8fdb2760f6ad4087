"""A Faust transport that delivers every source partition from its commit on without a hole.

faust-streaming 0.15.3 loses events where partitions change hands: it begins to read before it has looked up the commit,
empties the streams' queues after messages were put into them, marks as read what it could not deliver, closes the holes
that follow by calling them gaps, acknowledges what a stream took from its queue and nobody stepped, resumes delivery
twice within one assignment, and commits beyond a hole where it knows of no commit before it. So this consumer leaves
Faust the group and the fetching, and keeps the account itself.

A tenure begins when Faust resumes the flow after an assignment: commits are looked up, the stages' states are claimed
and restored, the group confirms that the partitions are still ours, and only then is anything delivered. It ends when
partitions are given away, or when the flow is resumed again. It keeps two counts for each source partition: `due`, the
next offset to deliver, and `done`, the next one to step. A message beyond `due` means that some are missing, and they
are fetched again. Only what was delivered in the present tenure and goes on at `done` is stepped, and `done` is what is
committed.

Faust makes two tasks and a dozen calls of each message. So what it gets as one message is a batch of records of one
source partition that follow each other.

It leans on private names of faust-streaming 0.15.3 and aiokafka 0.14, which are pinned for it.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, Message
from faust.types.tuples import ConsumerMessage

from streams.engines.guarded import Delivery

FAILED_EXIT = 70  # exit code: a failure that is no event's fault
HOLE_EXIT = 71  # exit code: a hole that fetching again did not close, or that was found too late for it
MOST_RECORDS = 128  # of a record batch
TRIES = 10  # fetches of the same place before the process is ended: a fresh one begins at the commit
_log = structlog.get_logger("worker")

Deliver = Callable[[Message], Awaitable[None]]
Install = Callable[[], None]


@dataclass(eq=False, kw_only=True)
class Tenure:
    """The time in which this worker has its source partitions. Nothing is current before it begins and once it ends."""

    commits: Mapping[TP, int] = field(default_factory=dict)  # where it begins
    due: dict[TP, int] = field(default_factory=dict)  # the next offset to deliver
    done: dict[str, dict[TP, int]] = field(default_factory=dict)  # by stage: the next offset to step
    current: bool = False

    def begin(self, commits: Mapping[TP, int], readers: Mapping[str, Collection[str]]) -> None:
        """From here on everything due is delivered, to the stages that read its topic."""
        self.commits, self.due = commits, dict(commits)
        for tp, commit in commits.items():
            for stage in readers[tp.topic]:
                self.done.setdefault(stage, {})[tp] = commit
        self.current = True

    def committable(self, tp: TP) -> int:
        """The offset before which every stage has stepped everything."""
        return min(done[tp] for done in self.done.values() if tp in done)


@dataclass(frozen=True, kw_only=True)
class Turn:
    """What a stage is to step next."""

    deliveries: list[Delivery]
    ends: dict[TP, int]  # the next offset to step afterwards
    tenure: Tenure


class RecordBatch(ConsumerMessage):  # type: ignore[misc]
    """Records of one source partition without a hole between them, as one message; its offset is that of the last."""

    deliveries: list[Delivery]
    tenure: Tenure  # in which it was delivered

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

    def since(self, offset: int) -> list[Delivery]:
        """The records from that offset on."""
        return self.deliveries[max(0, offset - self.first) :]


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
        self.tenure = Tenure()
        self._moving = False  # partitions are being given away or assigned
        self._fetches: dict[tuple[TP, int], int] = {}  # how often a hole was fetched again
        super().__init__(transport, self._count, *args, **kwargs)

    # ------------------------------------------------------------ what is current

    def is_current(self, turn: Turn) -> bool:
        """False where partitions changed hands since: leave it, it will come again, here or elsewhere."""
        return turn.tenure is self.tenure and self.tenure.current

    def turn(self, stage: str, batches: Sequence[RecordBatch]) -> Turn:
        """What that stage is to step of these now: what is current and goes on where its last step ended."""
        turn = Turn(deliveries=[], ends={}, tenure=self.tenure)
        for batch in batches:
            if batch.tenure is not self.tenure or not self.tenure.current:
                continue
            at = turn.ends.get(batch.tp, self.tenure.done[stage][batch.tp])
            if batch.first > at:
                _end_for_hole(batch.tp, at, batch.first)
            if batch.offset >= at:
                turn.deliveries.extend(batch.since(at))
                turn.ends[batch.tp] = batch.offset + 1
        return turn

    def count_done(self, stage: str, turn: Turn) -> None:
        """It is stepped, its outputs sent and its states kept: for this stage it may be committed."""
        turn.tenure.done[stage].update(turn.ends)

    def ack(self, message: Message) -> bool:
        """Faust acknowledges whatever leaves a stream, stepped or not: it counts for nothing here."""
        message.acked = True
        self._unacked_messages.discard(message)
        return False

    def commits(self) -> dict[TP, int]:
        """The offset committed of each source partition in hand."""
        return {tp: self._committed_offset[tp] or commit for tp, commit in self.tenure.commits.items()}

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        mine = self.tenure.commits if self.tenure.current else {}
        return (tp for tp in mine if topics is None or tp in topics or tp.topic in topics)

    def _new_offset(self, tp: TP) -> int | None:
        return self.tenure.committable(tp) or None

    # ------------------------------------------------------------ assignments

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Ends the tenure. A commit on its way must not arrive as one of the next assignment."""
        self._moving, self.tenure = True, Tenure()
        await self.transport.release()
        await self.maybe_wait_for_commit_to_finish()
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """From here on a tenure may begin."""
        self._moving = False
        await super().on_partitions_assigned(assigned, generation_id)

    async def perform_seek(self) -> None:
        """What Faust does here, a tenure does when it begins."""

    def resume_flow(self) -> None:
        """Faust has just emptied the streams' queues: a tenure begins, unless Faust is late and they are moving."""
        super().resume_flow()
        self.tenure = Tenure()
        if not self._moving:
            self.add_future(self._begin(self.tenure))

    async def _begin(self, tenure: Tenure) -> None:
        try:
            await self.transport.release()
            commits = await self._look_up()
            install = await self.transport.restore(commits)
            confirmed = not commits or await self._commit(commits)
        except Exception as error:
            if tenure is self.tenure:
                _log.error("no states restored: ending the process", error=repr(error), exc_info=True)
                os._exit(FAILED_EXIT)
            _log.info("partitions moved while states were restored", error=repr(error))
            return
        if tenure is self.tenure and confirmed:
            install()
            self._committed_offset.update({tp: offset or None for tp, offset in commits.items()})
            tenure.begin(commits, self.transport.readers)
            for tp in commits:
                self._fetch_again(tp)

    async def _look_up(self) -> dict[TP, int]:
        """Where each source partition goes on: at its commit, or at its first record."""
        found = await self.seek_to_committed()
        commits = {tp: offset or 0 for tp, offset in found.items()}
        if fresh := [tp for tp, offset in commits.items() if not offset]:
            commits.update(await self.earliest_offsets(*fresh))
        return commits

    # ------------------------------------------------------------ delivery

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Message]]:
        """Record batches in order, and only what is due."""
        behind_hole: set[TP] = set()
        async for tp, batch in super().getmany(timeout):
            if tp not in behind_hole and self._is_due(batch, behind_hole):
                batch.tenure = self.tenure
                self._read_offset[tp] = None  # else the base class would drop it, or fill a hole that is none
                yield tp, batch

    def _is_due(self, batch: RecordBatch, behind_hole: set[TP]) -> bool:
        """Whether some of it is; what is not is dropped."""
        tp, due = batch.tp, self.tenure.due.get(batch.tp)
        if due is None or batch.offset < due:
            return False
        if batch.first > due:
            behind_hole.add(tp)
            self._mend_hole(tp, due, batch.first)
            return False
        return True

    def _mend_hole(self, tp: TP, due: int, found: int) -> None:
        self._fetches[tp, due] = tries = self._fetches.get((tp, due), 0) + 1
        _log.warning("hole", topic=tp.topic, partition=tp.partition, due=due, found=found, tries=tries)
        if tries >= TRIES:
            _end_for_hole(tp, due, found)
        self._fetch_again(tp)

    async def _count(self, batch: RecordBatch) -> None:
        """Hands over; what is cancelled on the way was not delivered and stays due."""
        await self._hand_over(batch)
        if batch.first <= batch.tenure.due.get(batch.tp, -1):
            batch.tenure.due[batch.tp] = batch.offset + 1

    def _fetch_again(self, tp: TP) -> None:
        self._thread.thread_loop.call_soon_threadsafe(self._thread.seek, tp, self.tenure.due[tp])

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:
        self.not_waiting_next_records.clear()  # the base class sets it here, and would never wait
        fetched = await super()._getmany(active_partitions, timeout)
        return {tp: consecutive(found) for tp, found in (fetched or {}).items()}

    def _to_message(self, tp: TP, record: Any) -> RecordBatch:
        return RecordBatch.of(tp, record, self.app.consumer_generation_id)


def _end_for_hole(tp: TP, due: int, found: int) -> None:
    """A fresh process begins at the commit."""
    _log.error("a hole is left: ending the process", topic=tp.topic, partition=tp.partition, due=due, found=found)
    os._exit(HOLE_EXIT)


class GaplessTransport(driver.Transport):  # type: ignore[misc]
    """Faust's transport with that consumer: `app.transport = GaplessTransport(app.conf.broker_consumer, app)`."""

    Consumer = GaplessConsumer
    readers: Mapping[str, Collection[str]] = {}  # the stages that read a topic, by its full name

    async def release(self) -> None:
        """Awaited before partitions are given away: returns when no batch is being written. For who has stages."""

    async def restore(self, sources: Collection[TP]) -> Install:
        """Claims and reads the states of these partitions; they are in use once what it gives is called."""
        return lambda: None

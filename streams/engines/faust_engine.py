"""All stages on Faust: one agent and one table a stage, at least once, made once by order and origin.

A batch goes: steps, outputs sent and acknowledged, "are its events still mine?", states sent to the changelog and
acknowledged, table written, events acknowledged, offsets committed. A crash anywhere repeats the same steps on the same
states. What is the event's fault becomes a dead letter; what is not (no broker, no acknowledgement, a lost table) ends
the process, because Faust would acknowledge and skip: a supervisor starts another, which goes on at the commits.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import aiokafka
import faust
import structlog
from mode import Service

from streams.engines.embedded import no_fault
from streams.engines.faust_consumer import GaplessTransport
from streams.engines.faust_watch import Glance, Partition, Watchdog
from streams.engines.guarded import Applied, Delivery, GuardedStage, Sending
from streams.engines.kafka_connection import KafkaConnection
from streams.engines.kafka_topics import MOST_MESSAGE_BYTES, Layout
from streams.topology import Stage

FAILED_EXIT = 70  # exit code: a failure that is no event's fault
MOST_EVENTS = 1_000  # of a batch
WITHIN_S = 0.010  # how long a batch waits for more
LOOK_S = 2.0  # between two looks of the watchdog
_log = structlog.get_logger("worker")


@dataclass(frozen=True, kw_only=True)
class FaustOptions:
    """Times of the consumer group. A killed worker's partitions move after `session_s`."""

    session_s: float = 10.0
    heartbeat_s: float = 3.0
    rebalance_s: float = 20.0
    commit_s: float = 1.0


@dataclass(kw_only=True)
class StageCounts:
    """Since the process began."""

    steps: int = 0
    sent: int = 0
    doubles: int = 0
    buried: int = 0
    stale_batches: int = 0  # their partitions changed hands meanwhile


class FaustEngine:
    """Runs every stage until the process is told to end. `fault` is called at each named point of a batch."""

    def __init__(
        self,
        connection: KafkaConnection,
        layout: Layout,
        *,
        options: FaustOptions | None = None,
        fault: Callable[[str], None] = no_fault,
    ) -> None:
        self._connection = connection
        self._layout = layout
        self._options = options or FaustOptions()
        self._fault = fault
        self.app = _make_app(connection, layout, self._options)
        self.producer = Outbox(connection)
        self.stages = {
            stage.name: StageAgent(self.app, stage, layout, self.producer, fault, self._options.session_s / 2)
            for stage in layout.topology.stages.values()
        }
        self.watch = Watch(self.app, self._when_writes_are_done)

    def run(self) -> None:
        """Blocks until SIGTERM, and leaves the group in good order; exits with a code where something broke."""
        worker = faust.Worker(
            self.app,
            self.producer,
            self.watch,
            loglevel="WARNING",
            quiet=True,
            redirect_stdouts=False,
            override_logging=False,
        )
        worker.spinner = None  # it would draw into the log
        worker.execute_from_commandline()

    def state(self, stage: str, key: str) -> object | None:
        """The state of that key, where this worker has its partition."""
        return self.stages[stage].state(key)

    def lag(self) -> dict[str, int]:
        """Events not yet applied of this worker's partitions, by stage."""
        inboxes = {name: self._layout.full_name(self._layout.inbox(s.stage).name) for name, s in self.stages.items()}
        lags = self.watch.glance.lags
        return {name: sum(lag for (topic, _), lag in lags.items() if topic == inboxes[name]) for name in inboxes}

    def is_ready(self) -> bool:
        """Tables recovered, partitions assigned (or none left for this worker), events flowing."""
        return self.watch.glance.ready

    def partitions(self) -> int:
        """How many this worker has now."""
        return len(self.watch.glance.commits)

    def counts(self) -> dict[str, dict[str, int]]:
        """What has been done since the process began: by stage, by kind."""
        return {name: asdict(stage.counts) for name, stage in self.stages.items()}

    async def _when_writes_are_done(self) -> None:
        """Returns when no batch is between its check and its last write."""
        for stage in self.stages.values():
            async with stage.writing:
                pass


def _make_app(connection: KafkaConnection, layout: Layout, options: FaustOptions) -> faust.App:
    app = faust.App(
        f"{layout.prefix}worker",
        **connection.faust(),
        store="memory://",
        datadir=tempfile.mkdtemp(prefix="prefloop-worker-"),
        key_serializer="raw",
        value_serializer="raw",
        autodiscover=False,
        web_enabled=False,
        topic_allow_declare=False,  # all topics are made by kafka_topics.create_topics
        topic_disable_leader=True,
        topic_partitions=layout.partitions,
        consumer_auto_offset_reset="earliest",
        table_standby_replicas=0,
        stream_wait_empty=False,  # what is in hand when partitions move comes again, and is dropped as a double
        stream_recovery_delay=0.0,
        broker_max_poll_records=2_000,
        broker_commit_interval=options.commit_s,
        broker_session_timeout=options.session_s,
        broker_heartbeat_interval=options.heartbeat_s,
        broker_rebalance_timeout=options.rebalance_s,
        broker_request_timeout=max(20.0, options.session_s),
    )
    app.transport = GaplessTransport(app.conf.broker_consumer, app)
    return app


class Outbox(Service):  # type: ignore[misc]
    """The one producer of the worker: idempotent, acknowledged by all replicas, in order within a partition."""

    def __init__(self, connection: KafkaConnection, **options: Any) -> None:
        super().__init__(**options)
        self._connection = connection
        self._producer: aiokafka.AIOKafkaProducer | None = None

    async def on_start(self) -> None:
        """Connects."""
        self._producer = aiokafka.AIOKafkaProducer(
            **self._connection.aiokafka(),
            acks="all",
            enable_idempotence=True,
            linger_ms=1,
            max_batch_size=262_144,
            max_request_size=MOST_MESSAGE_BYTES,
            request_timeout_ms=20_000,
        )
        await self._producer.start()

    async def on_stop(self) -> None:
        """Sends what waits."""
        if self._producer is not None:
            await self._producer.stop()

    async def send(self, sendings: Sequence[Sending], fault: Callable[[str], None] = no_fault) -> None:
        """Returns when all are acknowledged; raises what the broker said where one is not."""
        if self._producer is None:
            raise RuntimeError("the outbox is not started")
        acknowledgements = []
        for sending in sendings:
            acknowledgements.append(
                await self._producer.send(sending.topic, sending.payload, sending.key, sending.partition)
            )
            if fault is not no_fault:
                await acknowledgements[-1]  # a crash between outputs: the ones before are in the log
                fault("after_output")
        if acknowledgements:
            await asyncio.gather(*acknowledgements)


class StageAgent:
    """One stage in this worker: its agent, its table, its counts."""

    def __init__(
        self,
        app: faust.App,
        stage: Stage,
        layout: Layout,
        outbox: Outbox,
        fault: Callable[[str], None],
        longest_batch_s: float,
    ) -> None:
        inbox = layout.inbox(stage).name
        self.stage = stage
        self.counts = StageCounts()
        self.writing = asyncio.Lock()
        self._app = app
        self._outbox = outbox
        self._fault = fault
        self._longest_batch_s = longest_batch_s
        self._changelog = layout.states(stage.name)
        raw: Mapping[str, Any] = {
            "key_type": bytes,
            "value_type": bytes,
            "key_serializer": "raw",
            "value_serializer": "raw",
        }
        partitions = layout.count(inbox)
        changelog = app.topic(
            self._changelog, **raw, partitions=partitions, compacting=True, acks=False, internal=True,
            maxsize=131_072, allow_empty=True,
        )  # fmt: skip
        self._table = app.Table(
            stage.name, key_type=bytes, value_type=bytes, partitions=partitions, changelog_topic=changelog
        )
        self._guarded = GuardedStage(stage, layout, self._table.data.get)
        source = app.topic(layout.full_name(inbox), **raw, partitions=partitions, allow_empty=True)
        app.agent(source, name=stage.name, concurrency=1)(self._consume)

    def state(self, key: str) -> object | None:
        """The state of that key, if its partition is here."""
        value = self._table.data.get(key.encode())
        return None if value is None else self._guarded.kept(value)[0]

    async def _consume(self, stream: Any) -> None:
        """The agent: batches for ever."""
        batches: AsyncIterator[Sequence[Any]] = stream.take_events(MOST_EVENTS, within=WITHIN_S)
        async for events in batches:
            messages = [event.message for event in events]
            try:
                await self._batch(messages)
            except Exception as error:
                _log.error("batch failed: ending the process", stage=self.stage.name, error=repr(error), exc_info=True)
                os._exit(FAILED_EXIT)
            except BaseException:  # cancelled: Faust will acknowledge what it handed out, unless told not to
                self._leave(messages)
                raise

    async def _batch(self, messages: Sequence[Any]) -> None:
        consumer = self._app.consumer
        mine = [message for message in messages if consumer.is_current(message)]
        if not mine:
            return
        begun = time.monotonic()
        applied = self._guarded.apply([_delivery(message) for message in mine])
        self._fault("before_step")
        await self._outbox.send(applied.sendings, self._fault)
        async with self.writing:
            if not consumer.is_current(mine[-1]):
                self.counts.stale_batches += 1
                self._leave(mine)
                return
            if time.monotonic() - begun > self._longest_batch_s:
                raise TimeoutError("the batch took so long that its partitions may have another owner")
            await self._keep(applied)
        self._fault("before_commit")

    async def _keep(self, applied: Applied) -> None:
        """The new states, in the changelog first."""
        rows = [Sending(self._changelog, partition, key, value) for key, (partition, value) in applied.states.items()]
        await self._outbox.send(rows)
        self._fault("after_state")
        for row in rows:
            self._table.data[row.key] = row.payload
        self.counts.steps += applied.steps
        self.counts.sent += len(applied.sendings)
        self.counts.doubles += applied.doubles
        self.counts.buried += applied.buried

    def _leave(self, messages: Sequence[Any]) -> None:
        for message in messages:
            self._app.consumer.leave(message)


def _delivery(message: Any) -> Delivery:
    return Delivery(message.partition, message.offset, message.key or b"", message.value or b"")


class Watch(Service):  # type: ignore[misc]
    """Looks at the worker every few seconds, for the watchdog, for /readyz and for the metrics."""

    def __init__(self, app: faust.App, when_writes_are_done: Callable[[], Any], **options: Any) -> None:
        super().__init__(**options)
        self._app = app
        self._when_writes_are_done = when_writes_are_done
        self.watchdog = Watchdog()
        self.glance = Glance(ready=False, lags={}, commits={})

    async def on_start(self) -> None:
        """Begins to watch."""
        self._app.consumer.revoking = self._when_writes_are_done
        self.watchdog.start()

    async def on_stop(self) -> None:
        """The process ends in good order."""
        self.watchdog.stop()

    @Service.task  # type: ignore[untyped-decorator]
    async def _look(self) -> None:
        while not self.should_stop:
            before, self.glance = self.glance, await self._take()
            if self.glance.commits.keys() != before.commits.keys():
                _log.info("partitions", count=len(self.glance.commits), ready=self.glance.ready)
            self.watchdog.look(self.glance)
            await self.sleep(LOOK_S)

    async def _take(self) -> Glance:
        app, consumer = self._app, self._app.consumer
        flowing = consumer.has_joined and consumer.flow_active and not app.rebalancing and not app.in_recovery
        if not flowing:
            return Glance(ready=False, lags={}, commits={}, recovering=app.tables.recovery.active_remaining_total())
        commits = consumer.commits()
        ends = await self._ends(commits) if commits else {}
        if ends is None:
            return self.glance  # no answer: as if nothing had moved
        places = {(tp.topic, tp.partition): offset for tp, offset in commits.items()}
        lags: dict[Partition, int] = {(tp.topic, tp.partition): max(0, ends[tp] - commits[tp]) for tp in ends}
        return Glance(ready=True, lags=lags, commits=places)

    async def _ends(self, commits: Mapping[Any, int]) -> Mapping[Any, int] | None:
        try:
            ends: Mapping[Any, int] = await asyncio.wait_for(self._app.consumer.highwaters(*commits), timeout=10)
        except Exception as error:
            _log.warning("no ends of partitions", error=repr(error))
            return None
        return ends

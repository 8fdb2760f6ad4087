"""All stages on Faust: one agent and one table a stage, at least once, made once by order and origin.

A batch goes: steps, outputs sent and acknowledged, "are its events still mine?", states sent to the topic of states and
acknowledged, table written, events counted as done, offsets committed. A crash anywhere repeats the same steps on the
same states. What is the event's fault becomes a dead letter; what is not (no broker, no acknowledgement, a lost table)
ends the process, because Faust would acknowledge and skip: a supervisor starts another, which goes on at the commits.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import faust
import structlog
from mode import Service

from streams.engines.embedded import no_fault
from streams.engines.faust_consumer import FAILED_EXIT, GaplessTransport, Install, RecordBatch, Turn
from streams.engines.faust_watch import ALL_STALLED_S, Glance, Partition, Watchdog
from streams.engines.guarded import Applied, GuardedStage, Sending
from streams.engines.kafka_connection import KafkaConnection
from streams.engines.kafka_sender import Sender
from streams.engines.kafka_states import StateTable, take_over
from streams.engines.kafka_topics import Layout
from streams.topology import Stage

MOST_BATCHES = 16  # record batches of one turn of a stage: 2,048 events
WITHIN_S = 0.010  # how long a turn waits for more
LOOK_S = 2.0  # between two looks of the watchdog
# Longer than the watchdog waits: were one message given up and the process lived on, later ones could overtake it.
PATIENCE_MS = int(2_000 * ALL_STALLED_S)
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
            stage.name: StageAgent(self.app, stage, layout, self.producer, fault)
            for stage in layout.topology.stages.values()
        }
        self.watch = Watch(self.app)
        transport = self.app.transport
        transport.readers = self._readers()
        transport.release, transport.restore = self._when_writes_are_done, self._restore

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
        """States restored, partitions assigned (or none left for this worker), events flowing."""
        return self.watch.glance.ready

    def partitions(self) -> int:
        """How many this worker has now."""
        return len(self.watch.glance.commits)

    def counts(self) -> dict[str, dict[str, int]]:
        """What has been done since the process began: by stage, by kind."""
        return {name: asdict(stage.counts) for name, stage in self.stages.items()}

    def _readers(self) -> dict[str, list[str]]:
        """The stages that read a Kafka topic."""
        readers: dict[str, list[str]] = {}
        for name, stage in self.stages.items():
            readers.setdefault(stage.source, []).append(name)
        return readers

    async def _when_writes_are_done(self) -> None:
        """Returns when no batch is between its check and its last write."""
        for stage in self.stages.values():
            async with stage.writing:
                pass

    async def _restore(self, sources: Collection[Any]) -> Install:
        """Takes the states of these source partitions over; they are in use once what is given back is called."""
        places = {stage: [tp.partition for tp in sources if tp.topic == stage.source] for stage in self.stages.values()}
        wanted = [(stage.table.topic, partition) for stage, partitions in places.items() for partition in partitions]
        sender = await self.producer.connected()
        found = await take_over(self._connection, sender, wanted, self.watch.count_restored)

        def install() -> None:
            for stage, partitions in places.items():
                stage.table.install({partition: found[stage.table.topic, partition] for partition in partitions})

        return install


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
        stream_wait_empty=False,  # what is in hand when partitions move comes again, and is dropped as a double
        stream_recovery_delay=0.0,
        stream_buffer_maxsize=256,  # record batches
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
    """The one producer of the worker."""

    def __init__(self, connection: KafkaConnection, **options: Any) -> None:
        super().__init__(**options)
        self._connection = connection
        self._connected = asyncio.Event()
        self._sender: Sender

    async def on_start(self) -> None:
        """Connects."""
        self._sender = Sender(self._connection, request_timeout_ms=PATIENCE_MS)
        await self._sender.start()
        self._connected.set()

    async def on_stop(self) -> None:
        """Sends what waits."""
        if self._connected.is_set():
            await self._sender.stop()

    async def connected(self) -> Sender:
        """Once there is a connection: the group may be joined before."""
        await self._connected.wait()
        return self._sender

    async def send(self, sendings: Sequence[Sending], fault: Callable[[str], None] = no_fault) -> None:
        """Returns when all are acknowledged; raises what the broker said where one is not."""
        if fault is no_fault:
            await self._sender.send(sendings)
            return
        for sending in sendings:  # a crash between outputs: the ones before are in the log
            await self._sender.send([sending])
            fault("after_output")


class StageAgent:
    """One stage in this worker: its agent, its table, its counts."""

    def __init__(
        self,
        app: faust.App,
        stage: Stage,
        layout: Layout,
        outbox: Outbox,
        fault: Callable[[str], None],
    ) -> None:
        inbox = layout.inbox(stage).name
        self.stage = stage
        self.source = layout.full_name(inbox)
        self.counts = StageCounts()
        self.writing = asyncio.Lock()
        self.table = StateTable(topic=layout.states(stage.name))
        self._app = app
        self._outbox = outbox
        self._fault = fault
        self._guarded = GuardedStage(stage, layout, self.table.get)
        source = app.topic(
            self.source, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw",
            partitions=layout.count(inbox), allow_empty=True,
        )  # fmt: skip
        app.agent(source, name=stage.name, concurrency=1)(self._consume)

    def state(self, key: str) -> object | None:
        """The state of that key, if its partition is here."""
        value = self.table.get(key.encode())
        return None if value is None else self._guarded.kept(value)[0]

    async def _consume(self, stream: Any) -> None:
        """The agent: batches for ever."""
        batches: AsyncIterator[Sequence[Any]] = stream.take_events(MOST_BATCHES, within=WITHIN_S)
        async for events in batches:
            messages = [event.message for event in events]
            try:
                await self._batch(messages)
            except Exception as error:
                _log.error("batch failed: ending the process", stage=self.stage.name, error=repr(error), exc_info=True)
                os._exit(FAILED_EXIT)

    async def _batch(self, messages: Sequence[RecordBatch]) -> None:
        turn = self._app.consumer.turn(self.stage.name, messages)
        if not turn.deliveries:
            return
        applied = self._guarded.apply(turn.deliveries)
        self._fault("before_step")
        await self._outbox.send(applied.sendings, self._fault)
        async with self.writing:
            if not await self._keep(turn, applied):
                self.counts.stale_batches += 1
                return
        self._fault("before_commit")

    async def _keep(self, turn: Turn, applied: Applied) -> bool:
        """The new states, in their topic first; False where the partitions changed hands meanwhile."""
        consumer = self._app.consumer
        if not consumer.is_current(turn):
            return False
        await self._outbox.send(self.table.rows(applied.states))
        self._fault("after_state")
        if not consumer.is_current(turn):
            return False
        self.table.put(applied.states)
        consumer.count_done(self.stage.name, turn)
        self.counts.steps += applied.steps
        self.counts.sent += len(applied.sendings)
        self.counts.doubles += applied.doubles
        self.counts.buried += applied.buried
        return True


class Watch(Service):  # type: ignore[misc]
    """Looks at the worker every few seconds, for the watchdog, for /readyz and for the metrics."""

    def __init__(self, app: faust.App, **options: Any) -> None:
        super().__init__(**options)
        self._app = app
        self._restored = 0
        self.watchdog = Watchdog()
        self.glance = Glance(ready=False, lags={}, commits={})

    async def on_start(self) -> None:
        """Begins to watch."""
        self.watchdog.start()

    async def on_stop(self) -> None:
        """The process ends in good order."""
        self.watchdog.stop()

    def count_restored(self, messages: int) -> None:
        """So many more have been read of the topics of states."""
        self._restored += messages

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
        if app.rebalancing or not consumer.tenure.current:
            return Glance(ready=False, lags={}, commits={}, restored=self._restored)
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

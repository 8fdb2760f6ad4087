"""The stages and views of a cluster as one process sees them: they run elsewhere."""

from __future__ import annotations

import threading
import time
from typing import Any

import structlog
from sqlalchemy import Engine, select

from services.cluster.follower import Follower
from services.cluster.reads import kafka_outages
from services.store import cluster_tables as c
from services.store.database import outages
from services.store.projection import Views
from streams.codecs import decode
from streams.engines.kafka_connection import KafkaConnection
from streams.engines.kafka_reader import KafkaReader, commits
from streams.engines.kafka_topics import Layout
from streams.engines.port import Listener
from streams.errors import UnavailableError

FRESH_S = 2.0  # how old a lag may be: asking takes a dozen round trips
LOOK_S = 0.05
_log = structlog.get_logger("cluster")
PURE = "pairings"  # the stage whose state can be told here: it reads one topic, which SQL keeps


class RemoteEngine:
    """See bootstrap.Running."""

    failure: BaseException | None = None  # what breaks elsewhere is told by /readyz there

    def __init__(self, connection: KafkaConnection, layout: Layout, database: Engine, follower: Follower) -> None:
        self._connection = connection
        self._layout = layout
        self._database = database
        self._follower = follower
        self._reader: KafkaReader | None = None
        self._known: dict[str, int] = {}
        self._known_until = 0.0
        self._lock = threading.Lock()

    def add_listener(self, listener: Listener) -> None:
        """`listener` gets what is decided for all: campaigns, runs, batches, promotions, dead letters."""
        self._follower.add_listener(listener)

    def drain(self) -> None:
        """Returns when the views hold what is in the log now; the stages may add more meanwhile."""
        ends = self._ends()
        while any(self._folded().get(place, 0) < end for place, end in ends.items()):
            time.sleep(LOOK_S)

    def lag(self) -> dict[str, int]:
        """Events not yet applied, by stage and view: a few seconds old, in an outage as last seen."""
        with self._lock:
            if time.monotonic() > self._known_until:
                try:
                    self._known = self.measure()
                except UnavailableError as error:
                    _log.warning("lag not known", error=str(error))
                self._known_until = time.monotonic() + FRESH_S
            return self._known

    def state(self, stage: str, key: str) -> object | None:
        """The state of a stage that reads one topic, folded from what SQL keeps of it."""
        if stage != PURE:
            raise ValueError(f"the state of {stage} belongs to the worker that has its key")
        pure = self._layout.topology.stages[stage]
        (topic,) = pure.inputs
        kept = c.kept_events.c
        query = select(kept.payload).where(kept.topic == topic, kept.key == key).order_by(kept.number)
        with outages(), self._database.connect() as sql:
            payloads = sql.execute(query).scalars().all()
        state: Any = None
        for payload in payloads:
            state, _ = pure.step(state, decode(bytes(payload), self._layout.topology.topics[topic].event))
        return state  # type: ignore[no-any-return]

    def close(self) -> None:
        """Closes its connection."""
        if self._reader is not None:
            self._reader.close()

    def measure(self) -> dict[str, int]:
        """The lag right now. Raises UnavailableError."""
        ends, folded = self._ends(), self._folded()
        done = commits(self._connection, f"{self._layout.prefix}worker")
        lags = {Views.name: sum(end - folded.get(place, 0) for place, end in ends.items())}
        for stage in self._layout.topology.stages.values():
            inbox = self._layout.inbox(stage).name
            name = self._layout.full_name(inbox)
            lags[stage.name] = sum(
                end - done.get((name, partition), 0) for (topic, partition), end in ends.items() if topic == inbox
            )
        return {name: max(0, behind) for name, behind in lags.items()}

    def _ends(self) -> dict[tuple[str, int], int]:
        """The offset after the last message, by Kafka topic without prefix, and partition."""
        if self._reader is None:
            self._reader = KafkaReader(self._connection)
        names = [topic.name for topic in self._layout.kafka_topics.values() if topic.topics]
        with kafka_outages():
            return {
                (name, partition): end
                for name in names
                for partition, end in self._reader.ends(self._layout.full_name(name)).items()
            }

    def _folded(self) -> dict[tuple[str, int], int]:
        places = c.engine_offsets.c
        query = select(places.topic, places.partition, places.next_offset).where(places.consumer == Views.name)
        with outages(), self._database.connect() as sql:
            return {(topic, partition): place for topic, partition, place in sql.execute(query)}

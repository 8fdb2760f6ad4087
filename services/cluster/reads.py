"""Reads of a cluster's log: what has one partition from Kafka, the rest from the views that the materializer keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from kafka.errors import KafkaError
from sqlalchemy import Engine, select

from services.store import cluster_tables as c
from services.store.database import outages
from streams.codecs import decode
from streams.engines.port import Log, Record
from streams.errors import UnavailableError
from streams.events import Event
from streams.topology import Topology


@contextmanager
def kafka_outages() -> Iterator[None]:
    """What kafka-python raises as UnavailableError."""
    try:
        yield
    except KafkaError as error:
        raise UnavailableError(f"Kafka does not answer ({error}): is it running?") from error


class ClusterReads:
    """See bootstrap.LogReads."""

    def __init__(self, log: Callable[[], Log], database: Engine, topology: Topology) -> None:
        self._log = log
        self._database = database
        self.topology = topology

    def read(self, topic: str, start: int = 0, limit: int = 1000) -> Sequence[Record]:
        """Records from offset `start` on; of a topic with many partitions, as far as they are folded."""
        if topic not in c.KEPT:
            with kafka_outages():
                return self._log().read(topic, start, limit)
        kept, event = c.kept_events.c, self.topology.topics[topic].event
        query = select(kept.number, kept.key, kept.payload).where(kept.topic == topic, kept.number >= start)
        with outages(), self._database.connect() as sql:
            rows = sql.execute(query.order_by(kept.number).limit(limit)).all()
        return [
            Record(topic=topic, partition=0, offset=row.number, key=row.key, event=decode(bytes(row.payload), event))
            for row in rows
        ]

    def end(self, topic: str) -> int:
        """The offset after the last record."""
        if topic not in c.KEPT:
            with kafka_outages():
                return self._log().end(topic)
        kept = c.kept_events.c
        query = select(kept.number).where(kept.topic == topic).order_by(kept.number.desc()).limit(1)
        with outages(), self._database.connect() as sql:
            last = sql.execute(query).scalar()
        return 0 if last is None else int(last) + 1

    def totals(self) -> dict[str, int]:
        """Events folded, by topic."""
        places = c.engine_offsets.c
        query = select(places.topic, places.next_offset).where(places.consumer == c.COUNTED)
        with outages(), self._database.connect() as sql:
            return {topic: total for topic, total in sql.execute(query)}  # noqa: C416  (rows are no pairs to dict())

    def newest(self, topic: str, key: str) -> Event | None:
        """The words of that owner, as far as they are folded, or None."""
        query = select(c.texts.c.payload).where(c.texts.c.owner == key)
        with outages(), self._database.connect() as sql:
            payload = sql.execute(query).scalar()
        return None if payload is None else decode(bytes(payload), self.topology.topics[topic].event)

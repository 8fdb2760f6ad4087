"""A service whose log, views and queue live in Kafka, PostgreSQL and Redis."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import structlog
from sqlalchemy import Engine, text

from services.api.redis_live import RedisLive
from services.bootstrap import Service
from services.cluster.brokers import connection_of, layout_of
from services.cluster.engine import RemoteEngine
from services.cluster.follower import FollowedLog, Follower
from services.cluster.reads import ClusterReads
from services.queue.rebuild import ViewArchive
from services.queue.redis_queue import RedisQueue
from services.queue.redis_store import connect
from services.settings import Settings, require_cluster
from services.store.admission import PostgresAdmissions
from services.store.database import open_postgres, outages, transaction
from services.store.postgres_schema import require_current
from services.trail import told_log
from streams.engines.kafka_connection import KafkaConnection
from streams.engines.kafka_log import KafkaLog
from streams.engines.kafka_topics import Layout
from streams.errors import UnavailableError
from streams.topology import TOPOLOGY

_log = structlog.get_logger("cluster")


@dataclass(kw_only=True)
class ClusterService(Service):
    """One process's part in a cluster."""

    engine: RemoteEngine
    connection: KafkaConnection
    layout: Layout
    kafka: KafkaLog
    queue: RedisQueue
    closers: tuple[Callable[[], None], ...]

    def close(self) -> None:
        """Finishes what waits to be written, then closes every connection."""
        for close in self.closers:
            close()


def open_cluster(settings: Settings) -> ClusterService:
    """Connects; nothing is created. The caller closes it.

    Raises SettingsError where these are no settings of a cluster, UnavailableError where Kafka or PostgreSQL does
    not answer or has another schema.
    """
    require_cluster(settings)
    connection, layout = connection_of(settings), layout_of(settings)
    database = open_postgres(settings.database_url)
    require_current(database)
    kafka = KafkaLog(connection, layout, PostgresAdmissions(database))
    follower = Follower(connection, layout)
    engine = RemoteEngine(connection, layout, database, follower)
    client = connect(settings.redis_url)
    prefix = settings.kafka_prefix.rstrip(".")
    return ClusterService(
        settings=settings,
        store=ClusterReads(lambda: kafka, database, TOPOLOGY),
        log=told_log(FollowedLog(kafka, follower, layout)),
        engine=engine,
        database=database,
        queue=RedisQueue(client, ViewArchive(database, engine.lag), prefix),
        live=lambda started_at: RedisLive(client, started_at, prefix),
        is_alone=False,
        exclusive=partial(exclusive, database),
        connection=connection,
        layout=layout,
        kafka=kafka,
        closers=(kafka.close, follower.close, engine.close, client.close, database.dispose),
    )


@contextmanager
def exclusive(database: Engine, name: str) -> Iterator[None]:
    """Only one process at a time is inside the block of that name; the others wait.

    An outage after the block is no failure: what it did is done, and PostgreSQL frees the lock of who is gone.
    """
    is_over = False
    try:
        with outages(), database.connect() as sql, transaction(sql):
            sql.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": f"prefloop {name}"})
            yield
            is_over = True
    except UnavailableError as error:
        if not is_over:
            raise
        _log.warning("lock given up by an outage", name=name, error=str(error))

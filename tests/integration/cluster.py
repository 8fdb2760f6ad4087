"""A cluster of real servers for tests: API, materializer and coordinator in this process, a worker beside it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

from rich.console import Console
from starlette.testclient import TestClient

from services.api import auth
from services.api.app import create_app
from services.cluster.brokers import connection_of, layout_of
from services.cluster.composition import ClusterService, open_cluster
from services.cluster.processes import ActiveCoordinator, make_materializer, make_reconciler
from services.cluster.setup import setup_cluster
from services.settings import Settings
from services.spawned import free_port
from services.store.database import open_postgres, transaction
from services.store.postgres_schema import migrate
from streams.engines.kafka_connection import KafkaConnection
from streams.engines.kafka_topics import create_topics
from tests.integration.world import JUDGING, KEYS, World
from tests.services.cluster import environment_of
from tests.services.redis import Redis

PARTITIONS = 2
WITHIN_S = 120


def settings_of(kafka: KafkaConnection, database_url: str, redis: Redis) -> Settings:
    return Settings(
        kafka=kafka.servers,
        kafka_prefix=kafka.prefix,
        kafka_protocol=kafka.protocol,
        kafka_mechanism=kafka.mechanism,
        kafka_username=kafka.username,
        kafka_password=kafka.password,
        kafka_ca_file=kafka.ca_file,
        kafka_partitions=PARTITIONS,
        database_url=database_url,
        redis_url=redis.url,
        admin_key=KEYS["admin"],
    )


def empty(settings: Settings) -> Settings:
    """With schema and topics, and nothing in them."""
    database = open_postgres(settings.database_url)
    migrate(database)
    database.dispose()
    create_topics(connection_of(settings), layout_of(settings))
    return settings


def set_up(settings: Settings) -> None:
    """Schema, topics, and a key a role."""
    setup_cluster(settings, Console(quiet=True))
    with closing(open_cluster(settings)) as service, service.database.connect() as sql, transaction(sql):
        for role, key in KEYS.items():
            if role != "admin":
                annotator = f"an_{role}" if role in JUDGING else ""
                auth.store_key(sql, auth.make_key(role, role, annotator=annotator, key=key), 1)


@contextmanager
def closing(service: ClusterService) -> Iterator[ClusterService]:
    yield service
    service.close()


@contextmanager
def replica(settings: Settings) -> Iterator[World]:
    """An API replica with connections of its own."""
    with (
        closing(open_cluster(settings)) as service,
        TestClient(create_app(service), raise_server_exceptions=False) as client,
    ):
        yield World(service, client)


@contextmanager
def materializing(settings: Settings) -> Iterator[None]:
    with closing(open_cluster(settings)) as service:
        materializer = make_materializer(service)
        materializer.start()
        yield
        materializer.stop()


@contextmanager
def coordinating(settings: Settings) -> Iterator[None]:
    with closing(open_cluster(settings)) as service:
        active = ActiveCoordinator(service, make_reconciler(service))
        active.start()
        yield
        active.stop()


@contextmanager
def working(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """A worker process."""
    environment = {**os.environ, **environment_of(replace(settings, port=free_port()))}
    with subprocess.Popen([sys.executable, "-m", "services.worker"], env=environment) as worker:
        yield worker
        worker.kill()


@contextmanager
def cluster(settings: Settings, replicas: int = 1) -> Iterator[list[World]]:
    """Everything; its API replicas."""
    set_up(settings)
    with ExitStack() as stack:
        for part in (materializing, working, coordinating):
            part_of: Any = part
            stack.enter_context(part_of(settings))
        yield [stack.enter_context(replica(settings)) for _ in range(replicas)]


def eventually(look: Callable[[], Any]) -> Any:
    """What `look` finds, once it is true: everything takes a moment here."""
    deadline = time.monotonic() + WITHIN_S
    while not (found := look()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)
    return found

"""The materializer on a real Kafka: killed with -9 and started again, with PostgreSQL or Redis gone, it stays exact."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from kafka import KafkaProducer
from sqlalchemy import func, select

from services.cluster.composition import ClusterService, open_cluster
from services.cluster.processes import make_materializer
from services.settings import Settings
from services.spawned import free_port
from services.store import models as m
from streams import events as e
from streams.engines.kafka_connection import KafkaConnection
from tests.integration.cluster import closing, empty, eventually, settings_of
from tests.services.cluster import environment_of
from tests.services.postgres import Postgres
from tests.services.redis import Redis

pytestmark = pytest.mark.slow
SIGNALS = 3_000


@pytest.fixture
def settings(kafka: KafkaConnection, database_url: str, redis_server: Redis) -> Settings:
    return empty(settings_of(kafka, database_url, redis_server))


def signals(service: ClusterService, start: int, end: int) -> None:
    """Appends them, each under an id of its own."""
    for first in range(start, end, 100):
        numbers = range(first, min(end, first + 100))
        told = [e.Signal(id=f"{n}", signal=f"s{n}", output=f"o{n}", kind="retry", occurred_at=n) for n in numbers]
        service.log.submit(lambda tx, told=told: [tx.append(one) for one in told]).result()  # type: ignore[misc]


def folded(service: ClusterService) -> tuple[int, int]:
    """How many signals are in SQL, and the sum of their times."""
    with service.database.connect() as sql:
        count, total = sql.execute(select(func.count(), func.sum(m.signals.c.occurred_at))).one()
        return count, int(total or 0)


@contextmanager
def process(settings: Settings, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """`prefloop materializer`."""
    environment = environment_of(replace(settings, port=port))
    command = [sys.executable, "-m", "services.cli", "materializer"]
    with subprocess.Popen(command, env={**os.environ, **environment}, stderr=subprocess.DEVNULL) as running:
        yield running
        running.kill()


def status(port: int, path: str) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def test_killed_again_and_again_every_event_is_folded_once(settings: Settings) -> None:
    chance, port = random.Random(7), free_port()
    with closing(open_cluster(settings)) as service:
        for part in range(3):
            with process(settings, port) as running:
                signals(service, part * SIGNALS // 3, (part + 1) * SIGNALS // 3)
                wanted = chance.randrange(part * SIGNALS // 3 + 1, (part + 1) * SIGNALS // 3)
                eventually(lambda wanted=wanted: folded(service)[0] >= wanted)  # type: ignore[misc]
                running.send_signal(signal.SIGKILL)
        with process(settings, port):
            eventually(lambda: status(port, "/readyz") == 200)
            assert folded(service) == (SIGNALS, SIGNALS * (SIGNALS - 1) // 2)
            assert status(port, "/healthz") == status(port, "/metrics") == 200
            assert status(port, "/nothing") == 404


def test_an_outage_of_postgresql_or_redis_is_waited_out(
    settings: Settings, postgres: Postgres, redis_server: Redis
) -> None:
    with closing(open_cluster(settings)) as service:
        materializer = make_materializer(service)
        materializer.start()
        eventually(lambda: materializer.ready)
        redis_server.kill()
        signals(service, 0, 500)
        eventually(lambda: not materializer.ready)
        eventually(lambda: folded(service)[0] == 500)  # views need no queue
        redis_server.start()
        eventually(lambda: materializer.ready and service.queue.ready)
        postgres.kill()
        eventually(lambda: materializer.failure)
        postgres.start()
        signals(service, 500, 1_000)
        eventually(lambda: materializer.ready and folded(service)[0] == 1_000)
        materializer.stop()


def test_bytes_that_nobody_can_read_are_a_dead_letter_that_everybody_sees(settings: Settings) -> None:
    with closing(open_cluster(settings)) as service:
        materializer = make_materializer(service)
        materializer.start()
        producer = KafkaProducer(**service.connection.kafka_python())
        producer.send(service.layout.full_name("by-task"), b"\xff no event", b"t", partition=0).get(60)
        producer.close()
        live = service.live(service.clock())
        (error,) = eventually(live.newest_errors)
        assert (error["where"], "not an event" in error["message"]) == ("views", True)
        with service.database.connect() as sql:
            assert sql.execute(select(m.dead_letters.c.topic)).scalars().all() == ["by-task"]
        materializer.stop()


def test_a_second_one_waits_and_takes_over(settings: Settings) -> None:
    with closing(open_cluster(settings)) as first, closing(open_cluster(settings)) as second:
        active, waiting = make_materializer(first), make_materializer(second)
        active.start()
        eventually(lambda: active.ready)
        waiting.start()
        signals(first, 0, 100)
        eventually(lambda: folded(first)[0] == 100)
        assert not waiting.ready
        active.stop()
        signals(second, 100, 200)
        eventually(lambda: waiting.ready and folded(second)[0] == 200)
        waiting.stop()
        assert active.counts["folded"] == waiting.counts["folded"] == 100

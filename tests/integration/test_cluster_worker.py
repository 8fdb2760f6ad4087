"""`prefloop worker` with the real Kafka: from outputs to tasks, through a kill of the worker in the supervisor."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil
import pytest

from services.spawned import free_port
from streams.engines.kafka_connection import KafkaConnection
from streams.engines.kafka_log import KafkaLog
from streams.engines.kafka_reader import KafkaReader
from streams.engines.kafka_topics import create_topics, make_layout
from streams.events import Event, Output, Response
from tests.contract.sqlite_admissions import SqliteAdmissions

pytestmark = pytest.mark.slow


def output(number: int) -> Output:
    responses = tuple(Response(digest=f"r{number}{side}", length=5) for side in "ab")
    return Output(
        id=f"o{number}", output=f"o{number}", prompt_digest=f"p{number}", prompt_length=9, responses=responses
    )


def until(done: Callable[[], bool], within: float = 60.0) -> None:
    deadline = time.monotonic() + within
    while not done():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def is_ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200
    except httpx.TransportError:
        return False


def test_a_worker_turns_outputs_into_tasks_and_survives_its_own_death(kafka: KafkaConnection, tmp_path: Path) -> None:
    layout = make_layout(prefix=kafka.prefix, partitions=2)
    create_topics(kafka, layout)
    log = KafkaLog(kafka, layout, SqliteAdmissions(tmp_path / "admissions.sqlite3"))
    reader, port = KafkaReader(kafka), free_port()
    settings = {
        "PREFLOOP_KAFKA": kafka.servers,
        "PREFLOOP_KAFKA_PREFIX": kafka.prefix,
        "PREFLOOP_KAFKA_PARTITIONS": "2",
        "PREFLOOP_DATABASE_URL": "postgresql+psycopg://unused@127.0.0.1/unused",
        "PREFLOOP_REDIS_URL": "redis://127.0.0.1/0",
        "PREFLOOP_PORT": str(port),
    }

    def append(event: Event) -> None:
        log.submit(lambda transaction: transaction.append(event)).result()

    def tasks() -> set[str]:
        found = reader.all(layout.full_name("by-task"))
        records = [layout.record("by-task", d.partition, d.offset, d.key, d.payload) for d in found]
        return {record.event.correlation or record.key for record in records if record.topic == "tasks"}

    worker = subprocess.Popen([sys.executable, "-m", "services.cli", "worker"], env={**os.environ, **settings})
    try:
        for number in range(20):
            append(output(number))
        until(lambda: len(tasks()) == 20)
        until(lambda: is_ready(port))
        (child,) = psutil.Process(worker.pid).children()
        child.kill()
        for number in range(20, 40):
            append(output(number))
        until(lambda: len(tasks()) == 40)
        until(lambda: "prefloop_worker_restarts_total 1.0" in httpx.get(f"http://127.0.0.1:{port}/metrics").text)
    finally:
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(timeout=30) == 0
        log.close()
        reader.close()

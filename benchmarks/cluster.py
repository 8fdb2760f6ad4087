"""The log on Kafka and the stages on Faust: `python -m benchmarks.cluster`. Needs Java 17 and PostgreSQL.

Broker, database, producer and worker share the machine. Ingest stands beside a bare kafka-python producer, which sends
the same bytes with the same promises in the same run.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
from kafka import KafkaProducer
from rich.console import Console
from rich.table import Table

from services.store.admission import PostgresAdmissions
from services.store.database import open_postgres
from services.store.postgres_schema import migrate
from streams.admission import RawOutput, admit_output
from streams.codecs import encode
from streams.engines.kafka_connection import KafkaConnection
from streams.engines.kafka_log import KafkaLog
from streams.engines.kafka_reader import KafkaReader, commits
from streams.engines.kafka_topics import Layout, create_topics, make_layout
from streams.engines.port import Transaction
from streams.errors import UnavailableError
from streams.events import Campaign, Event, Judgment, Output, Text
from tests.services import postgres as postgres_service
from tests.services.kafka import Broker, absent, free_port

CHUNK = 256  # outputs of one work, as the API admits them
PATIENCE_S = 600.0
Admitted = tuple[Output, Text]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One row; `limit` is the yardstick of the same run."""

    what: str
    measured: float
    unit: str
    target: str = ""
    limit: float = 0.0


def outputs(count: int) -> list[Admitted]:
    """Admitted outputs of about 1.5 kB with two responses."""
    chance, campaign = random.Random(7), Campaign(name="default", version=1)
    found = []
    for number in range(count):
        words = [f"word{chance.randrange(10_000)}" for _ in range(150)]
        raw = RawOutput(
            prompt=" ".join(words[:30]),
            responses=[" ".join(words[30:90]), " ".join(words[90:])],
            id=f"bench-{number:08}",
        )
        found.append(admit_output(raw, campaign, 1_000_000, "key:bench"))
    return found


def bare_messages_a_second(connection: KafkaConnection, layout: Layout, admitted: Sequence[Admitted]) -> float:
    """A kafka-python producer alone: idempotent, acknowledged, the same bytes."""
    placed = [
        (*layout.place(topic, event.id), encode(event))
        for output, words in admitted
        for topic, event in (("texts", words), ("outputs", output))
    ]
    options = {"acks": "all", "enable_idempotence": True, "linger_ms": 2, "batch_size": 262_144}
    with KafkaProducer(**connection.kafka_python(), **options) as producer:
        producer.partitions_for(placed[0][0])
        begun = time.perf_counter()
        for name, key, partition, payload in placed:
            producer.send(name, value=payload, key=key, partition=partition)
        producer.flush()
        return len(placed) / (time.perf_counter() - begun)


def outputs_a_second(log: KafkaLog, admitted: Sequence[Admitted]) -> float:
    """Through the admission index in PostgreSQL into Kafka, acknowledged."""

    def admitting(chunk: Sequence[Admitted]) -> Callable[[Transaction], int]:
        def work(transaction: Transaction) -> int:
            claims = [(output.output, output.content_hash) for output, _ in chunk]
            for admission, (output, words) in zip(transaction.admit_all("output", claims), chunk, strict=True):
                if admission == "new":
                    transaction.append(words)
                    transaction.append(output)
            return len(chunk)

        return work

    begun = time.perf_counter()
    futures = [log.submit(admitting(admitted[start : start + CHUNK])) for start in range(0, len(admitted), CHUNK)]
    done = sum(future.result() for future in futures)
    return done / (time.perf_counter() - begun)


class Worker:
    """One `python -m services.worker` and what it tells of itself."""

    def __init__(self, connection: KafkaConnection, layout: Layout, reader: KafkaReader) -> None:
        self._connection, self._layout, self._reader = connection, layout, reader
        self._port = free_port()
        environment = {
            "PREFLOOP_KAFKA": connection.servers,
            "PREFLOOP_KAFKA_PREFIX": connection.prefix,
            "PREFLOOP_KAFKA_PARTITIONS": str(layout.partitions),
            "PREFLOOP_DATABASE_URL": "postgresql+psycopg://unused",
            "PREFLOOP_REDIS_URL": "redis://unused",
            "PREFLOOP_PORT": str(self._port),
            "PREFLOOP_LOG_LEVEL": "error",
        }
        self._running = subprocess.Popen(
            [sys.executable, "-m", "services.worker"], env={**os.environ, **environment}, stdout=subprocess.DEVNULL
        )
        self._until(self._is_ready)

    def steps(self) -> float:
        """Events that went through a step since it began."""
        return self._sum('prefloop_stage_events_total{became="steps"')

    def cpu(self) -> float:
        """CPU seconds of the process since it began: what others do on the machine does not blur them."""
        return self._sum("process_cpu_seconds_total")

    def _sum(self, name: str) -> float:
        text = httpx.get(f"http://127.0.0.1:{self._port}/metrics").text
        return sum(float(row.split()[-1]) for row in text.splitlines() if row.startswith(name))

    def drain(self) -> None:
        """Returns when everything is applied and committed."""
        self._until(self._is_drained)

    def stop(self) -> None:
        """Ends it."""
        self._running.terminate()
        self._running.wait(timeout=30)

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self._port}/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def _is_drained(self) -> bool:
        try:
            committed = commits(self._connection, f"{self._connection.prefix}worker")
        except UnavailableError:
            return False  # the group is new
        names = {self._layout.full_name(self._layout.inbox(s).name) for s in self._layout.topology.stages.values()}
        return all(
            committed.get((name, partition), 0) == end
            for name in names
            for partition, end in self._reader.ends(name).items()
        )

    def _until(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not done():
            if time.monotonic() > deadline or self._running.poll() is not None:
                raise RuntimeError("the worker does not get on: look at its log")
            time.sleep(0.1)


def judgments(tasks: Sequence[str], count: int) -> list[Event]:
    """By 100 annotators, each task by three of them."""
    chance = random.Random(9)
    return [
        Judgment(
            id=f"j{number}",
            judgment=f"j{number}",
            task=tasks[number // 3],
            annotator=f"ann-{(number * 7 + number // 3) % 100}",
            choice=chance.choice(("a", "a", "a", "b", "tie")),
            shown_at=1_000_000 + number * 20_000,
            answered_at=1_015_000 + number * 20_000,
            occurred_at=1_015_000 + number * 20_000,
            prompt_length=200,
            length_a=400,
            length_b=400,
        )
        for number in range(count)
    ]


def appending(events: Sequence[Event]) -> Callable[[Transaction], None]:
    """A work that appends them all."""

    def work(transaction: Transaction) -> None:
        for event in events:
            transaction.append(event)

    return work


def stage_figures(connection: KafkaConnection, layout: Layout, log: KafkaLog, count: int) -> list[Figure]:
    """The outputs are in the log already: tasks first, then judgments through the cycle of stages."""
    reader = KafkaReader(connection)
    begun = time.perf_counter()
    worker = Worker(connection, layout, reader)
    started = time.perf_counter() - begun
    worker.drain()
    first = worker.steps() / (time.perf_counter() - begun - started)
    found = (
        layout.record("by-task", d.partition, d.offset, d.key, d.payload)
        for d in reader.all(layout.full_name("by-task"))
    )
    tasks = [record.key for record in found if record.topic == "tasks"]
    events = judgments(tasks, min(count, 3 * len(tasks)))
    before, cpu, begun = worker.steps(), worker.cpu(), time.perf_counter()
    for start in range(0, len(events), CHUNK):
        log.submit(appending(events[start : start + CHUNK])).result()
    worker.drain()
    seconds = time.perf_counter() - begun
    made, used = worker.steps() - before, worker.cpu() - cpu
    worker.stop()
    reader.close()
    return [
        Figure(what="stage events, outputs to tasks, one worker", measured=first, unit="/s", target="≥ 4,000/s"),
        Figure(
            what="stage events, judgments through the cycle", measured=made / seconds, unit="/s", target="≥ 4,000/s"
        ),
        Figure(what="judgments through the cycle", measured=len(events) / seconds, unit="/s", target="≥ 1,000/s"),
        Figure(what="the same stage events", measured=made / used, unit=" a CPU second of the worker"),
    ]


def measure(folder: Path, count: int, judged: int) -> list[Figure]:
    """Everything, on services of its own."""
    programs = postgres_service.binaries()
    if reason := absent() or ("" if programs else "PostgreSQL is not installed"):
        sys.exit(reason)
    assert programs is not None
    options = tuple(option for option in postgres_service.OPTIONS if option != "fsync=off")
    postgres_service.OPTIONS = options  # durable, unlike the tests'
    (folder / "postgres").mkdir()
    folder.chmod(0o755)
    postgres = postgres_service.Postgres(folder / "postgres", programs, free_port())
    broker = Broker(folder / "kafka")
    broker.start()
    postgres.start()
    try:
        return _measured(
            KafkaConnection(servers=broker.servers, prefix="bench."), postgres.create_database(), count, judged
        )
    finally:
        broker.stop()
        postgres.stop()


def _measured(connection: KafkaConnection, url: str, count: int, judged: int) -> list[Figure]:
    layout, bare = make_layout(prefix="bench."), make_layout(prefix="bare.")
    for one in (layout, bare):
        create_topics(connection, one)
    database = open_postgres(url)
    migrate(database)
    log = KafkaLog(connection, layout, PostgresAdmissions(database))
    admitted = outputs(count)
    limit = bare_messages_a_second(connection, bare, admitted)
    ingest = outputs_a_second(log, admitted)
    figures = [
        Figure(what="limit: bare kafka-python producer, idempotent", measured=limit, unit=" messages/s"),
        Figure(
            what="outputs admitted and in Kafka (two messages each)", measured=ingest, unit="/s", target="≥ 10,000/s"
        ),
        Figure(what="the same as messages", measured=2 * ingest, unit=" messages/s", target="≥ .35", limit=limit),
        *stage_figures(connection, layout, log, judged),
    ]
    log.close()
    database.dispose()
    return figures


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--outputs", type=int, default=30_000)
    parser.add_argument("--judgments", type=int, default=20_000)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder), told.outputs, told.judgments)
    table = Table("what", "measured", "target", "of the limit", title="log on Kafka, stages on Faust")
    for figure in figures:
        share = f"{figure.measured / figure.limit:.2f}" if figure.limit else ""
        table.add_row(figure.what, f"{figure.measured:,.0f}{figure.unit}", figure.target, share)
    Console().print(table)


if __name__ == "__main__":
    main()

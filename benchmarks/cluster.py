"""A cluster on one machine: `python -m benchmarks.cluster`. Needs Java 17, PostgreSQL and Redis.

Broker, database, Redis, every process of prefloop and the client share the machine. Ingest stands beside a bare
kafka-python producer, which sends the same bytes with the same promises in the same run. Every row says how much CPU
each part took: what others do on the machine does not blur that.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from kafka import KafkaProducer
from rich.console import Console
from rich.table import Table

from benchmarks.cluster_deployment import ADMIN_KEY, Deployment
from benchmarks.cluster_latency import PACE, judge, prepare
from benchmarks.lean_http import Connection, rate
from benchmarks.one_machine import BATCH, NDJSON, batches
from services.appending import appending
from services.spawned import Spawned
from services.store.admission import PostgresAdmissions
from services.store.database import open_postgres
from streams.admission import RawOutput, admit_output
from streams.codecs import encode
from streams.engines.kafka_log import KafkaLog
from streams.engines.kafka_reader import KafkaReader
from streams.engines.kafka_topics import create_topics, make_layout
from streams.engines.port import Transaction
from streams.events import Campaign, Event, Judgment, Output, Text
from tests.services.postgres import enterable

CHUNK = 256  # events of one work, as the API admits them
STAGES = ("tasks", "pairings", "assessments", "preferences")
Admitted = tuple[Output, Text]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One row; `limit` is the yardstick of the same run, `cpu` microseconds an item by part."""

    what: str
    measured: float
    unit: str
    target: str = ""
    limit: float = 0.0
    cpu: Mapping[str, float] = field(default_factory=dict)


class Stopwatch:
    """Wall-clock and CPU seconds from its making on."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._cpu = deployment.cpu()
        self._begun = time.perf_counter()

    def figure(self, what: str, items: float, unit: str, target: str = "", *, limit: float = 0.0) -> Figure:
        """`items` were done until now; `limit` is given in the same unit."""
        seconds = time.perf_counter() - self._begun
        spent = {name: 1e6 * (now - self._cpu.get(name, 0.0)) / items for name, now in self._deployment.cpu().items()}
        return Figure(what=what, measured=items / seconds, unit=unit, target=target, limit=limit, cpu=spent)


# ---------------------------------------------------------------- ingest


def admitted_outputs(start: int, count: int) -> list[Admitted]:
    """Of about 1.5 kB with two responses, as the API admits them; numbered from `start` on."""
    campaign = Campaign(name="default", version=1)
    raws = [json.loads(line) for body in batches(start, count) for line in body.splitlines()]
    return [
        admit_output(RawOutput(prompt=raw["prompt"], responses=raw["responses"], id=raw["id"]), campaign, 1, "key:b")
        for raw in raws
    ]


def bare_producer(deployment: Deployment, admitted: Sequence[Admitted]) -> Figure:
    """A kafka-python producer alone: idempotent, acknowledged, the same bytes, into topics of its own."""
    layout = make_layout(prefix="bare.")
    create_topics(deployment.connection, layout)
    placed = [
        (*layout.place(topic, event.id), encode(event))
        for output, words in admitted
        for topic, event in (("texts", words), ("outputs", output))
    ]
    options = {"acks": "all", "enable_idempotence": True, "linger_ms": 2, "batch_size": 262_144}
    with KafkaProducer(**deployment.connection.kafka_python(), **options) as producer:
        producer.partitions_for(placed[0][0])
        watch = Stopwatch(deployment)
        for name, key, partition, payload in placed:
            producer.send(name, value=payload, key=key, partition=partition)
        producer.flush()
        return watch.figure("limit: bare kafka-python producer, idempotent", len(placed), " messages/s")


def logged(deployment: Deployment, admitted: Sequence[Admitted], limit: float) -> Figure:
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

    watch = Stopwatch(deployment)
    with opened_log(deployment) as log:
        futures = [log.submit(admitting(admitted[at : at + CHUNK])) for at in range(0, len(admitted), CHUNK)]
        done = sum(future.result() for future in futures)
    return watch.figure("outputs admitted and in Kafka (two messages each)", done, "/s", "≥ .35", limit=limit / 2)


def posted(deployment: Deployment, count: int, limit: float) -> Figure:
    """Through the HTTP API, two connections."""
    bodies = batches(1_000_000, count)
    with deployment.process("api") as api:
        watch = Stopwatch(deployment)
        asyncio.run(post_all(api, bodies))
        target = "≥ 10,000/s, ≥ .35"
        return watch.figure(f"outputs over HTTP, {BATCH:,} a request", count, "/s", target, limit=limit / 2)


async def post_all(api: Spawned, bodies: Sequence[bytes]) -> None:
    """Every body, two at a time."""
    connections = [await Connection.open(api.port, ADMIN_KEY) for _ in range(2)]

    async def call(connection: Connection, number: int) -> None:
        status, answer = await connection.send("POST", "/v1/outputs", bodies[number], NDJSON)
        if status != 200 or json.loads(answer)["rejected"]:
            raise RuntimeError(f"outputs were not taken: {status} {answer[:300]!r}")

    await rate(connections, len(bodies), call)


# ---------------------------------------------------------------- stages and views


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


def stages(deployment: Deployment, outputs: int, judged: int) -> Iterator[Figure]:
    """Outputs into tasks, then judgments through the cycle of stages; what lies in the log already comes first."""
    fresh = [output for output, _ in admitted_outputs(2_000_000, outputs)]
    with deployment.process("worker") as worker, opened_log(deployment) as log:
        deployment.drain(*STAGES)
        watch = Stopwatch(deployment)
        done = applied(deployment, worker, log, fresh)
        yield watch.figure("stage events, outputs to tasks, one worker", done, "/s", "≥ 4,000/s")
        tasks = made_tasks(deployment)
        events = judgments(tasks, min(judged, 3 * len(tasks)))
        watch = Stopwatch(deployment)
        done = applied(deployment, worker, log, events)
        yield watch.figure("stage events, judgments through the cycle, one worker", done, "/s", "≥ 4,000/s")
        yield watch.figure("judgments through the cycle, one worker", len(events), "/s", "≥ 1,000/s")


def applied(deployment: Deployment, worker: Spawned, log: KafkaLog, events: Sequence[Event]) -> float:
    """Appends the events; returns when the worker has gone through all that follows: how many stage events it was."""
    before = steps(worker)
    for future in [log.submit(appending(events[at : at + CHUNK])) for at in range(0, len(events), CHUNK)]:
        future.result()
    deployment.drain(*STAGES)
    return steps(worker) - before


def views(deployment: Deployment) -> Figure:
    """The materializer over everything that the others have left."""
    messages = deployment.engine.measure()["views"]
    watch = Stopwatch(deployment)
    with deployment.process("materializer"):
        deployment.drain("views")
        return watch.figure("messages folded into PostgreSQL, from its start on", messages, "/s")


def steps(worker: Spawned) -> float:
    """Events that went through a step since it began."""
    rows = worker.http.get("/metrics").text.splitlines()
    return sum(float(row.split()[-1]) for row in rows if 'became="steps"' in row and not row.startswith("#"))


def made_tasks(deployment: Deployment) -> list[str]:
    """The tasks in the log."""
    reader = KafkaReader(deployment.connection)
    try:
        found = reader.all(deployment.layout.full_name("by-task"))
        return [delivery.key.decode() for delivery in found if delivery.payload.startswith(b'{"type":"Task"')]
    finally:
        reader.close()


@contextmanager
def opened_log(deployment: Deployment) -> Iterator[KafkaLog]:
    """The log in this process."""
    database = open_postgres(deployment.settings.database_url)
    log = KafkaLog(deployment.connection, deployment.layout, PostgresAdmissions(database))
    yield log
    log.close()
    database.dispose()


# ---------------------------------------------------------------- all of it


def figures(deployment: Deployment, outputs: int, judged: int, seconds: float) -> Iterator[Figure]:
    """Latency first, while the log is small; then the bulk."""
    yield from waits(deployment, seconds)  # also folds the admin key, without which no API is ready
    if not outputs:
        return
    admitted = admitted_outputs(0, outputs)
    limit = bare_producer(deployment, admitted)
    yield limit
    yield logged(deployment, admitted, limit.measured)
    yield posted(deployment, outputs, limit.measured)
    yield from stages(deployment, outputs, judged)
    yield views(deployment)


def waits(deployment: Deployment, seconds: float) -> Iterator[Figure]:
    """From the acknowledgement of a judgment to its preference in PostgreSQL, every process at work."""
    with deployment.process("worker"), deployment.process("materializer"), deployment.process("api") as api:
        prepared = prepare(deployment, api, int(seconds * PACE))
        watch = Stopwatch(deployment)
        found = asyncio.run(judge(deployment, api, prepared))
        yield watch.figure("judgments over HTTP, everything at work, sent at 100/s", len(found), "/s", "100/s")
    target = {50: "≤ 300 ms", 99: "≤ 1 s"}
    for share in (50, 90, 99):
        what = f"judgment acknowledged → preference in PostgreSQL, p{share}"
        yield Figure(what=what, measured=found[len(found) * share // 100], unit=" ms", target=target.get(share, ""))


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--outputs", type=int, default=30_000, help="of each way in; 0 measures latency alone")
    parser.add_argument("--judgments", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=20.0, help="of judging at 100/s")
    told = parser.parse_args()
    table = Table(*COLUMNS, title="a cluster on one machine")
    with tempfile.TemporaryDirectory() as folder, Deployment(enterable(Path(folder))) as deployment:
        for figure in figures(deployment, told.outputs, told.judgments, told.seconds):
            table.add_row(*row_of(figure))
            Console(stderr=True).print(*row_of(figure), sep="  ")  # it takes minutes: whoever breaks it off has these
    Console(width=200).print(table)


COLUMNS = ("what", "measured", "target", "of the limit", "µs of CPU an item")


def row_of(figure: Figure) -> tuple[str, ...]:
    """Its cells."""
    share = f"{figure.measured / figure.limit:.2f}" if figure.limit else ""
    cpu = ", ".join(f"{name} {spent:.0f}" for name, spent in figure.cpu.items() if spent >= 1)
    return figure.what, f"{figure.measured:,.0f}{figure.unit}", figure.target, share, cpu


if __name__ == "__main__":
    main()

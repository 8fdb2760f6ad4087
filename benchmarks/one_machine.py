"""The one-machine service under load: `python -m benchmarks.one_machine [--events N]`, or `make bench`.

Client and server share the machine. Every figure stands beside what the machine itself can do in the same run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table

from benchmarks.lean_http import Connection, rate
from benchmarks.limits import bare_posts_a_second, commits_a_second, sqlite_rows_a_second
from benchmarks.server import ADMIN_KEY, Server

BATCH = 5_000
OPEN_TASKS = 10_000
PATIENCE = 600  # seconds for what was sent to be applied
NDJSON = "application/x-ndjson"
REPLAYED = 40_000
LABELS = ("a", "a", "a", "b", "tie")


@dataclass(frozen=True)
class Figure:
    """One row of the table; `limit` is the yardstick of the same run, 0 where there is none."""

    what: str
    measured: float
    unit: str
    target: str
    limit: float = 0.0

    @property
    def fraction(self) -> str:
        """Of the limit."""
        return f"{self.measured / self.limit:.2f}" if self.limit else ""


def output(number: int, randomness: random.Random) -> dict[str, object]:
    """An output of about 1.5 kB with two responses."""
    words = [f"word{randomness.randrange(10_000)}" for _ in range(150)]
    return {
        "id": f"bench-{number:09}",
        "prompt": " ".join(words[:30]),
        "responses": [" ".join(words[30:90]), " ".join(words[90:])],
        "model": "bench",
        "tags": {"locale": "en", "domain": "bench"},
    }


def batches(start: int, count: int) -> list[bytes]:
    """NDJSON bodies of BATCH outputs each, made before the clock starts."""
    randomness = random.Random(start)
    lines = [json.dumps(output(number, randomness)) for number in range(start, start + count)]
    return ["\n".join(lines[first : first + BATCH]).encode() for first in range(0, count, BATCH)]


async def bulk(server: Server, bodies: list[bytes]) -> float:
    """Outputs a second to the durable acknowledgement, two connections."""
    connections = [await Connection.open(server.port, ADMIN_KEY) for _ in range(2)]

    async def call(connection: Connection, number: int) -> None:
        status, answer = await connection.send("POST", "/v1/outputs", bodies[number], NDJSON)
        assert status == 200, answer[:300]
        assert json.loads(answer)["rejected"] == 0, answer[:300]

    return BATCH * await rate(connections, len(bodies), call)


async def one_by_one(server: Server, start: int, count: int) -> float:
    """Outputs a second, one a request, 8 clients."""
    randomness = random.Random(start)
    bodies = [json.dumps(output(start + number, randomness)).encode() for number in range(count)]
    connections = [await Connection.open(server.port, ADMIN_KEY) for _ in range(8)]

    async def call(connection: Connection, number: int) -> None:
        status, answer = await connection.send("POST", "/v1/outputs", bodies[number])
        assert status == 201, answer

    return await rate(connections, count, call)


async def next_tasks(server: Server, keys: list[str], each: int, pause: float) -> list[float]:
    """Milliseconds of every POST /v1/tasks/next, sorted, while as many annotators as keys work at the same time,
    each with about `pause` seconds between a task and its judgment."""
    times: list[float] = []
    everybody = asyncio.Barrier(len(keys))

    async def work(key: str) -> None:
        connection = await Connection.open(server.port, key)
        await connection.send("GET", "/v1/me")  # as the page does when it opens
        await everybody.wait()
        for _ in range(each):
            begin = time.perf_counter()
            task = await connection.post("/v1/tasks/next", {})
            times.append(1000 * (time.perf_counter() - begin))
            await asyncio.sleep(pause * 2 * random.random())
            if task is None:  # these annotators guess, and who guesses is asked seldom
                continue
            await connection.post("/v1/judgments", {"task": task["task"], "choice": random.choice(["left", "right"])})

    await asyncio.gather(*(work(key) for key in keys))
    return sorted(times)


async def judgments(server: Server, keys: list[str]) -> tuple[float, float]:
    """(acknowledged, scored) judgments a second of 8 clients; three leases a key are taken before the clock starts."""
    connections = [await Connection.open(server.port) for _ in range(8)]
    held: list[tuple[str, str]] = []

    async def take(connection: Connection, number: int) -> None:
        key = keys[number // 3]
        held.append((key, (await connection.post("/v1/tasks/next", {}, key))["task"]))

    async def judge(connection: Connection, number: int) -> None:
        key, task = held[number]
        await connection.post("/v1/judgments", {"task": task, "choice": "left", "strength": 2}, key)

    await rate(connections, 3 * len(keys), take)
    before, begin = server.events("assessments"), time.perf_counter()
    acknowledged = await rate(connections, len(held), judge)
    server.wait(lambda: server.events("assessments") - before >= len(held), PATIENCE)
    return acknowledged, len(held) / (time.perf_counter() - begin)


def measure(events: int) -> Iterator[Figure]:
    """All figures; `events` outputs and what follows from them are in the log before the clock starts."""
    rows, posts = sqlite_rows_a_second(), bare_posts_a_second()
    yield Figure("SQLite rows of 1.5 kB, WAL FULL", rows, "/s", "limit")
    yield Figure("bare FastAPI POST, 8 clients", posts, "/s", "limit")
    yield Figure("SQLite commits of one row, WAL FULL", commits_a_second(), "/s", "limit")
    with tempfile.TemporaryDirectory() as folder:
        with Server(Path(folder) / "bench") as server:
            fill(server, events)
            yield from _service(server, rows, posts)
            yield Figure("API process at the end", server.megabytes, "MB", "")
        yield rebuild(Path(folder) / "bench")
        yield replay(Path(folder))


def fill(server: Server, events: int) -> None:
    """Outputs until the log holds so many events (each output makes three), and what follows is applied."""
    for start in range(10_000_000, 10_000_000 + events // 3, 50_000):
        asyncio.run(bulk(server, batches(start, min(50_000, events // 3))))
    server.wait(lambda: server.lag() == 0, PATIENCE)


def _service(server: Server, rows: float, posts: float) -> Iterator[Figure]:
    small = batches(0, OPEN_TASKS)
    asyncio.run(bulk(server, small))
    server.wait(lambda: server.lag() == 0, PATIENCE)
    yield Figure("API process, after 10,000 open tasks", server.megabytes, "MB", "≤ 150")
    for pause, name in ((0.5, "half a second a task"), (0.0, "as fast as they can")):
        times = asyncio.run(next_tasks(server, server.annotators(20), 50, pause))
        yield Figure(f"next task p50, 20 annotators, {name}", times[len(times) // 2], "ms", "")
        yield Figure(f"next task p99, 20 annotators, {name}", times[int(len(times) * 0.99)], "ms", "≤ 12")
    acknowledged, scored = asyncio.run(judgments(server, server.annotators(1_000)))
    yield Figure("judgments acknowledged, 8 clients", acknowledged, "/s", "≥ 3,000", posts)
    yield Figure("judgments scored, from the first one on", scored, "/s", "")
    yield Figure(
        "outputs one by one, 8 clients", asyncio.run(one_by_one(server, 1_000_000, 8_000)), "/s", "≥ 3,000", posts
    )
    bodies, before = batches(2_000_000, 100_000), server.events("tasks")
    begin = time.perf_counter()
    yield Figure("outputs in bulk, 1.5 kB", asyncio.run(bulk(server, bodies)), "/s", "≥ 30,000", rows)
    yield Figure("lag when the last one was acknowledged", server.lag(), "events", "")
    server.wait(lambda: server.events("tasks") - before >= 100_000, PATIENCE)
    yield Figure("tasks made, from the first output on", 100_000 / (time.perf_counter() - begin), "/s", "≥ 5,000")
    server.wait(lambda: server.lag() == 0, PATIENCE)


def rebuild(folder: Path) -> Figure:
    """`prefloop rebuild` on what the others left, as its own line says."""
    command = [sys.executable, "-m", "services.cli", "rebuild", "--data", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, "COLUMNS": "200"})
    events = float(done.stderr.split("(")[-1].split("/s")[0].replace(",", ""))
    return Figure("rebuild", events, "events/s", "≥ 50,000")


def replay(folder: Path) -> Figure:
    """`prefloop replay` of made-up judgments, five an item; the whole command with its start."""
    randomness = random.Random(7)
    items, file = folder / "items.jsonl", folder / "judgments.jsonl"
    words = [f"word{number}" for number in range(1_000)]
    sides = [{side: " ".join(randomness.choices(words, k=40)) for side in ("a", "b")} for _ in range(REPLAYED // 5)]
    items.write_text("".join(json.dumps({"item": str(n), "prompt": "Which?", **s}) + "\n" for n, s in enumerate(sides)))
    rows = [
        {"item": str(n // 5), "annotator": f"w{randomness.randrange(3_000)}", "label": randomness.choice(LABELS)}
        for n in range(REPLAYED)
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = [sys.executable, "-m", "services.cli", "replay", str(file), "--items", str(items)]
    begin = time.perf_counter()
    subprocess.run([*command, "--data", str(folder / "replay")], capture_output=True, check=True)
    return Figure("replay, whole command", REPLAYED / (time.perf_counter() - begin), "judgments/s", "≥ 5,000")


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=0, help="events in the log before the clock starts")
    events = parser.parse_args().events
    title = f"one machine, {os.cpu_count()} cores, client and server together, {events:,} events in the log before"
    table = Table("what", "measured", "unit", "target", "of the limit", title=title)
    try:
        for figure in measure(events):
            table.add_row(figure.what, f"{figure.measured:,.1f}", figure.unit, figure.target, figure.fraction)
    except (httpx.HTTPError, RuntimeError) as error:
        Console(stderr=True).print(f"stopped: {error}")
    Console().print(table)


if __name__ == "__main__":
    main()

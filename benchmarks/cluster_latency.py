"""How long a judgment takes from its acknowledgement to its preference in PostgreSQL, at an open-loop pace."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence

import httpx
from sqlalchemy import Engine, func, select

from benchmarks.cluster_deployment import Deployment
from benchmarks.lean_http import Connection, rate
from benchmarks.one_machine import NDJSON, batches
from services.spawned import Spawned
from services.store import models as m
from services.store.database import open_postgres

PACE = 100  # judgments a second, whether or not those before are done
EACH = 3  # tasks that an annotator holds before the clock starts
CONNECTIONS = 16
LOOK_S = 0.005
PATIENCE_S = 300.0
READERS = ("tasks", "assessments", "preferences", "views")
CAMPAIGN = {"rules": [{"overlap": 1}], "targets": {"posterior": 0.51}}  # every judgment decides its task
Held = tuple[str, str]  # an annotator's key and a task that is theirs


def prepare(deployment: Deployment, api: Spawned, count: int) -> list[Held]:
    """So many tasks in the hands of annotators, and nothing left to apply."""
    api.http.put("/v1/campaigns/default", json=CAMPAIGN).raise_for_status()
    for body in batches(9_000_000, count + count // 10):
        api.http.post("/v1/outputs", content=body, headers={"Content-Type": NDJSON}).raise_for_status()
    deployment.drain(*READERS)
    held = asyncio.run(_take(api, annotators(api.http, -(-count // EACH)), count))
    deployment.drain(*READERS)
    return held


def annotators(http: httpx.Client, count: int) -> list[str]:
    """Keys of so many new annotators."""
    told = [
        http.post("/v1/annotators", json={"name": f"annotator {n}"}).raise_for_status().json() for n in range(count)
    ]
    return [str(one["key"]) for one in told]


async def _take(api: Spawned, keys: Sequence[str], count: int) -> list[Held]:
    connections = [await Connection.open(api.port) for _ in range(CONNECTIONS)]
    held: list[Held] = []

    async def take(connection: Connection, number: int) -> None:
        key = keys[number // EACH]
        held.append((key, (await connection.post("/v1/tasks/next", {}, key))["task"]))

    await rate(connections, count, take)
    return held


async def judge(deployment: Deployment, api: Spawned, held: Sequence[Held]) -> list[float]:
    """Milliseconds from each acknowledgement to the moment its preference is seen in PostgreSQL, sorted."""
    watcher = Watcher(open_postgres(deployment.settings.database_url))
    watcher.start()
    connections = [await Connection.open(api.port) for _ in range(CONNECTIONS)]
    free: asyncio.Queue[Connection] = asyncio.Queue()
    for connection in connections:
        free.put_nowait(connection)
    acknowledged: dict[str, float] = {}

    async def send(number: int) -> None:
        key, task = held[number]
        connection = await free.get()
        body = {"task": task, "choice": "left" if number % 3 else "right", "strength": 2}
        answer = await connection.post("/v1/judgments", body, key)
        acknowledged[answer["judgment"]] = time.perf_counter()
        free.put_nowait(connection)

    begun, sent = time.perf_counter(), []
    for number in range(len(held)):
        await asyncio.sleep(max(0.0, begun + number / PACE - time.perf_counter()))
        sent.append(asyncio.create_task(send(number)))
    await asyncio.gather(*sent)
    seen = await asyncio.to_thread(watcher.wait, len(acknowledged))
    return sorted(1000 * (seen[judgment] - moment) for judgment, moment in acknowledged.items())


class Watcher(threading.Thread):
    """Looks again and again for new preferences, and notes when the judgments they rest on were first seen in one."""

    def __init__(self, database: Engine) -> None:
        super().__init__(daemon=True)
        self._database = database
        self._seen: dict[str, float] = {}
        self._done = threading.Event()

    def wait(self, count: int) -> dict[str, float]:
        """When each judgment was seen, once there are so many."""
        deadline = time.monotonic() + PATIENCE_S
        while len(self._seen) < count and time.monotonic() < deadline:
            time.sleep(LOOK_S)
        self._done.set()
        self.join()
        self._database.dispose()
        if len(self._seen) < count:
            raise RuntimeError(f"{count - len(self._seen)} of {count} judgments came into no preference")
        return self._seen

    def run(self) -> None:
        """Until everything was seen."""
        offset, judgments = m.preferences.c.log_offset, m.preferences.c.judgments
        with self._database.connect() as sql:
            last = sql.execute(select(func.max(offset))).scalar() or 0
            while not self._done.wait(LOOK_S):
                rows = sql.execute(select(offset, judgments).where(offset > last)).all()
                now = time.perf_counter()
                for place, rests_on in rows:
                    last = max(last, place)
                    for judgment in rests_on:
                        self._seen.setdefault(judgment, now)

"""kill -9 of `prefloop up` under load: whatever was acknowledged is there once, and no task is over its quota."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from services.bootstrap import open_service
from services.settings import Settings
from services.spawned import SpawnedService
from services.store.schema import rows_of_views
from streams.events import Judgment, Output, Task

ADMIN = "plk_admin_0123456789abcdef0123456789abcdef"
SEED = 20261121
KILLS, PRODUCERS, ANNOTATORS = 3, 2, 6
BETWEEN = 40  # acknowledgements between two kills
OVERLAP = 2


class Acknowledged:
    """What the service has said yes to, from all threads."""

    def __init__(self) -> None:
        self.outputs: set[str] = set()
        self.judgments: set[str] = set()
        self._grown = threading.Condition()

    def add(self, kind: set[str], identity: str) -> None:
        with self._grown:
            kind.add(identity)
            self._grown.notify_all()

    def wait_for(self, count: int) -> None:
        """Until so many are acknowledged in all."""
        with self._grown:
            assert self._grown.wait_for(lambda: len(self.outputs) + len(self.judgments) >= count, timeout=90)


class Load:
    """Producers and annotators that go on through every outage, each with its own seeded choices."""

    def __init__(self, service: SpawnedService, keys: list[str]) -> None:
        self.acknowledged = Acknowledged()
        self._service = service
        self._enough = threading.Event()
        works: list[Callable[[], None]] = [lambda n=n: self._produce(n) for n in range(PRODUCERS)]  # type: ignore[misc]
        works += [lambda key=key, n=n: self._annotate(key, n) for n, key in enumerate(keys)]  # type: ignore[misc]
        self._threads = [threading.Thread(target=work) for work in works]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        for thread in self._threads:
            thread.join()

    def _client(self, key: str) -> httpx.Client:
        return httpx.Client(base_url=self._service.url, headers={"Authorization": f"Bearer {key}"}, timeout=10)

    def _produce(self, producer: int) -> None:
        """Sends an output again and again until it is acknowledged, then the next one."""
        number = 0
        with self._client(ADMIN) as http:
            while not self._enough.wait(0.001):
                output = {"id": f"p{producer}-{number}", "prompt": f"q{number}", "responses": ["yes", f"no {number}"]}
                answer = attempt(lambda body=output: http.post("/v1/outputs", json=body))  # type: ignore[misc]
                if answer is not None:
                    assert answer.status_code in (200, 201), answer.text
                    self.acknowledged.add(self.acknowledged.outputs, str(output["id"]))
                    number += 1

    def _annotate(self, key: str, seed: int) -> None:
        """Takes a task, judges it until that is acknowledged, takes the next one."""
        randomness = random.Random(SEED + seed)
        with self._client(key) as http:
            while not self._enough.wait(0.001):
                granted = attempt(lambda: http.post("/v1/tasks/next", json={}))
                if granted is None or granted.status_code != 200:
                    continue
                body = {"task": granted.json()["task"], "choice": randomness.choice(["left", "right", "tie"])}
                while not self._enough.is_set():
                    answer = attempt(lambda body=body: http.post("/v1/judgments", json=body))  # type: ignore[misc]
                    if answer is not None:
                        assert answer.status_code in (200, 201), answer.text
                        self.acknowledged.add(self.acknowledged.judgments, answer.json()["judgment"])
                        break


def attempt(call: Callable[[], httpx.Response]) -> httpx.Response | None:
    """The answer, or None while the service is away."""
    try:
        answer = call()
    except httpx.TransportError:
        return None
    return None if answer.status_code == 503 else answer


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_or_doubled_by_kills(tmp_path: Path) -> None:
    with SpawnedService(tmp_path / "kill", ADMIN) as service:
        campaign = {"rules": [{"overlap": OVERLAP}], "targets": {"overlap_cap": OVERLAP}, "gold_rate": 0.0}
        service.http.put("/v1/campaigns/default", json=campaign).raise_for_status()
        names = [{"name": f"annotator {number}"} for number in range(ANNOTATORS)]
        keys = [service.http.post("/v1/annotators", json=name).raise_for_status().json()["key"] for name in names]
        with Load(service, keys) as load:
            for kill in range(1, KILLS + 1):
                load.acknowledged.wait_for(kill * BETWEEN)
                service.kill()
                service.start()
            load.acknowledged.wait_for((KILLS + 1) * BETWEEN)
    check(tmp_path / "kill", load.acknowledged)


def check(folder: Path, acknowledged: Acknowledged) -> None:
    """Counts everything in the log itself, then folds the views once more and compares."""
    service = open_service(Settings(data=folder))
    try:
        service.engine.drain()
        outputs = Counter(
            r.event.output for r in service.store.read("outputs", limit=10**6) if isinstance(r.event, Output)
        )
        judgments = [r.event for r in service.store.read("judgments", limit=10**6) if isinstance(r.event, Judgment)]
        tasks = [r.event for r in service.store.read("tasks", limit=10**6) if isinstance(r.event, Task)]
        before = list(rows_of_views(service.store.connection))
    finally:
        service.close()
    assert acknowledged.outputs <= set(outputs)
    assert max(outputs.values()) == 1
    assert acknowledged.judgments <= {judgment.judgment for judgment in judgments}
    assert Counter(judgment.judgment for judgment in judgments).most_common(1)[0][1] == 1
    counted = Counter(judgment.task for judgment in judgments if not judgment.late)
    assert max(counted.values()) <= OVERLAP
    assert max(Counter((judgment.task, judgment.annotator) for judgment in judgments).values()) == 1
    assert len(tasks) == len({task.task for task in tasks}) == len(outputs)
    service = open_service(Settings(data=folder), fresh_views=True)
    service.engine.drain()
    assert list(rows_of_views(service.store.connection)) == before
    service.close()

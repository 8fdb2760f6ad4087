"""The loop on a real Kafka, PostgreSQL and Redis, through the HTTP API of two replicas."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from services.coordinator.coordinator import Coordinator
from services.settings import Settings
from streams.engines.kafka_connection import KafkaConnection
from tests.integration.cluster import cluster, eventually, settings_of
from tests.integration.world import OUTPUT, World, error_of
from tests.services.redis import Redis

pytestmark = pytest.mark.slow


@pytest.fixture
def settings(kafka: KafkaConnection, database_url: str, redis_server: Redis) -> Settings:
    return settings_of(kafka, database_url, redis_server)


@pytest.fixture
def replicas(settings: Settings) -> Iterator[list[World]]:
    with cluster(settings, replicas=2) as worlds:
        for world in worlds:
            eventually(lambda world=world: world.client.get("/readyz").status_code == 200)  # type: ignore[misc]
        yield worlds


def next_task(world: World) -> Any:
    answer = world("annotator", "POST", "/v1/tasks/next")
    return answer.json() if answer.status_code == 200 else None


def test_an_output_becomes_a_preference_whichever_replica_is_asked(replicas: list[World]) -> None:
    first, second = replicas
    campaign = {"rules": [{"overlap": 1}], "targets": {"posterior": 0.51}, "training": {"base_model": "m"}}
    assert first("lead", "PUT", "/v1/campaigns/default", campaign).status_code == 200
    eventually(lambda: second("lead", "GET", "/v1/campaigns/default").json()["version"] == 2)
    assert second("producer", "POST", "/v1/outputs", OUTPUT).status_code == 201
    assert first("producer", "POST", "/v1/outputs", OUTPUT).json()["status"] in ("duplicate", "accepted")
    error_of(first("producer", "POST", "/v1/outputs", {**OUTPUT, "prompt": "another"}), 409)

    told = {"output": OUTPUT["id"], "kind": "retry"}
    assert first("producer", "POST", "/v1/signals", told).status_code in (201, 503), "known, if not yet in the views"
    error_of(first("producer", "POST", "/v1/signals", {**told, "output": "nobody's"}), 404)
    error_of(second("engineer", "POST", "/v1/runs", {"batch": "\x00"}), 422)

    task = eventually(lambda: next_task(first))
    answer = second("annotator", "POST", "/v1/judgments", {"task": task["task"], "choice": "left", "revision": 1})
    assert answer.status_code == 201, answer.text
    found = eventually(lambda: second("engineer", "GET", "/v1/preferences").json()["preferences"])
    assert [(one["task"], len(one["judgments"])) for one in found] == [(task["task"], 1)]
    batch = eventually(lambda: _cut(first))
    eventually(lambda: [b["batch"] for b in second("engineer", "GET", "/v1/batches").json()["batches"]] == [batch])
    _every_part_of_the_coordinator_runs(first)
    _claim_at_the_same_moment(replicas)


def _every_part_of_the_coordinator_runs(world: World) -> None:
    """What it reads from the log on one machine it has to find here too."""
    failed: list[tuple[int, str, str]] = []
    coordinator = Coordinator(world.service, on_error=lambda *error: failed.append(error))
    coordinator.tick()
    coordinator.close()
    assert failed == []


def _claim_at_the_same_moment(replicas: list[World]) -> None:
    """Each asks a replica of its own; one of them gets the run."""
    run = eventually(lambda: replicas[1]("engineer", "GET", "/v1/runs").json()["runs"])[0]["run"]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: _claim(replicas[n % 2], f"gpu-{n}"), range(8)))
    granted = [(n, answer.json()["run"]) for n, answer in enumerate(answers) if answer.status_code == 200]
    assert len(granted) == 1, [answer.text for answer in answers]
    trainer, claimed = granted[0]
    assert claimed == run
    assert {answer.status_code for answer in answers} <= {200, 204, 503}
    done = {"trainer": f"gpu-{trainer}", "stage": "dpo", "step": 1, "steps": 2}
    eventually(
        lambda: replicas[1 - trainer % 2]("engineer", "POST", f"/v1/runs/{run}/progress", done).status_code == 200
    )


def _claim(world: World, trainer: str) -> Any:
    return world("engineer", "POST", "/v1/runs/claim", {"trainer": trainer})


def _cut(world: World) -> Any:
    answer = world("engineer", "POST", "/v1/batches", {"campaign": "default"})
    return answer.json().get("batch") if answer.status_code == 201 else None

"""A Redis that takes connections and never answers: who needs it is told so, nobody else notices."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from services.api import auth
from services.api.app import create_app
from services.api.redis_live import RedisLive
from services.bootstrap import open_service
from services.queue.rebuild import ViewArchive
from services.queue.redis_queue import RedisQueue
from services.queue.redis_store import connect
from services.settings import Settings
from tests.integration.world import KEYS, Answer, World, error_of


@pytest.fixture
def silent_url() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0), backlog=100) as server:
        yield f"redis://127.0.0.1:{server.getsockname()[1]}/0"


@pytest.fixture
def world(tmp_path: Path, silent_url: str) -> Iterator[World]:
    """A replica whose queue and live numbers are in that Redis; log and views are a file."""
    service = open_service(Settings(data=tmp_path))
    client = connect(silent_url)
    service.is_alone = False
    service.queue = RedisQueue(client, ViewArchive(service.database, service.engine.lag))
    service.live = lambda started_at: RedisLive(client, started_at)
    for role in ("annotator", "lead"):
        new = auth.make_key(role, role, annotator=f"an_{role}" if role == "annotator" else "", key=KEYS[role])
        service.log.submit(lambda tx, new=new: auth.store_key(tx.sql, new, 1)).result()  # type: ignore[misc]
    with TestClient(create_app(service), raise_server_exceptions=False) as browser:
        yield World(service, browser)
    service.close()


def test_who_needs_it_waits_and_is_told_while_all_others_go_on(world: World) -> None:
    begun = threading.Barrier(9)

    def ask() -> Answer:
        begun.wait()
        return world("annotator", "POST", "/v1/tasks/next")

    with ThreadPoolExecutor(8) as threads:
        asked: list[Future[Answer]] = [threads.submit(ask) for _ in range(8)]
        begun.wait()
        for _ in range(5):
            assert world.client.get("/healthz").status_code == 200
            assert world("lead", "GET", "/v1/campaigns").status_code == 200
        assert not any(one.done() for one in asked)  # they still wait, and nobody waited for them
        answers = [one.result() for one in asked]
    for answer in answers:
        assert error_of(answer, 503)["message"].startswith("Redis does not answer")
        assert answer.headers["retry-after"] == "2"


def test_a_probe_says_not_ready_and_the_numbers_go_on(world: World) -> None:
    assert world.client.get("/readyz").status_code == 503
    numbers = world.client.get("/metrics").text
    assert "prefloop_events_total" in numbers
    assert "prefloop_ready 0.0" in numbers
    assert "prefloop_queue_tasks" not in numbers

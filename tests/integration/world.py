"""A service with its API in a temporary folder: time that tests move, and a key a role."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from starlette.testclient import TestClient

from services.api import auth
from services.api.app import create_app
from services.api.roles import ALL, Role
from services.appending import appending
from services.bootstrap import Service, open_service
from services.settings import Settings
from streams.events import Event

KEYS = {role: f"plk_{role}_secret" for role in ALL}
OUTPUT = {"id": "o-1", "prompt": "What is a mutex?", "responses": ["A lock.", "A **fish**."], "model": "m-secret"}
Answer = Any  # the test client's response, whichever httpx it is built on
JUDGING = ("annotator", "adjudicator", "model", "admin")


class World:
    """A service, its app, and a client a role."""

    def __init__(self, service: Service, client: TestClient) -> None:
        self.service = service
        self.client = client

    def __call__(self, role: Role, method: str, path: str, body: Any = None, **options: Any) -> Answer:
        headers = {"Authorization": f"Bearer {KEYS[role]}", **options.pop("headers", {})}
        options |= {"json": body} if body is not None else {}
        return self.client.request(method, path, headers=headers, **options)

    def task(self, **changes: Any) -> dict[str, Any]:
        """Sends an output and takes its task."""
        assert self("producer", "POST", "/v1/outputs", {**OUTPUT, **changes}).status_code == 201
        self.service.engine.drain()
        answer = self("annotator", "POST", "/v1/tasks/next")
        assert answer.status_code == 200, answer.text
        return cast(dict[str, Any], answer.json())


def append(service: Service, *events: Event) -> None:
    """Into the log, and through every stage and view."""
    service.log.submit(appending(events)).result()
    service.engine.drain()


class Clock:
    """Time that tests move."""

    def __init__(self) -> None:
        self.now = 1_790_000_000_000

    def __call__(self) -> int:
        return self.now


@contextmanager
def opened(folder: Path, clock: Clock) -> Iterator[World]:
    service = open_service(Settings(data=folder))
    service.clock = clock
    for role, key in KEYS.items():
        annotator = f"an_{role}" if role in JUDGING else ""
        new = auth.make_key(role, role, annotator=annotator, key=key)
        service.log.submit(lambda tx, new=new: auth.store_key(tx.sql, new, 1)).result()  # type: ignore[misc]
    with TestClient(create_app(service), raise_server_exceptions=False) as client:
        wait_until_ready(client)
        yield World(service, client)
    service.close()


def wait_until_ready(client: TestClient) -> None:
    """Recovery runs beside the first requests."""
    for _ in range(10_000):
        if client.get("/readyz").status_code == 200:
            return
    raise AssertionError("never ready")


def error_of(answer: Answer, status: int) -> dict[str, str]:
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert set(error) == {"code", "message", "field", "mend"}
    assert error["message"]
    assert error["mend"]
    return cast(dict[str, str], error)

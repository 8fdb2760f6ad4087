"""Full disks and broken storage: nothing is acknowledged, everybody is told, and work goes on by itself."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError, OperationalError
from structlog.testing import capture_logs

from streams.errors import UnavailableError
from tests.integration.world import OUTPUT, World, error_of


def limit_pages(world: World, pages: int) -> None:
    """The file may not grow over so many pages: to SQLite the same as a full disk."""
    world.service.log.submit(lambda tx: tx.sql.exec_driver_sql(f"PRAGMA max_page_count = {pages}")).result()


def test_a_full_disk_is_507_and_heals(world: World) -> None:
    big = {**OUTPUT, "prompt": "x" * 200_000}
    assert world("producer", "POST", "/v1/outputs", big).status_code == 201
    limit_pages(world, 1)  # SQLite makes it the present size
    statuses = []
    for i in range(20):
        answer = world("producer", "POST", "/v1/outputs", {**big, "id": f"o-big-{i}"})
        statuses.append(answer.status_code)
        if answer.status_code != 201:
            break
    error = error_of(answer, 507)
    assert error["code"] == "storage_full"
    assert "free space" in error["mend"]
    assert answer.headers["retry-after"] == "30"
    assert world("producer", "GET", "/v1/me").status_code == 200
    limit_pages(world, 1_000_000)
    assert world("producer", "POST", "/v1/outputs", {**big, "id": f"o-big-{len(statuses) - 1}"}).status_code == 201
    world.service.engine.drain()
    assert world.service.store.end("outputs") == len(statuses) + 1
    live = world("lead", "GET", "/v1/live").json()
    assert [told["where"] for told in live["errors"]] == ["/v1/outputs"]


def failing(cause: Exception) -> Callable[..., Future[Any]]:
    def submit(_: object) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_exception(cause)
        return future

    return submit


def test_an_outage_is_503_with_when_to_come_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.service.log, "submit", failing(UnavailableError("the writer is away", retry_after=7)))
    answer = world("producer", "POST", "/v1/outputs", OUTPUT)
    assert error_of(answer, 503)["code"] == "unavailable"
    assert answer.headers["retry-after"] == "7"


def test_a_database_that_cannot_be_used_is_503_without_its_words(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = DatabaseError("INSERT INTO secret", {}, sqlite3.DatabaseError("file is not a database"))
    monkeypatch.setattr(world.service.log, "submit", failing(broken))
    assert "secret" not in error_of(world("producer", "POST", "/v1/outputs", OUTPUT), 503)["message"]


def test_what_was_written_does_not_stand_in_the_errors(world: World) -> None:
    with pytest.raises(OperationalError) as caught, world.service.database.connect() as sql:
        sql.execute(text("SELECT :words FROM nowhere"), {"words": "a private text"})
    assert "a private text" not in str(caught.value)


@pytest.mark.parametrize(("kind", "traced"), [(OperationalError, False), (DatabaseError, True)])
def test_a_database_that_is_away_leaves_one_line_a_request_and_one_that_is_broken_its_trace(
    world: World, monkeypatch: pytest.MonkeyPatch, kind: type[DatabaseError], traced: bool
) -> None:
    monkeypatch.setattr(world.service.log, "submit", failing(kind("SELECT 1", {}, sqlite3.DatabaseError("away"))))
    with capture_logs() as lines:
        error_of(world("producer", "POST", "/v1/outputs", OUTPUT), 503)
    assert [line["exc_info"] for line in lines if line["event"] == "database"] == [traced]


def test_the_line_of_a_refused_request_says_which_field_and_not_what_stood_there(world: World) -> None:
    with capture_logs() as lines:
        world("producer", "POST", "/v1/outputs", {"prompt": "a secret", "responses": "a secret"})
        world.client.get("/v1/me")
    refused = [(line["status"], line["code"], line["field"]) for line in lines if line["event"] == "request"]
    assert refused == [(422, "invalid", "responses"), (401, "unauthorized", "")]
    assert "a secret" not in str(lines)


def test_a_bug_is_500_with_the_id_of_its_log_line(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.service.log, "submit", failing(ZeroDivisionError("a bug")))
    answer = world("producer", "POST", "/v1/outputs", OUTPUT)
    error = error_of(answer, 500)
    assert answer.headers["x-request-id"] in error["mend"]
    assert "a bug" not in error["message"]


def test_who_is_refused_a_task_by_an_outage_gets_it_later(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world("producer", "POST", "/v1/outputs", OUTPUT)
    world.service.engine.drain()
    with monkeypatch.context() as away:
        away.setattr(world.service.log, "submit", failing(UnavailableError("away")))
        error_of(world("annotator", "POST", "/v1/tasks/next"), 503)
    assert world("annotator", "POST", "/v1/tasks/next").status_code == 200

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

import httpx
import pytest

from dashboard.client import Client
from services.demo.crowd import Crowd, Hired, judgment, work_once
from services.demo.people import Answer, Person
from streams.errors import UnavailableError

GOOD, BAD = "Sure, my friend!", "The question " + "is a long and difficult one and " * 8
TASK = {"task": "t-1", "left": {"text": BAD}, "right": {"text": GOOD}}


class Service:
    """Answers POST /v1/tasks/next with the tasks in turn, then with nothing; keeps the judgments."""

    def __init__(self, tasks: int, *, refuse: int = 0, status: int = 403) -> None:
        self.left, self.refuse, self.status = tasks, refuse, status
        self.judgments: list[dict[str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.refuse:
            return httpx.Response(self.status, json={"error": {"code": "x", "message": "no", "mend": ""}})
        if request.url.path == "/v1/judgments":
            self.judgments.append(json.loads(request.content))
            return httpx.Response(201, json={"judgment": "j", "counted": True})
        if not self.left:
            return httpx.Response(204)
        self.left -= 1
        return httpx.Response(200, json={**TASK, "task": f"t-{self.left}"})


def client(answer: Callable[[httpx.Request], httpx.Response]) -> Client:
    return Client(httpx.Client(base_url="http://service", transport=httpx.MockTransport(answer)))


def hired(kind: Any = "honest", number: int = 0) -> Hired:
    return Hired(
        person=Person(name=f"p{number}", kind=kind, noise=0.1), annotator=f"an_{number}", key="plk_x", random=Random(1)
    )


def test_somebody_judges_the_task_they_are_given_by_the_sides_shown() -> None:
    service, one = Service(1), hired()
    assert work_once(client(service), one, "demo")
    assert service.judgments[0]["choice"] == "right"
    assert (one.judged, one.clear, one.right) == (1, 1, 1)


def test_what_a_spammer_gets_wrong_is_remembered_as_wrong() -> None:
    service, one = Service(1), hired("one-sided")
    work_once(client(service), one, "demo")
    assert (one.judged, one.clear, one.right) == (1, 1, 0)


def test_where_there_is_nothing_nothing_is_judged() -> None:
    service, one = Service(0), hired()
    assert not work_once(client(service), one, "demo")
    assert service.judgments == []


def test_who_is_suspended_stops() -> None:
    one = hired()
    assert not work_once(client(Service(1, refuse=1)), one, "demo")
    assert one.suspended


def test_the_reading_time_is_told_and_lies_in_the_past() -> None:
    body = judgment("t", Answer(choice="tie", seconds=12.5), now=1_000_000)
    assert body == {"task": "t", "choice": "tie", "shown_at": 987_500, "answered_at": 1_000_000}


def wait_until_done(crowd: Crowd) -> None:
    while not crowd.is_done():
        pass


def test_the_crowd_works_until_nobody_finds_anything_more() -> None:
    service, people = Service(20), [hired(number=number) for number in range(3)]
    with Crowd(client(service), people, "demo", pace=1e6) as crowd:
        wait_until_done(crowd)
    assert len(service.judgments) == crowd.judged == 20


def test_a_crowd_of_suspended_people_is_done() -> None:
    with Crowd(client(Service(1, refuse=1)), [hired()], "demo", pace=1e6) as crowd:
        wait_until_done(crowd)
    assert crowd.judged == 0


def test_what_the_service_refuses_ends_the_work_and_is_told_to_who_waits() -> None:
    with (
        Crowd(client(Service(1, refuse=1, status=422)), [hired()], "demo", pace=1e6) as crowd,
        pytest.raises(Exception, match="no"),
    ):
        wait_until_done(crowd)


def test_an_outage_that_does_not_end_is_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.demo.crowd.PATIENCE", 0.05)
    with (
        Crowd(client(Service(1, refuse=1, status=503)), [hired()], "demo", pace=1e6) as crowd,
        pytest.raises(UnavailableError),
    ):
        wait_until_done(crowd)

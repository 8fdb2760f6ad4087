from __future__ import annotations

import socket

import httpx
import pytest

from dashboard.client import Client, RefusedError
from services.demo import running
from services.demo.running import DemoError, Running, deployed_service, free_port
from streams.errors import UnavailableError


def has_ended() -> None:
    raise UnavailableError("the service ended:\nits log")


def running_with(answers: list[httpx.Response], *, ended: bool = False) -> Running:
    """A service that gives these answers in turn."""
    turns = iter(answers)
    transport = httpx.MockTransport(lambda request: next(turns))
    return Running(
        url="http://service",
        client=Client(httpx.Client(base_url="http://service", transport=transport)),
        key="plk_a_b",
        check=has_ended if ended else lambda: None,
    )


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.demo.running.LOOK", 0.0)


def test_a_taken_port_is_passed_over() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert free_port(port) > port


def test_where_every_port_is_taken_the_mend_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.demo.running.PORTS_TRIED", 1)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(DemoError, match="stop something that listens there"):
            free_port(taken.getsockname()[1])


def test_a_moment_of_outage_is_waited_out() -> None:
    service = running_with([httpx.Response(503), httpx.Response(200, json={"queue": {}})])
    assert service.get("/v1/live") == {"queue": {}}


def test_what_is_sent_is_sent_again_after_an_outage() -> None:
    service = running_with([httpx.Response(503), httpx.Response(201, json={"accepted": 1})])
    assert service.post("/v1/outputs", {"outputs": []}) == {"accepted": 1}


def test_a_service_that_has_ended_is_told_at_once() -> None:
    with pytest.raises(UnavailableError, match="the service ended"):
        running_with([httpx.Response(503)], ended=True).get("/v1/live")


def test_an_outage_that_lasts_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "PATIENCE", 0.0)
    with pytest.raises(UnavailableError, match="503"):
        running_with([httpx.Response(503)] * 3).get("/v1/live")


def test_a_refusal_is_not_repeated() -> None:
    refused = httpx.Response(404, json={"error": {"code": "not_found", "message": "none yet"}})
    with pytest.raises(RefusedError, match="none yet"):
        running_with([refused]).get("/v1/campaigns/demo/champion")


@pytest.mark.parametrize("role", ["admin", "lead"])
def test_a_deployment_is_driven_with_its_admins_key_alone(monkeypatch: pytest.MonkeyPatch, role: str) -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json={"role": role}))
    client = Client(httpx.Client(base_url="http://there", transport=transport))
    monkeypatch.setattr(running, "connect", lambda url: client)
    if role == "admin":
        with deployed_service("http://there", "plk_a_b") as service:
            assert service.url == "http://there"
    else:
        with pytest.raises(DemoError, match="of role lead"), deployed_service("http://there", "plk_a_b"):
            pass

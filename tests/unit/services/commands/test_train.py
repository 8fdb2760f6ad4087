"""`prefloop train`, from the request to what the gate said."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from services.cli import app
from services.commands import models
from streams.errors import TrainingError, UnavailableError

DECISION = {"decision": "rejected", "by": "gate", "reasons": ["KL 0.1 [nats]: pass", "held-out accuracy 0.4: fail"]}


class Service:
    """A trainer that needs two looks and a gate that needs as many; what they come to is set by the tests."""

    ends: dict[str, Any] = {"status": "finished"}
    decision: dict[str, Any] | None = DECISION
    away: tuple[int, ...] = ()  # looks at the run that meet an outage

    def __init__(self, server: str) -> None:
        self.looks: dict[str, int] = {}

    def post(self, path: str, body: dict[str, Any]) -> dict[str, str]:
        return {"batch": "b1", "run": "r1"}

    def get(self, path: str) -> dict[str, Any]:
        self.looks[path] = look = self.looks.get(path, 0) + 1
        if path == "/v1/runs/r1" and look in self.away:
            raise UnavailableError("restarting")
        run = {"run": "r1", "stage": "dpo", "step": 1, "steps": 4, "status": "running"}
        return {
            "/v1/campaigns/default": {"training": {"base_model": "m"}},
            "/v1/runs/r1": {**run, **(self.ends if look > 1 else {})},
            "/v1/models": {"models": [{"model": "m-0", "run": "r0"}, {"model": "m-1", "run": "r1"}]},
            "/v1/models/m-1": {"model": "m-1", "status": "candidate", "decision": self.decision if look > 1 else None},
        }[path]


@pytest.fixture(autouse=True)
def service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "Remote", Service)
    clock = iter(range(1_000))
    monkeypatch.setattr(models, "time", SimpleNamespace(sleep=lambda _: None, monotonic=lambda: next(clock)))


def test_it_ends_with_what_the_gate_said_and_why() -> None:
    told = CliRunner().invoke(app, ["train"]).stdout
    assert "model m-1: rejected by gate" in told
    assert "  KL 0.1 [nats]: pass\n  held-out accuracy 0.4: fail\n" in told


def test_a_service_that_restarts_meanwhile_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Service, "away", (1,))
    assert "model m-1: rejected by gate" in CliRunner().invoke(app, ["train"]).stdout


def test_a_gate_that_takes_its_time_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Service, "decision", None)
    assert "model m-1: candidate, nobody has decided yet" in CliRunner().invoke(app, ["train"]).stdout


def test_a_run_that_failed_is_an_error_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Service, "ends", {"status": "failed", "error": "out of memory: lower batch_size"})
    ended = CliRunner().invoke(app, ["train"])
    assert isinstance(ended.exception, TrainingError)
    assert "lower batch_size" in str(ended.exception)

"""Training runs across API, log, views and gate."""

from __future__ import annotations

from typing import Any

from starlette.testclient import TestClient

from services.api.app import create_app
from services.coordinator.gate import decide_checkpoints
from streams import events as e
from tests.integration.world import Answer, Clock, World, error_of

PAIRS = {"pairs": 100, "new_correct": 80, "champion_correct": 65, "only_new_correct": 20, "only_champion_correct": 5}
REPORT = {"holdout": PAIRS}


def requested(world: World, run: str) -> None:
    now = world.service.clock()
    update = e.RunUpdate(run=run, batch="b-1", status="requested", base_model="tiny", ingested_at=now)
    world.service.log.submit(lambda tx: tx.append(update)).result()


def claim(world: World, trainer: str = "one") -> Answer:
    return world("engineer", "POST", "/v1/runs/claim", {"trainer": trainer})


def finish(world: World, run: str, model: str) -> None:
    body = {"trainer": "one", "model": model, "uri": f"artifacts/{model}", "report": REPORT}
    assert world("engineer", "POST", f"/v1/runs/{run}/finish", body).status_code == 200
    world.service.engine.drain()


def promote(world: World, model: str) -> None:
    assert world("engineer", "POST", f"/v1/models/{model}/promote", {"reason": "wanted"}).status_code == 200
    world.service.engine.drain()


def model_of(world: World, model: str) -> dict[str, Any]:
    found: dict[str, Any] = world("lead", "GET", f"/v1/models/{model}").json()
    return found


def test_a_run_starts_from_the_champion_of_its_claim_and_the_gate_agrees(world: World, clock: Clock) -> None:
    requested(world, "r-1")
    clock.now += 1
    requested(world, "r-2")  # asked for while nobody was champion
    claim(world)
    finish(world, "r-1", "m-1")
    promote(world, "m-1")
    assert claim(world).json()["parent"] == {"model": "m-1", "uri": "artifacts/m-1"}
    finish(world, "r-2", "m-2")
    assert world("lead", "GET", "/v1/runs/r-2").json()["parent"] == "m-1"
    assert model_of(world, "m-2")["parent"] == "m-1"
    (decision,) = decide_checkpoints(world.service)
    assert (decision.model, decision.decision) == ("m-2", "promoted"), decision.reasons


def test_a_run_that_goes_on_keeps_its_parent_and_the_gate_says_so(world: World, clock: Clock) -> None:
    """What was trained and measured before the kill is of the old parent."""
    requested(world, "r-1")
    clock.now += 1
    requested(world, "r-2")
    claim(world)
    finish(world, "r-1", "m-1")
    assert claim(world).json()["parent"] is None
    promote(world, "m-1")
    assert claim(world).json()["parent"] is None
    finish(world, "r-2", "m-2")
    (decision,) = decide_checkpoints(world.service)
    assert decision.decision == "rejected"
    assert "train again from it" in " ".join(decision.reasons)


def test_a_run_that_kills_its_trainers_is_given_up(world: World, clock: Clock) -> None:
    requested(world, "r-1")
    clock.now += 1
    requested(world, "r-2")
    for _ in range(3):
        assert claim(world).json()["run"] == "r-1"
    with TestClient(create_app(world.service)) as client:  # a new start counts on
        second = World(world.service, client)
        for _ in range(2):
            assert claim(second).json()["run"] == "r-1"
        assert claim(second).json()["run"] == "r-2"
        error_of(second("engineer", "POST", "/v1/runs/r-1/fail", {"trainer": "one", "error": "late"}), 409)
        world.service.engine.drain()
        failed = second("lead", "GET", "/v1/runs/r-1").json()
    assert failed["status"] == "failed"
    assert "claimed 5 times" in failed["error"]
    assert "max_length" in failed["error"]

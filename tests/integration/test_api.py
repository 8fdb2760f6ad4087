"""The API over a real engine in a temporary folder: every role, campaigns, runs, reads."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from sqlalchemy import delete

from services.api.roles import ALL, PUBLIC, TABLE, Role
from services.queue.memory import MemoryQueue
from services.store import models as m
from streams import events as e
from streams.codecs import encode
from streams.errors import UnavailableError
from tests.integration.world import Answer, Clock, World, error_of

# ---------------------------------------------------------------- roles


def routes_of(app: Any) -> set[tuple[str, str]]:
    document = app.openapi()
    return {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}


def test_the_table_and_the_app_know_the_same_routes(shared: World) -> None:
    assert routes_of(shared.client.app) == set(TABLE)


def test_every_role_at_every_endpoint(shared: World) -> None:
    for method, path in sorted(TABLE):
        concrete = re.sub(r"{\w+}", "nothing-here", path)
        is_public = TABLE[method, path] is PUBLIC
        for role in sorted(ALL):
            status = shared(role, method, concrete).status_code
            assert status < 500, (role, method, path, status)
            assert (status != 403) == (is_public or role in TABLE[method, path]), (role, method, path, status)
        assert (shared.client.request(method, concrete).status_code != 401) == is_public, (method, path)


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer nonsense", "Bearer plk_lead_wrong", "Basic plk_lead_secret"])
def test_no_key_no_entry(shared: World, header: str) -> None:
    assert error_of(shared.client.get("/v1/live", headers={"Authorization": header}), 401)["code"] == "unauthorized"


def test_a_revoked_key_is_out_of_force_at_once(world: World) -> None:
    made = world("admin", "POST", "/v1/keys", {"name": "chat", "role": "producer"}).json()
    headers = {"Authorization": f"Bearer {made['key']}"}
    assert world.client.get("/v1/me", headers=headers).status_code == 200
    assert made["key"] not in world("admin", "GET", "/v1/keys").text
    assert world("admin", "DELETE", f"/v1/keys/{made['key_id']}").status_code == 200
    assert world.client.get("/v1/me", headers=headers).status_code == 401
    error_of(world("admin", "DELETE", f"/v1/keys/{made['key_id']}"), 404)


def test_secrets_are_nowhere_in_the_data_folder(world: World, tmp_path: Path) -> None:
    made = world("lead", "POST", "/v1/annotators", {"name": "Ada"}).json()
    secret = made["key"].split("_", 2)[2].encode()
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and secret in path.read_bytes()]


def test_a_lead_sees_what_annotators_are_asked_for_also_without_the_queue(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = world("lead", "POST", "/v1/annotators", {"name": "Ada"}).json()["annotator"]

    def grades() -> set[Any]:
        listed = {one["annotator"]: one["grade"] for one in world("lead", "GET", "/v1/annotators").json()["annotators"]}
        return {listed[ada], world("lead", "GET", f"/v1/annotators/{ada}").json()["grade"]}

    assert grades() == {None}, "nobody can be told apart yet"
    monkeypatch.setattr(MemoryQueue, "grades", Mock(return_value={ada: "seldom"}))
    assert grades() == {"seldom"}
    monkeypatch.setattr(MemoryQueue, "grades", Mock(side_effect=UnavailableError("no answer")))
    assert grades() == {None}


# ---------------------------------------------------------------- campaigns, runs, reads


def test_a_change_makes_the_next_version_and_the_same_again_none(world: World) -> None:
    body = {"guideline": "# Be kind <script>", "gold_rate": 0.2}
    versions = [world("lead", "PUT", "/v1/campaigns/default", body).json()["version"] for _ in range(2)]
    assert versions == [2, 2]
    guideline = world("annotator", "GET", "/v1/campaigns/default/guideline").json()
    assert "<h1>" in guideline["html"]
    assert "<script" not in guideline["html"]
    assert world("lead", "GET", "/v1/campaigns/default").json()["gold_rate"] == 0.2


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"surprise": 1}, "surprise"),
        ({"rules": [{"overlapp": 5}]}, "rules[0].overlapp"),
        ({"targets": {"posterior": 1.5}}, "targets.posterior"),
        ({"rules": [{"overlap": 0}]}, "rules[0].overlap"),
        ({"gold_rate": 2}, "gold_rate"),
        ({"criteria": [{"name": "x", "question": "?"}] * 2}, "criteria"),
        ({"mode": "recorded"}, "mode"),
    ],
)
def test_campaigns_that_make_no_sense(shared: World, body: dict[str, Any], field: str) -> None:
    status = 409 if field == "mode" else 422
    assert error_of(shared("lead", "PUT", "/v1/campaigns/default", body), status)["field"] == field


def requested(world: World, run: str) -> None:
    update = e.RunUpdate(run=run, batch="b-1", status="requested", base_model="tiny", ingested_at=world.service.clock())
    world.service.log.submit(lambda tx: tx.append(update)).result()


def test_one_run_at_a_time_and_never_two_trainers_on_one(world: World, clock: Clock) -> None:
    requested(world, "r-1")
    clock.now += 1
    requested(world, "r-2")

    def claim(trainer: str) -> Answer:
        return world("engineer", "POST", "/v1/runs/claim", {"trainer": trainer})

    assert claim("one").json()["run"] == "r-1"
    assert claim("two").status_code == 204
    assert claim("one").json()["run"] == "r-1"
    progress = {"trainer": "two", "stage": "dpo", "step": 1, "steps": 9, "metrics": {"loss": 0.6}}
    error_of(world("engineer", "POST", "/v1/runs/r-1/progress", progress), 409)
    assert world("engineer", "POST", "/v1/runs/r-1/progress", {**progress, "trainer": "one"}).status_code == 200
    clock.now += 5 * 60_000 + 1
    assert claim("two").json()["run"] == "r-1"
    error_of(world("engineer", "POST", "/v1/runs/r-1/progress", {**progress, "trainer": "one"}), 409)
    finish = {"trainer": "two", "model": "m_1", "uri": "artifacts/m_1", "report": {"kl": 0.5}}
    assert world("engineer", "POST", "/v1/runs/r-1/finish", finish).status_code == 200
    assert claim("two").json()["run"] == "r-2"
    assert world("engineer", "POST", "/v1/runs/r-2/fail", {"trainer": "two", "error": "no memory"}).status_code == 200
    world.service.engine.drain()
    assert world("lead", "GET", "/v1/runs/r-1").json()["curves"][0]["metrics"] == {"loss": 0.6}
    assert world("lead", "GET", "/v1/models/m_1").json()["report"]["kl"] == 0.5
    promoted = world("engineer", "POST", "/v1/models/m_1/promote", {"reason": "people like it"})
    assert promoted.status_code == 200
    assert world("producer", "GET", "/v1/campaigns/default/champion").json() == {"model": "m_1", "uri": "artifacts/m_1"}
    world.service.log.submit(lambda transaction: transaction.sql.execute(delete(m.promotions))).result()
    model = world("lead", "GET", "/v1/models/m_1").json()  # though the views have not heard of it yet
    assert (model["status"], model["decision"]["reasons"]) == ("champion", ["people like it"])


def prefers_the_lock(world: World, role: Role, task: dict[str, Any]) -> None:
    side = "left" if task["left"]["text"] == "A lock." else "right"
    assert world(role, "POST", "/v1/judgments", {"task": task["task"], "choice": side}).status_code == 201
    world.service.engine.drain()


def test_from_judgments_to_a_dataset(world: World) -> None:
    campaign = {"rules": [{"overlap": 2}], "training": {"holdout_rate": 0.0}, "targets": {"posterior": 0.6}}
    assert world("lead", "PUT", "/v1/campaigns/default", campaign).status_code == 200
    task = world.task()
    prefers_the_lock(world, "annotator", task)
    if (second := world("admin", "POST", "/v1/tasks/next")).status_code == 200:  # one may be enough for the target
        prefers_the_lock(world, "admin", second.json())
    (preference,) = world("engineer", "GET", "/v1/preferences").json()["preferences"]
    assert preference["verdict"] == "a"
    batch = world("engineer", "POST", "/v1/batches", {"campaign": "default"})
    assert batch.status_code == 201, batch.text
    lines = world("engineer", "GET", f"/v1/datasets/{batch.json()['batch']}").text.splitlines()
    (pair,) = [json.loads(line) for line in lines]
    assert pair["chosen"] == [{"role": "assistant", "content": "A lock."}]
    assert pair["rejected"] == [{"role": "assistant", "content": "A **fish**."}]
    assert pair["probability"] > 0.5
    assert pair["annotators"]
    assert pair["outputs"][0]["output"] == "o-1"
    assert pair["outputs"][0]["offset"] == 0
    judgment = pair["judgments"][0]
    lineage = world("lead", "GET", f"/v1/judgments/{judgment}/lineage").json()
    assert lineage["batches"] == [batch.json()["batch"]]
    streamed = world("engineer", "GET", "/v1/preferences", headers={"Accept": "application/x-ndjson"})
    assert json.loads(streamed.text.splitlines()[0])["task"] == task["task"]


def test_watching(world: World) -> None:
    world.task()
    live = world("lead", "GET", "/v1/live").json()
    assert live["topics"]["outputs"]["events"] == 1
    assert live["queue"] == {"open": 1, "leased": 1, "escalated": 0, "by_campaign": {"default": 1}}
    assert live["annotators"]["online"] >= 1
    metrics = world.client.get("/metrics").text
    assert 'prefloop_events_total{topic="outputs"} 1.0' in metrics
    assert 'prefloop_http_requests_total{method="POST",path="/v1/tasks/next",status="200"} 1.0' in metrics
    assert world.client.get("/readyz").status_code == 200
    quality = world("lead", "GET", "/v1/quality").json()
    assert quality["judgments"] == 0
    assert error_of(world("lead", "GET", "/v1/annotators?limit=x"), 422)["field"] == "limit"


def test_dead_letters_can_be_replayed(world: World) -> None:
    good = encode(e.Alert(id="al", alert="al", annotator="an_annotator", hypothesis="speed"))
    letters = [
        e.DeadLetter(
            topic="alerts", partition=0, offset=0, key="k", stage="views", reason="was broken", payload=payload
        )
        for payload in (good, b"\xff")
    ]
    for letter in letters:
        world.service.log.submit(lambda tx, letter=letter: tx.append(letter)).result()  # type: ignore[misc]
    world.service.engine.drain()
    assert len(world("lead", "GET", "/v1/dead_letters").json()["dead_letters"]) == 2
    assert world("engineer", "POST", "/v1/dead_letters/0/replay").status_code == 200
    error_of(world("engineer", "POST", "/v1/dead_letters/1/replay"), 422)
    error_of(world("engineer", "POST", "/v1/dead_letters/7/replay"), 404)
    world.service.engine.drain()
    assert [alert["alert"] for alert in world("lead", "GET", "/v1/alerts").json()["alerts"]] == ["al"]

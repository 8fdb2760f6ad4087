"""The API over a real engine in a temporary folder: every role, every subject, bad input."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from services.api.app import create_app
from services.api.roles import ALL, PUBLIC, TABLE, Role
from streams import events as e
from streams.codecs import encode
from tests.integration.world import OUTPUT, Answer, Clock, World, error_of, wait_until_ready

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


# ---------------------------------------------------------------- outputs


def test_one_output_is_idempotent_by_id(world: World) -> None:
    answers = [world("producer", "POST", "/v1/outputs", OUTPUT) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 200]
    error = error_of(world("producer", "POST", "/v1/outputs", {**OUTPUT, "prompt": "Other?"}), 409)
    assert (error["code"], error["field"]) == ("conflict", "id")
    world.service.engine.drain()
    assert world.service.store.end("outputs") == 1
    texts = world.service.store.newest("texts", "o-1")
    assert isinstance(texts, e.Text)
    assert texts.prompt[0].content[0].text == "What is a mutex?"


def test_a_batch_says_what_became_of_each(world: World) -> None:
    items = [
        OUTPUT,
        {**OUTPUT, "id": "o-2"},
        {**OUTPUT, "prompt": "Other?"},
        {"id": 3},
        {**OUTPUT, "id": "o-4", "prompt": ""},
    ]
    answer = world(
        "producer", "POST", "/v1/outputs", {"outputs": [*items, OUTPUT, {**OUTPUT, "id": "o-6", "gold": "a"}]}
    )
    assert answer.status_code == 200
    told = answer.json()
    assert (told["accepted"], told["duplicates"], told["rejected"]) == (2, 1, 4)
    found = [(error["index"], error["code"], error["field"]) for error in told["errors"]]
    assert found == [(2, "conflict", "id"), (3, "invalid", "id"), (4, "invalid", "prompt"), (6, "forbidden", "gold")]


def test_ndjson_with_a_broken_line(world: World) -> None:
    lines = "\n".join([json.dumps(OUTPUT), "{broken", "", json.dumps({**OUTPUT, "id": "o-2"})])
    headers = {"Content-Type": "application/x-ndjson"}
    told = world("producer", "POST", "/v1/outputs", content=lines, headers=headers).json()
    assert (told["accepted"], told["rejected"], told["errors"][0]["index"]) == (2, 1, 1)


def test_a_large_batch_is_whole(world: World) -> None:
    items = [{**OUTPUT, "id": f"o-{i}"} for i in range(1_500)]
    assert world("producer", "POST", "/v1/outputs", {"outputs": items}).json()["accepted"] == 1_500
    assert world("producer", "POST", "/v1/outputs", {"outputs": items}).json()["duplicates"] == 1_500
    error_of(world("producer", "POST", "/v1/outputs", {"outputs": [OUTPUT] * 10_001}), 413)


DEEP = b'{"prompt": ' + b'[{"role":"user","content":' * 100_000
BAD_BODIES = [
    (b"", 400, ""),
    (b"{", 400, ""),
    (b"[]", 422, ""),
    (b"null", 422, ""),
    (b'{"prompt": "\xff", "responses": ["r"]}', 400, ""),
    (b'{"prompt": "\\ud800", "responses": ["r"]}', 400, ""),
    (b'{"prompt": "a\\u0000b", "responses": ["r"]}', 422, "prompt"),
    (b'{"prompt": "p", "responses": "r"}', 422, "responses"),
    (b'{"prompt": "p", "responses": ["r"], "surprise": 1}', 422, "surprise"),
    (b'{"prompt": "p", "responses": ["r"], "campaign": "nowhere"}', 404, "campaign"),
    (b'{"prompt": "p", "responses": ["r"], "time": 99999999999999999999999}', 422, "time"),
    (b'{"prompt": "p", "responses": ["r"], "time": 17900000000000000}', 422, "time"),
    (b'{"prompt": "p", "responses": ["r"], "surprise": ' + b"[" * 200_000 + b"]" * 200_000 + b"}", 400, ""),
    (b'{"outputs": 7}', 422, "outputs"),
    (b'{"outputs": [' + b"[" * 200_000, 400, ""),
]


@pytest.mark.parametrize(("body", "status", "field"), BAD_BODIES, ids=lambda value: str(value)[:40])
def test_bad_bodies_get_their_4xx(shared: World, body: bytes, status: int, field: str) -> None:
    assert error_of(shared("producer", "POST", "/v1/outputs", content=body), status)["field"] == field


def test_a_huge_prompt_and_a_huge_body(shared: World) -> None:
    assert (
        error_of(shared("producer", "POST", "/v1/outputs", {**OUTPUT, "prompt": "x" * 300_000}), 422)["field"]
        == "prompt"
    )
    assert error_of(shared("annotator", "POST", "/v1/judgments", content=b"x" * 2_000_000), 413)["code"] == "too_large"


def test_a_million_tags(shared: World) -> None:
    tags = {f"t{i}": "v" for i in range(1_000_000)}
    assert error_of(shared("producer", "POST", "/v1/outputs", {**OUTPUT, "tags": tags}), 422)["field"] == "tags"


def test_unknown_paths_and_methods_answer_in_the_same_form(shared: World) -> None:
    assert error_of(shared("admin", "GET", "/v1/nothing"), 404)["code"] == "not_found"
    error_of(shared("admin", "PATCH", "/v1/outputs"), 405)


def test_signals_need_their_output(world: World) -> None:
    world("producer", "POST", "/v1/outputs", OUTPUT)
    body = {"id": "s-1", "output": "o-1", "kind": "edit", "edit": "A lock that waits."}
    assert [world("producer", "POST", "/v1/signals", body).status_code for _ in range(2)] == [201, 200]
    error_of(world("producer", "POST", "/v1/signals", {**body, "edit": "Other."}), 409)
    error_of(world("producer", "POST", "/v1/signals", {"output": "nothing", "kind": "retry"}), 404)


def test_a_signal_belongs_to_its_outputs_campaign_before_the_views_know_it(world: World) -> None:
    assert world("lead", "PUT", "/v1/campaigns/chat", {}).status_code == 200
    assert world("producer", "POST", "/v1/outputs", {**OUTPUT, "campaign": "chat"}).status_code == 201
    world.service.engine.drain()
    world.service.log.submit(lambda tx: tx.sql.exec_driver_sql("DELETE FROM outputs")).result()  # as if behind
    assert world("producer", "POST", "/v1/signals", {"output": "o-1", "kind": "retry"}).status_code == 201
    assert world.service.store.read("signals")[0].event.campaign == "chat"


# ---------------------------------------------------------------- tasks and judgments


def test_the_page_sees_words_and_nothing_else(world: World) -> None:
    responses = ["<script>alert(1)</script>", "[x](javascript:alert(1))"]
    task = world.task(responses=responses, tags={"source": "vendor-secret"})
    assert {task["left"]["text"], task["right"]["text"]} == set(responses)
    text = json.dumps(task)
    assert "m-secret" not in text
    assert "vendor-secret" not in text
    shown = task["left"]["html"] + task["right"]["html"]
    assert "<script" not in shown
    assert 'href="javascript' not in shown
    again = world("annotator", "GET", f"/v1/tasks/{task['task']}")
    assert again.json() == task


def test_a_judgment_is_idempotent_and_can_be_changed(world: World) -> None:
    task = world.task()
    body = {"task": task["task"], "choice": "left", "reason": "shorter", "marks": {"helpful": "tie"}}
    first, again = (world("annotator", "POST", "/v1/judgments", body) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["counted"]
    assert first.json() == again.json()
    error_of(world("annotator", "POST", "/v1/judgments", {**body, "choice": "right"}), 409)
    changed = world("annotator", "POST", "/v1/judgments", {**body, "choice": "right", "revision": 2})
    assert changed.status_code == 201
    world.service.engine.drain()
    records = world.service.store.read("judgments")
    events = [record.event for record in records if isinstance(record.event, e.Judgment)]
    swapped = task["left"]["text"] == "A **fish**."
    assert [event.choice for event in events] == (["b", "a"] if swapped else ["a", "b"])
    assert {event.swapped for event in events} == {swapped}


def test_a_late_judgment_is_kept_and_told_kindly(world: World, clock: Clock) -> None:
    world("lead", "PUT", "/v1/campaigns/default", {"rules": [{"overlap": 1}]})
    task = world.task()
    clock.now += 600_001
    assert world("adjudicator", "POST", "/v1/tasks/next").json()["task"] == task["task"]
    body = {"task": task["task"], "choice": "tie"}
    late = world("annotator", "POST", "/v1/judgments", body)
    assert late.status_code == 201
    assert not late.json()["counted"]
    assert "Nothing is wrong" in late.json()["message"]
    error_of(world("annotator", "POST", "/v1/judgments", {**body, "revision": 2}), 410)
    error_of(world("annotator", "GET", f"/v1/tasks/{task['task']}"), 410)


def test_foreign_unknown_and_malformed_judgments(world: World) -> None:
    task = world.task()
    error_of(world("adjudicator", "POST", "/v1/judgments", {"task": task["task"], "choice": "left"}), 403)
    error_of(world("annotator", "POST", "/v1/judgments", {"task": "nothing", "choice": "left"}), 404)
    body = {"task": task["task"], "choice": "a"}
    assert error_of(world("annotator", "POST", "/v1/judgments", body), 422)["field"] == "choice"
    body = {"task": task["task"], "choice": "left", "marks": {"polite": "left"}}
    assert error_of(world("annotator", "POST", "/v1/judgments", body), 422)["field"] == "marks"
    assert world("annotator", "POST", "/v1/judgments", {"task": task["task"], "choice": "left"}).status_code == 201


def test_skip_gives_it_to_others(world: World) -> None:
    task = world.task()
    assert world("annotator", "POST", f"/v1/tasks/{task['task']}/skip", {"reason": "unclear"}).status_code == 200
    nothing = world("annotator", "POST", "/v1/tasks/next")
    assert (nothing.status_code, nothing.headers["X-Prefloop-Reason"]) == (204, "others")
    assert world("adjudicator", "POST", "/v1/tasks/next").json()["task"] == task["task"]


def test_suspending_stops_the_next_task_at_once(world: World) -> None:
    world.task()
    world("producer", "POST", "/v1/outputs", {**OUTPUT, "id": "o-2"})
    world("lead", "POST", "/v1/annotators/an_annotator/suspend", {"reason": "too fast", "retract": True})
    assert error_of(world("annotator", "POST", "/v1/tasks/next"), 403)["message"].endswith("the reason given: too fast")
    assert world("annotator", "GET", "/v1/me").json()["standing"] == "suspended"
    assert world("lead", "GET", "/v1/annotators/an_annotator").json()["since"] == 1
    assert world("lead", "POST", "/v1/annotators/an_annotator/reinstate", {"reason": "talked"}).status_code == 200
    assert world("annotator", "POST", "/v1/tasks/next").status_code == 200
    error_of(world("lead", "POST", "/v1/annotators/nobody/suspend", {"reason": "x"}), 404)


def test_the_evidence_of_every_test_is_drawn_from_the_views(world: World) -> None:
    task = world.task()
    answer = {"task": task["task"], "choice": "left"}
    assert world("annotator", "POST", "/v1/judgments", answer).status_code == 201
    world.service.engine.drain()
    tests = world("lead", "GET", "/v1/annotators/an_annotator/evidence").json()["tests"]
    assert {"left", "right"} <= {test["test"] for test in tests}
    for test in tests:
        assert [level["standing"] for level in test["levels"]] == ["weighted", "suspended"]
        assert len(test["points"]) == 1
    error_of(world("annotator", "GET", "/v1/annotators/an_annotator/evidence"), 403)


def test_an_appeal_is_seen_by_the_lead_and_answered_by_the_next_standing(world: World) -> None:
    words = {"words": "I read fast: I wrote these texts."}
    error_of(world("annotator", "POST", "/v1/me/appeal", words), 409)  # nothing to appeal against
    world("lead", "POST", "/v1/annotators/an_annotator/suspend", {"reason": "too fast"})
    world.service.engine.drain()
    assert world("annotator", "GET", "/v1/me").json()["appealed"] is False
    assert world("annotator", "POST", "/v1/me/appeal", words).status_code == 201
    error_of(world("annotator", "POST", "/v1/me/appeal", {"words": "please"}), 409)
    world.service.engine.drain()
    assert world("annotator", "GET", "/v1/me").json()["appealed"] is True
    (appeal,) = world("lead", "GET", "/v1/appeals").json()["appeals"]
    assert (appeal["annotator"], appeal["words"], appeal["reason"]) == ("an_annotator", words["words"], "too fast")
    error_of(world("annotator", "GET", "/v1/appeals"), 403)
    world("lead", "POST", "/v1/annotators/an_annotator/suspend", {"reason": "we spoke, it stays so"})
    world.service.engine.drain()
    assert world("lead", "GET", "/v1/appeals").json()["appeals"] == []
    assert world("annotator", "POST", "/v1/me/appeal", words).status_code == 201  # against the new decision
    world("lead", "POST", "/v1/annotators/an_annotator/reinstate", {"reason": "sorry"})
    world.service.engine.drain()
    assert world("lead", "GET", "/v1/appeals").json()["appeals"] == []
    assert world("annotator", "POST", "/v1/tasks/next").status_code in (200, 204)


def test_gold_from_a_lead_is_hidden_and_only_from_a_lead(world: World) -> None:
    assert world("lead", "POST", "/v1/outputs", {**OUTPUT, "gold": "a"}).status_code == 201
    error_of(world("producer", "POST", "/v1/outputs", {**OUTPUT, "id": "o-2", "gold": "a"}), 403)


def test_a_second_start_knows_what_the_first_one_granted(world: World, tmp_path: Path) -> None:
    task = world.task()
    world("annotator", "POST", "/v1/judgments", {"task": task["task"], "choice": "left"})
    world.service.engine.drain()
    with TestClient(create_app(world.service)) as client:
        second = World(world.service, client)
        wait_until_ready(client)
        assert second("annotator", "POST", "/v1/tasks/next").status_code == 204
        again = second("annotator", "POST", "/v1/judgments", {"task": task["task"], "choice": "left"})
        assert again.status_code == 200
        assert second("adjudicator", "POST", "/v1/tasks/next").json()["task"] == task["task"]


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

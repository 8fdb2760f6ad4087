"""Tasks, judgments and standings through the API."""

from __future__ import annotations

import json
from pathlib import Path

from starlette.testclient import TestClient

from services.api.app import create_app
from streams import events as e
from tests.integration.world import OUTPUT, Clock, World, error_of, wait_until_ready


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

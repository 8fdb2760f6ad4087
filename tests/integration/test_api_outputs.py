"""Outputs and signals through the API, and all the bad input that it must refuse."""

from __future__ import annotations

import json

import pytest

from streams import events as e
from tests.integration.world import OUTPUT, World, error_of


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

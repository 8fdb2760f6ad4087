"""A model judges through the HTTP API like anyone: its share, its standing, its reliability."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import httpx
import msgspec
import pytest
from sqlalchemy import select

from dashboard.client import Client, RefusedError
from services.ai_annotator.constitution import Constitution
from services.ai_annotator.recording import Recorder, Replayer
from services.ai_annotator.worker import AiAnnotator
from services.api.routes.tasks import capped
from services.store import models as m
from streams.errors import PrefloopError
from tests.integration.world import KEYS, Clock, World, opened

PRINCIPLES = Constitution(endpoint="http://model/v1", model="judge-7b", principles=("Prefer what is true.",))
Reply = Callable[[dict[str, Any]], str]


@pytest.fixture
def world(tmp_path: Path, clock: Clock) -> Iterator[World]:
    with opened(tmp_path, clock) as world:
        world("lead", "PUT", "/v1/campaigns/default", {"model_share": 1.0, "gold_rate": 0.0})
        yield world


def send(world: World, count: int = 1) -> None:
    for n in range(count):
        body = {"id": f"o-{n}", "prompt": f"What is {n}?", "responses": [f"A number, {n}.", f"A fish called {n}."]}
        assert world("producer", "POST", "/v1/outputs", body).status_code in (200, 201)
    world.service.engine.drain()


def annotator(world: World, reply: Reply | httpx.BaseTransport, **changes: Any) -> AiAnnotator:
    def answer(request: httpx.Request) -> httpx.Response:
        assert callable(reply)
        text = reply(json.loads(request.content))
        return httpx.Response(200, json={"choices": [{"message": {"content": text}}]})

    transport = reply if isinstance(reply, httpx.BaseTransport) else httpx.MockTransport(answer)
    return AiAnnotator(
        service=Client(cast(httpx.Client, world.client)),
        key=KEYS["model"],
        model=httpx.Client(transport=transport),
        constitution=msgspec.structs.replace(PRINCIPLES, **changes),
        pause=lambda _: False,
    )


def truthful(body: dict[str, Any]) -> str:
    """The one that says number."""
    asked = body["messages"][1]["content"]
    better = "first" if asked.index("A number") < asked.index("A fish") else "second"
    return json.dumps({"better": better, "reason": "it is true", "strength": 3})


def first(body: dict[str, Any]) -> str:
    return '{"better": "first", "reason": "it comes first"}'


def judgments(world: World) -> list[Any]:
    world.service.engine.drain()
    with world.service.database.connect() as sql:
        return list(sql.execute(select(m.judgments).order_by(m.judgments.c.log_offset)).mappings())


def test_it_judges_until_nothing_is_left_and_says_it_is_a_model(world: World) -> None:
    send(world, 3)
    worker = annotator(world, truthful)
    assert [worker.work_once() for _ in range(4)] == ["judged", "judged", "judged", "idle"]
    found = judgments(world)
    assert [(row["choice"], row["role"], row["strength"]) for row in found] == [("a", "model", 3)] * 3
    assert {row["annotator"] for row in found} == {"an_model"}
    known = world("lead", "GET", "/v1/annotators/an_model").json()
    assert (known["standing"], known["accuracy"] is not None) == ("active", True)


def test_a_preference_for_a_position_becomes_an_unsure_tie(world: World) -> None:
    send(world)
    worker = annotator(world, first)
    assert worker.work_once() == "judged"
    (row,) = judgments(world)
    assert (row["choice"], row["flags"], worker.counts.torn) == ("tie", ["unsure"], 1)


def test_asked_in_one_order_the_model_is_believed(world: World) -> None:
    send(world)
    assert annotator(world, first, both_orders=False).work_once() == "judged"
    (row,) = judgments(world)
    assert row["choice"] in ("a", "b")


def test_a_reply_that_cannot_be_read_is_asked_for_again_and_then_given_back(world: World) -> None:
    send(world, 2)
    replies = iter(["Well,", "it depends", '{"better": "tie", "reason": "alike"}', "no", "no", "no"])
    asked: list[dict[str, Any]] = []

    def reply(body: dict[str, Any]) -> str:
        asked.append(body)
        return next(replies)

    worker = annotator(world, reply, both_orders=False)
    assert [worker.work_once(), worker.work_once()] == ["judged", "skipped"]
    assert [turn["content"] for turn in asked[2]["messages"] if turn["role"] == "assistant"] == ["Well,", "it depends"]
    assert (worker.counts.unreadable, worker.counts.skipped) == (5, 1)
    assert len(judgments(world)) == 1


def test_an_outage_of_the_model_keeps_the_task_and_a_refusal_ends_the_work(world: World) -> None:
    send(world)
    statuses = iter([503, 503, 503, 200, 200])

    def flaky(request: httpx.Request) -> httpx.Response:
        text = truthful(json.loads(request.content))
        return httpx.Response(next(statuses), json={"choices": [{"message": {"content": text}}]})

    worker = annotator(world, httpx.MockTransport(flaky))
    assert [worker.work_once(), worker.work_once(), worker.work_once()] == ["outage", "judged", "idle"]
    send(world, 2)
    with pytest.raises(PrefloopError, match="did not answer"):
        annotator(world, httpx.MockTransport(lambda _: httpx.Response(401))).work_once()


def test_a_suspended_model_stops(world: World) -> None:
    send(world)
    world("lead", "POST", "/v1/annotators/an_model/suspend", {"reason": "it prefers long answers"})
    world.service.engine.drain()
    with pytest.raises(RefusedError, match="long answers") as told:
        annotator(world, truthful).work_once()
    assert told.value.mend


def test_models_together_keep_to_their_share(world: World) -> None:
    world("lead", "PUT", "/v1/campaigns/default", {"model_share": 0.5, "gold_rate": 0.0})
    send(world, 6)
    worker = annotator(world, truthful)
    assert worker.work_once() == "idle"  # one of one would be more than a half
    for expected in ("judged", "idle"):
        if expected == "judged":
            task = world("annotator", "POST", "/v1/tasks/next").json()["task"]
            assert world("annotator", "POST", "/v1/judgments", {"task": task, "choice": "left"}).status_code == 201
            world.service.engine.drain()
        assert worker.work_once() == expected
        world.service.engine.drain()
    assert [row["role"] for row in judgments(world)] == ["annotator", "model"]


@pytest.mark.parametrize(
    ("share", "models", "everybody", "full"),
    [
        (0.0, 0, 0, True),
        (0.5, 0, 0, True),
        (0.5, 0, 1, False),
        (0.5, 1, 2, True),
        (0.25, 2, 11, False),
        (1.0, 9, 9, False),
    ],
)
def test_the_share_is_never_more(share: float, models: int, everybody: int, full: bool) -> None:
    assert ("c" in capped({"c": share}, {"c": (models, everybody)})) == full


def test_a_recorded_session_can_be_replayed_without_the_model(
    world: World, tmp_path_factory: pytest.TempPathFactory, clock: Clock
) -> None:
    file = tmp_path_factory.mktemp("recorded") / "answers.jsonl"

    def model(request: httpx.Request) -> httpx.Response:
        text = truthful(json.loads(request.content))
        return httpx.Response(200, json={"choices": [{"message": {"content": text}}]})

    send(world, 3)
    recorded = annotator(world, Recorder(file, httpx.MockTransport(model)))
    assert [recorded.work_once() for _ in range(4)][-1] == "idle"
    with opened(tmp_path_factory.mktemp("again"), clock) as again:
        again("lead", "PUT", "/v1/campaigns/default", {"model_share": 1.0, "gold_rate": 0.0})
        send(again, 3)
        replayed = annotator(again, Replayer(file))
        assert [replayed.work_once() for _ in range(4)] == ["judged", "judged", "judged", "idle"]
        assert [row["choice"] for row in judgments(again)] == [row["choice"] for row in judgments(world)]

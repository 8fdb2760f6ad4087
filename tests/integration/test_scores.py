"""A reward model's scores, from the API to an alarm about who is at odds with it."""

from __future__ import annotations

from random import Random

from services.coordinator.crowd import Crowd
from streams import events as e
from tests.integration.world import World, append, error_of

PAIRS, PEOPLE, REVERSED = 120, 6, "an_5"


def send(world: World, pairs: int) -> None:
    outputs = [{"id": f"o{n}", "prompt": f"p{n}", "responses": [f"a{n}", f"b{n}"]} for n in range(pairs)]
    assert world("producer", "POST", "/v1/outputs", {"outputs": outputs}).status_code == 200
    world.service.engine.drain()


def test_scores_are_taken_once_and_only_of_tasks(world: World) -> None:
    send(world, 2)
    body = {"model": "rm-1", "scores": [{"output": f"o{n}", "probability": 0.9} for n in range(2)]}
    assert world("producer", "POST", "/v1/scores", body).json() == {"accepted": 2, "duplicates": 0}
    again = world("engineer", "POST", "/v1/scores", body)
    assert (again.status_code, again.json()) == (200, {"accepted": 0, "duplicates": 2})
    error_of(world("annotator", "POST", "/v1/scores", body), 403)
    nowhere = {"model": "rm-1", "scores": [{"output": "o0", "probability": 0.9}, {"task": "none", "probability": 0.9}]}
    assert error_of(world("producer", "POST", "/v1/scores", nowhere), 404)["field"] == "scores[1].task"
    for wrong in ({"probability": 0.5}, {"probability": 0.5, "task": "t", "output": "o"}):
        error_of(world("producer", "POST", "/v1/scores", {"model": "rm-1", "scores": [wrong]}), 422)
    too_sure = {"model": "rm-1", "scores": [{"output": "o0", "probability": 1.5}]}
    error_of(world("producer", "POST", "/v1/scores", too_sure), 422)


def test_who_contradicts_a_confident_model_is_reported_and_not_sanctioned(world: World) -> None:
    send(world, PAIRS)
    tasks = [record.event for record in world.service.store.read("tasks", 0, 1000)]
    draw = Random(4)
    answers = [judgment(task, n, draw) for task in tasks if isinstance(task, e.Task) for n in range(PEOPLE)]
    append(world.service, *answers)
    crowd = Crowd(world.service)
    crowd.tick()
    assert not alerts(world)
    scores = [{"output": f"o{n}", "probability": 0.97} for n in range(PAIRS)]
    assert world("engineer", "POST", "/v1/scores", {"model": "rm-1", "scores": scores}).status_code == 201
    world.service.engine.drain()
    assert crowd.tick() >= 1
    world.service.engine.drain()
    (found,) = alerts(world)
    assert found["annotator"] == REVERSED
    assert (found["enforced"], found["false_alarm_rate"]) == (False, 0.05)
    assert found["evidence"]["compared"] == PAIRS
    assert found["evidence"]["contradicted"] > 2 * found["evidence"]["expected"]
    assert crowd.tick() == 0


def alerts(world: World) -> list[dict]:  # type: ignore[type-arg]
    found = world("lead", "GET", "/v1/alerts").json()["alerts"]
    return [one for one in found if one["hypothesis"] == "reward_model"]


def judgment(task: e.Task, n: int, draw: Random) -> e.Judgment:
    """Canonical a is right everywhere; people say so nine times of ten, the last one says the opposite."""
    who = f"an_{n}"
    right = draw.random() < 0.9
    said: e.Choice = "a" if right != (who == REVERSED) else "b"
    identity = f"j{task.task}{who}"
    swapped = draw.random() < 0.5
    return e.Judgment(
        id=identity, judgment=identity, task=task.task, annotator=who, choice=said, swapped=swapped, mode="recorded"
    )

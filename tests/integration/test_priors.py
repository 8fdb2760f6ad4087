"""The crowd's prior, from the views to what is known of its members."""

from __future__ import annotations

from random import Random

from services.coordinator.priors import PriorKeeper
from streams import events as e
from tests.integration.world import World, append

PAIRS, PEOPLE = 60, 12


def judged(world: World, first: int, people: range) -> None:
    """Everybody is right nine times of ten, on pairs of which a is the better response."""
    outputs = [{"id": f"o{n}", "prompt": f"p{n}", "responses": [f"a{n}", f"b{n}"]} for n in range(first, first + PAIRS)]
    assert world("producer", "POST", "/v1/outputs", {"outputs": outputs}).status_code == 200
    world.service.engine.drain()
    tasks = [event for record in world.service.store.read("tasks") if isinstance(event := record.event, e.Task)]
    draw = Random(first)
    answers = [judgment(task, f"an_{n}", draw) for task in tasks[first:] for n in people]
    append(world.service, *answers)


def judgment(task: e.Task, who: str, draw: Random) -> e.Judgment:
    identity = f"j{task.task}{who}"
    said: e.Choice = "a" if draw.random() < 0.9 else "b"
    swapped = draw.random() < 0.5
    return e.Judgment(id=identity, judgment=identity, task=task.task, annotator=who, choice=said, swapped=swapped)


def told(world: World) -> list[str]:
    records = world.service.store.read("priors")
    return [record.event.annotator for record in records if isinstance(record.event, e.Prior)]


def test_members_and_newcomers_are_told_what_the_crowd_is_like(world: World) -> None:
    keeper = PriorKeeper(world.service)
    assert keeper.tick() == 0
    judged(world, 0, range(PEOPLE))
    assert keeper.tick() == PEOPLE
    assert keeper.tick() == 0, "nothing moved"
    judged(world, PAIRS, range(PEOPLE, PEOPLE + 1))
    assert keeper.tick() == 1, "the newcomer"
    world.service.engine.drain()
    assert told(world)[-1] == f"an_{PEOPLE}"
    judged(world, 2 * PAIRS, range(PEOPLE, PEOPLE + 1))
    newest = [r.event for r in world.service.store.read("assessments", 0, 10_000) if isinstance(r.event, e.Assessment)]
    assert newest[-1].reliability.accuracy > 0.8, "of a crowd like this one, though nobody has confirmed a word"


def test_what_was_told_is_known_after_a_restart(world: World) -> None:
    judged(world, 0, range(PEOPLE))
    assert PriorKeeper(world.service).tick() == PEOPLE
    world.service.engine.drain()
    assert PriorKeeper(world.service).tick() == 0

"""The stages over dictionaries."""

from __future__ import annotations

from streams.engines.in_memory import InMemoryLoop
from streams.events import Event, Judgment, Output, Preference, Response, Task

OUTPUT = Output(
    id="o",
    output="o",
    prompt_digest="p",
    prompt_length=9,
    responses=(Response(digest="d0", length=5), Response(digest="d1", length=6)),
)


def pushed(*events: Event) -> list[Event]:
    heard: list[Event] = []
    loop = InMemoryLoop(heard.append)
    for event in events:
        loop.push(event)
    return heard


def judgment(task: str, annotator: str) -> Judgment:
    return Judgment(id=f"{task}{annotator}", judgment=f"{task}{annotator}", task=task, annotator=annotator, choice="b")


def test_all_that_follows_has_happened_when_push_returns() -> None:
    heard = pushed(OUTPUT)
    (task,) = [event.task for event in heard if isinstance(event, Task)]
    heard = pushed(OUTPUT, *[judgment(task, f"an_{n}") for n in range(5)])
    assert [event.verdict for event in heard if isinstance(event, Preference)][-1] == "b"


def test_states_are_kept_by_stage_and_key_and_a_double_changes_nothing() -> None:
    loop = InMemoryLoop()
    loop.push(OUTPUT)
    (task,) = loop.states["preferences"]
    loop.push(judgment(task, "ada"))
    before = dict(loop.states["assessments"]), dict(loop.states["preferences"])
    assert set(before[0]) == {"ada"}
    loop.push(judgment(task, "ada"))
    assert (loop.states["assessments"], loop.states["preferences"]) == before


def test_the_same_events_give_the_same_ids() -> None:
    events = [OUTPUT, *[judgment("t", name) for name in ("ada", "bo", "cy")]]
    ids = [[event.id for event in pushed(*events)] for _ in range(2)]
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == len(ids[0])


def test_an_event_keeps_the_id_it_came_with() -> None:
    assert pushed(OUTPUT)[0].id == "o"

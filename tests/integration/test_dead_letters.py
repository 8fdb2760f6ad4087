"""From an event that breaks a stage, over its dead letter and a mend, to what should have come of it."""

from __future__ import annotations

from typing import Any

import pytest

from services.store import projection
from streams import events as e
from streams.codecs import encode
from streams.stages import assessments
from tests.integration.world import OUTPUT, World, error_of


def letters(world: World) -> list[dict[str, Any]]:
    world.service.engine.drain()
    found: list[dict[str, Any]] = world("lead", "GET", "/v1/dead_letters").json()["dead_letters"]
    return found


def broken(*_: object) -> Any:
    raise ZeroDivisionError("a bug")


def test_a_judgment_that_broke_a_stage_counts_after_its_replay(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    body = {"rules": [{"overlap": 1}], "targets": {"posterior": 0.55, "overlap_cap": 1}}
    assert world("lead", "PUT", "/v1/campaigns/default", body).status_code == 200
    task = world.task()
    with monkeypatch.context() as bug:
        bug.setattr(assessments, "on_judgment", broken)
        judged = world("annotator", "POST", "/v1/judgments", {"task": task["task"], "choice": "left"})
        assert judged.status_code == 201
        (letter,) = letters(world)
    assert (letter["topic"], letter["stage"]) == ("judgments", "assessments")
    assert "a bug" in letter["reason"]
    assert judged.json()["judgment"] in letter["payload"]
    assert world("lead", "GET", "/v1/live").json()["errors"][-1]["where"] == "assessments"
    assert world.service.store.end("preferences") == 0
    replayed = world("engineer", "POST", f"/v1/dead_letters/{letter['log_offset']}/replay")
    assert replayed.json() == {"offset": letter["log_offset"], "topic": "judgments", "appended_at": 1}
    assert len(letters(world)) == 1  # no new one; what was is kept
    (preference,) = world("engineer", "GET", "/v1/preferences").json()["preferences"]
    assert preference["judgments"] == [judged.json()["judgment"]]
    recent = world("lead", "GET", "/v1/annotators/an_annotator").json()["recent"]
    assert [judgment["judgment"] for judgment in recent] == [judged.json()["judgment"]]


def test_bytes_that_nobody_could_read_are_replayed_once_they_can_be(world: World) -> None:
    """As a cluster's materializer buries them: under the topic of Kafka."""
    world("producer", "POST", "/v1/outputs", OUTPUT)
    signal = e.Signal(id="s-1", signal="s-1", output="o-1", kind="retry")
    payloads = [encode(signal), b"\xff no event", b'{"type": "Newer"}']
    for number, payload in enumerate(payloads):
        letter = e.DeadLetter(
            id=f"l-{number}", topic="outputs", partition=0, offset=number, key="", stage="views", reason="x",
            payload=payload,
        )  # fmt: skip
        world.service.log.submit(lambda tx, letter=letter: tx.append(letter)).result()  # type: ignore[misc]
    first, *others = (letter["log_offset"] for letter in letters(world))
    answer = world("engineer", "POST", f"/v1/dead_letters/{first}/replay").json()
    assert answer["topic"] == "signals"
    for offset in others:
        error = error_of(world("engineer", "POST", f"/v1/dead_letters/{offset}/replay"), 422)
        assert "after an upgrade" in error["mend"]


def test_an_event_that_broke_the_views_is_in_them_after_its_replay(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world("producer", "POST", "/v1/outputs", OUTPUT)
    with monkeypatch.context() as bug:
        folds: dict[type[e.Event], Any] = {**projection.FOLDS, e.Signal: broken}
        bug.setattr(projection, "FOLDS", folds)
        world("producer", "POST", "/v1/signals", {"id": "s-1", "output": "o-1", "kind": "retry"})
        (letter,) = letters(world)
    assert (letter["topic"], letter["stage"]) == ("signals", "views")
    assert world("engineer", "POST", f"/v1/dead_letters/{letter['log_offset']}/replay").status_code == 200
    world.service.engine.drain()
    with world.service.database.connect() as sql:
        assert sql.exec_driver_sql("SELECT signal FROM signals").scalars().all() == ["s-1"]

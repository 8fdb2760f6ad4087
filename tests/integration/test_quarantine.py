"""Quarantine from the dry run to the undo, over the API, the real stages and the coordinator's revocation."""

from __future__ import annotations

import gzip
import json
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from services.appending import appending_new
from services.bootstrap import open_service
from services.coordinator import revocation
from services.coordinator.batches import cut_now
from services.coordinator.doubt import FOLLOWED_MS
from services.coordinator.revocation import revoke
from services.queue.entries import sides_swapped
from services.settings import Settings
from services.store import models as m
from streams import events as e
from streams.admission import judgment_id
from streams.engines.port import Transaction
from tests.integration.world import Clock, World, append, error_of, opened

SHARED = Path(os.environ.get("PREFLOOP_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))
UKP = SHARED / "judgments" / "ukp_dev_judgments.jsonl.gz"
NOW = Clock().now
PEOPLE = ("ada", "bob", "cy", "dee")
TASKS = 30
TURNED_AT = NOW - 50_000  # mallory answers reversed from then on


def task(name: str, mode: e.Mode = "live") -> e.Task:
    a, b = (
        e.Candidate(output=f"o-{name}", position=i, response=e.Response(digest=f"{name}-{i}", length=40))
        for i in (0, 1)
    )
    return e.Task(
        id=name, task=name, a=a, b=b, prompt_digest=name, prompt_length=9, overlap=3, overlap_cap=5, min_judgments=2,
        target_posterior=0.7, mode=mode,
    )  # fmt: skip


def judgment(name: str, annotator: str, choice: e.Choice, at: int, mode: e.Mode = "live") -> e.Judgment:
    identity = judgment_id(name, annotator, 1)
    return e.Judgment(
        id=identity, judgment=identity, task=name, annotator=annotator, choice=choice, answered_at=at, ingested_at=at,
        swapped=sides_swapped(name, annotator), mode=mode,
    )  # fmt: skip


def crowd(mode: e.Mode = "live") -> list[e.Event]:
    """Two honest judgments a task and mallory's, which say the contrary from the middle on."""
    dice = random.Random(5)
    events: list[e.Event] = []
    for number in range(TASKS):
        name, at = f"t{number:02}", NOW - 100_000 + 3_000 * number
        events.append(task(name, mode))
        truth: tuple[e.Choice, e.Choice] = ("a", "b") if dice.random() < 0.5 else ("b", "a")
        events += [judgment(name, annotator, truth[0], at, mode) for annotator in dice.sample(PEOPLE, 2)]
        events.append(judgment(name, "mallory", truth[at >= TURNED_AT], at, mode))
    return events


@pytest.fixture
def judged(tmp_path: Path) -> Iterator[World]:
    with opened(tmp_path, Clock()) as world:
        append(world.service, *crowd())
        append(
            world.service,
            e.Alert(id="al0", alert="al0", annotator="mallory", hypothesis="speed", since=1, ingested_at=NOW - 9_000),
            e.Alert(id="al", alert="al", annotator="mallory", hypothesis="accuracy", since=TURNED_AT, ingested_at=NOW),
        )
        yield world


def verdicts(world: World) -> dict[str, Any]:
    """Each task's verdict with all that it rests on, and its status; of what is undecided the status alone."""
    with world.service.database.connect() as sql:
        rows = sql.execute(
            select(m.tasks.c.task, *m.preferences.c["verdict", "p_a", "p_b", "p_tie", "judgments"], m.tasks.c.status)
            .join_from(m.tasks, m.preferences, m.preferences.c.task == m.tasks.c.task, isouter=True)
        )  # fmt: skip
        return {name: (verdict, *(rest if verdict else ()), status) for name, verdict, *rest, status in rows}


def dry_run(world: World, query: str = "") -> dict[str, Any]:
    answer = world("lead", "GET", f"/v1/annotators/mallory/quarantine{query}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def settle(world: World) -> int:
    """What the coordinator's ticks do until nothing is left."""
    total = 0
    while changed := revoke(world.service):
        total += changed
        world.service.engine.drain()
    return total


def quarantine(world: World, since: int | str = "auto") -> dict[str, Any]:
    answer = world("lead", "POST", "/v1/annotators/mallory/quarantine", {"reason": "reversed", "since": since})
    assert answer.status_code == 200, answer.text
    world.service.engine.drain()
    found: dict[str, Any] = answer.json()
    return found


def reinstate(world: World) -> None:
    assert world("lead", "POST", "/v1/annotators/mallory/reinstate", {"reason": "explained"}).status_code == 200
    world.service.engine.drain()


def test_the_dry_run_foretells_every_verdict_and_writes_nothing(judged: World) -> None:
    before, ends = verdicts(judged), {t: judged.service.store.end(t) for t in ("standings", "retractions")}
    found = dry_run(judged)
    assert (found["since"], found["alert"], found["hypothesis"]) == (TURNED_AT, "al", "accuracy")
    assert {t: judged.service.store.end(t) for t in ends} == ends
    assert verdicts(judged) == before
    assert found["judgments"]["count"] == sum(one.startswith("t") for one in found["tasks"]["ids"]) > 5

    assert quarantine(judged)["since"] == TURNED_AT
    assert settle(judged) == found["judgments"]["count"]
    after = verdicts(judged)
    for row in found["verdicts"]["rows"]:
        assert (after[row["task"]][0], after[row["task"]][-1]) == (row["verdict_after"], row["status_after"])
    touched = set(found["tasks"]["ids"])
    assert {name for name in before if before[name] != after[name]} <= touched
    assert dry_run(judged, f"?since={TURNED_AT}")["judgments"]["count"] == 0


def test_quarantine_then_reinstate_leaves_every_verdict_as_it_was(judged: World) -> None:
    before = verdicts(judged)
    quarantine(judged, "ever")
    assert settle(judged) == TASKS
    assert verdicts(judged) != before
    back = dry_run(judged, "?undo=1")
    assert (back["judgments"]["count"], back["undo"]) == (TASKS, True)
    reinstate(judged)
    assert settle(judged) == TASKS
    assert verdicts(judged) == before
    for row in back["verdicts"]["rows"]:
        assert (before[row["task"]][0], before[row["task"]][-1]) == (row["verdict_after"], row["status_after"])


def test_a_lead_can_take_recorded_judgments_back_too(tmp_path: Path) -> None:
    """Alarms enforce nothing there; what people decide holds everywhere."""
    with opened(tmp_path, Clock()) as world:
        append(world.service, *crowd("recorded"))
        before, found = verdicts(world), dry_run(world, f"?since={TURNED_AT}")
        assert found["judgments"]["count"] > 5
        quarantine(world, TURNED_AT)
        assert settle(world) == found["judgments"]["count"]
        after = verdicts(world)
        for row in found["verdicts"]["rows"]:
            assert (after[row["task"]][0], after[row["task"]][-1]) == (row["verdict_after"], row["status_after"])
        reinstate(world)
        assert settle(world) == found["judgments"]["count"]
        assert verdicts(world) == before


def test_a_reinstated_annotator_is_not_suspended_again_by_the_same_judgments(judged: World) -> None:
    """Restored judgments teach again; the alarms bet on each of them once, ever."""
    alerts = judged.service.store.end("alerts")
    for _ in range(3):
        quarantine(judged, "ever")
        settle(judged)
        reinstate(judged)
        settle(judged)
    assert judged.service.store.end("alerts") == alerts
    assert judged("lead", "GET", "/v1/annotators/mallory").json()["standing"] == "active"


def test_killed_in_the_middle_it_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(tmp_path, Clock()) as world:
        append(world.service, *crowd())
        before = verdicts(world)
        quarantine(world, "ever")
        monkeypatch.setattr(revocation, "CHUNK", 7)
        calls = iter(range(100))

        def killed(*claimed: Any) -> Callable[[Transaction], int]:
            def work(transaction: Transaction) -> int:
                if next(calls) == 2:
                    raise RuntimeError("killed")
                return appending_new(*claimed)(transaction)

            return work

        monkeypatch.setattr(revocation, "appending_new", killed)
        with pytest.raises(RuntimeError, match="killed"):
            revoke(world.service)
    monkeypatch.setattr(revocation, "appending_new", appending_new)
    service = open_service(Settings(data=tmp_path))
    try:
        again = World(service, world.client)
        assert settle(again) == TASKS - 14
        assert service.store.end("retractions") == TASKS
        append(again.service, e.Standing(id="back", annotator="mallory", standing="active", by="key:lead"))
        assert settle(again) == TASKS
        assert verdicts(again) == before
    finally:
        service.close()


def test_datasets_and_models_are_named_in_doubt_and_cleared_by_the_undo(judged: World) -> None:
    judged.service.clock = lambda: NOW + 1
    batch = cut_now(judged.service, "default")
    append(
        judged.service,
        e.RunUpdate(id="r", run="r", batch=batch.batch, status="requested"),
        e.Checkpoint(id="k1", model="m1", run="r", batch=batch.batch, parent="", uri="u", ingested_at=NOW),
        e.Checkpoint(id="k2", model="m2", run="r2", batch="none", parent="m1", uri="u", ingested_at=NOW + 1),
    )
    found = dry_run(judged)
    assert [(one["batch"], one["size"]) for one in found["batches"]] == [(batch.batch, len(batch.members))]
    assert found["batches"][0]["members"] == len(set(found["tasks"]["ids"]) & {name for name, _ in batch.members})
    assert found["runs"]["ids"] == ["r"]
    assert [(one["model"], one["status"]) for one in found["models"]] == [("m1", "candidate"), ("m2", "candidate")]
    assert doubts(judged) == {"m1": None, "m2": None}
    assert diff(judged, batch.batch)["same"] == len(batch.members)

    quarantine(judged)
    settle(judged)
    told = doubts(judged)
    assert told["m1"] == {"pairs": found["batches"][0]["members"], "size": len(batch.members), "inherited_from": []}
    assert told["m2"] == {"pairs": 0, "size": 0, "inherited_from": ["m1"]}
    changed = diff(judged, batch.batch)
    assert changed["same"] + changed["gone"] + changed["turned"] + changed["moved"] == len(batch.members)
    assert changed["gone"] + changed["turned"] == found["batches"][0]["changed"]
    assert {one["task"] for one in changed["members"]} <= set(found["tasks"]["ids"])

    reinstate(judged)
    settle(judged)
    assert doubts(judged) == {"m1": None, "m2": None}
    assert diff(judged, batch.batch)["same"] == len(batch.members)


def test_what_was_taken_back_before_the_cut_puts_nothing_in_doubt(judged: World) -> None:
    quarantine(judged)
    settle(judged)
    judged.service.clock = lambda: NOW + 10 * FOLLOWED_MS
    batch = cut_now(judged.service, "default")
    with judged.service.database.connect() as sql:
        touched = set(sql.scalars(select(m.judgments.c.task).where(m.judgments.c.withdrawn)))
    assert touched & {name for name, _ in batch.members}
    run = e.RunUpdate(id="r", run="r", batch=batch.batch, status="requested")
    append(judged.service, run, e.Checkpoint(id="k1", model="m1", run="r", batch=batch.batch, parent="", uri="u"))
    assert doubts(judged) == {"m1": None}

    append(judged.service, e.Standing(id="out", annotator="ada", standing="suspended", since=1, by="key:lead"))
    settle(judged)
    assert doubts(judged)["m1"]["pairs"] > 0
    append(judged.service, e.Standing(id="in", annotator="ada", standing="active", by="key:lead"))
    settle(judged)
    assert doubts(judged) == {"m1": None}, "every pair has a newer revision now, and none rests on mallory"


def test_what_was_taken_back_while_the_batch_was_cut_is_in_doubt(judged: World) -> None:
    """The stages may not have followed a retraction that is in the log already: the batch holds the pair as it was."""
    judged.service.clock = lambda: NOW + 1
    batch = cut_now(judged.service, "default")
    append(judged.service, e.Checkpoint(id="k1", model="m1", run="r", batch=batch.batch, parent="", uri="u"))
    judged.service.clock = lambda: NOW
    quarantine(judged)
    settle(judged)
    assert doubts(judged)["m1"]["pairs"] > 0


def doubts(world: World) -> dict[str, Any]:
    return {one["model"]: one["doubt"] for one in world("engineer", "GET", "/v1/models").json()["models"]}


def diff(world: World, batch: str) -> dict[str, Any]:
    answer = world("lead", "GET", f"/v1/batches/{batch}/diff")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_what_cannot_be_done_is_said_with_the_mend(judged: World) -> None:
    path, before = "/v1/annotators/{}/quarantine", judged.service.store.end("standings")
    assert "since" in error_of(judged("lead", "GET", path.format("ada")), 409)["field"]
    error_of(judged("lead", "GET", path.format("nobody")), 404)
    error_of(judged("lead", "GET", path.format("ada") + "?since=yesterday"), 422)
    error_of(judged("lead", "POST", path.format("ada"), {"since": 5}), 422)
    error_of(judged("engineer", "POST", path.format("ada"), {"since": 5, "reason": "x"}), 403)
    assert judged.service.store.end("standings") == before


# ---------------------------------------------------------------- real judgments


@pytest.mark.skipif(not UKP.exists(), reason="needs the shared data: set PREFLOOP_SHARED_DATA")
def test_on_real_judgments_the_undo_leaves_every_verdict_as_it_was(tmp_path: Path) -> None:
    """The first 150 items of the set, as a live campaign; its busiest annotator is quarantined from their middle on."""
    events, busiest, since = real_slice()
    with opened(tmp_path, Clock()) as world:
        append(world.service, *events)
        before = verdicts(world)
        found = world("lead", "GET", f"/v1/annotators/{busiest}/quarantine?since={since}").json()
        assert found["judgments"]["count"] > 20
        body = {"reason": "real", "since": since}
        assert world("lead", "POST", f"/v1/annotators/{busiest}/quarantine", body).status_code == 200
        world.service.engine.drain()
        assert settle(world) == found["judgments"]["count"]
        after = verdicts(world)
        shown = found["verdicts"]["rows"]
        assert all(after[row["task"]][0] == row["verdict_after"] for row in shown)
        assert sum(row["change"] != "same" for row in shown) > 0
        body = {"reason": "undone"}
        assert world("lead", "POST", f"/v1/annotators/{busiest}/reinstate", body).status_code == 200
        world.service.engine.drain()
        settle(world)
        assert verdicts(world) == before


def real_slice() -> tuple[list[e.Event], str, int]:
    with gzip.open(UKP, "rt") as lines:
        rows = [json.loads(line) for line in lines]
    items = list(dict.fromkeys(row["item"] for row in rows))[:150]
    chosen = [row for row in rows if row["item"] in set(items)]
    events: list[e.Event] = [task(item) for item in items]
    events += [
        judgment(row["item"], row["annotator"], row["label"], NOW - 10**6 + 100 * n) for n, row in enumerate(chosen)
    ]
    names = [row["annotator"] for row in chosen]
    busiest = max(sorted(set(names)), key=names.count)
    theirs = [one.answered_at for one in events if isinstance(one, e.Judgment) and one.annotator == busiest]
    return events, busiest, sorted(theirs)[len(theirs) // 2]

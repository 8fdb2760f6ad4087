"""The coordinator over a real log, engine and views."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Literal

import pytest

from services.bootstrap import Service, open_service
from services.coordinator import registry
from services.coordinator.batches import cut_due, cut_now
from services.coordinator.coordinator import Coordinator
from services.coordinator.gate import decide_checkpoints
from services.coordinator.gather import snapshot
from services.coordinator.quarantine import dry_run
from services.coordinator.revocation import revoke
from services.settings import Settings
from streams import events as e
from streams.errors import ConflictError, NotFoundError
from tests.integration.world import append

GOOD_REPORT: Mapping[str, Any] = {
    "holdout": {
        "pairs": 100,
        "new_correct": 80,
        "champion_correct": 65,
        "only_new_correct": 20,
        "only_champion_correct": 5,
    }
}


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = open_service(Settings(data=tmp_path))
    service.clock = lambda: 1_000_000
    append(service, campaign())
    yield service
    service.close()


def campaign(name: str = "c", **changes: Any) -> e.Campaign:
    training = e.Training(batch_size=2, base_model="anchor", batch_max_age_s=10**6)
    return e.Campaign(id=f"campaign-{name}", name=name, version=1, training=training, **changes)


def candidate(task: str, position: int) -> e.Candidate:
    response = e.Response(digest=f"{task}{position}", length=5)
    return e.Candidate(output=f"out-{task}", position=position, response=response)


def decided(
    task: str, *, revision: int = 1, name: str = "c", mode: Literal["live", "recorded"] = "live", **changes: object
) -> list[e.Event]:
    """A closed task with a preference, as its stages would have written them."""
    a, b = candidate(task, 0), candidate(task, 1)
    common: dict[str, Any] = {"campaign": name, "task": task}
    preference: dict[str, Any] = {
        "id": f"p-{task}-{revision}",
        "revision": revision,
        "verdict": "a",
        "p_a": 0.9,
        "p_b": 0.1,
        "p_tie": 0.0,
        "reached": "target",
        "judgments": (f"j-{task}",),
        "a": a,
        "b": b,
        "prompt_digest": task,
        "ingested_at": 500_000,
        **changes,
    }
    return [
        e.Task(id=f"t-{task}", a=a, b=b, prompt_digest=task, prompt_length=3, mode=mode, **common),
        e.Preference(**common, **preference),
        e.TaskUpdate(id=f"u-{task}-{revision}", status="closed", slots_wanted=1, judgments=1, **common),
    ]


def records(service: Service, topic: str) -> list[e.Event]:
    return [record.event for record in service.store.read(topic)]


def checkpoint(model: str, parent: str = "", report: Mapping[str, Any] = GOOD_REPORT) -> e.Checkpoint:
    identity, told = f"checkpoint-{model}", dict(report)
    return e.Checkpoint(id=identity, campaign="c", model=model, run="r", batch="b", parent=parent, uri="u", report=told)


# ---------------------------------------------------------------- batches


def test_a_due_batch_is_cut_once_with_its_run_and_its_offsets(service: Service) -> None:
    append(service, *decided("t1"), *decided("t2"), *decided("held", holdout=True))
    append(service, *decided("gold", gold=True), *decided("undecided", verdict=None))
    (batch,) = cut_due(service)
    assert batch.members == (("t1", 1), ("t2", 1))
    assert batch.holdout == (("held", 1),)
    assert batch.offsets["preferences"] == 5
    service.engine.drain()
    assert cut_due(service) == []
    (run,) = records(service, "run_updates")
    assert isinstance(run, e.RunUpdate)
    assert (run.batch, run.status, run.base_model) == (batch.batch, "requested", "anchor")


def test_two_ticks_on_the_same_view_cut_one_batch(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one sees the members as free, as after a kill between append and fold."""
    append(service, *decided("t1"), *decided("t2"))
    monkeypatch.setattr("services.coordinator.batches.caught_up", lambda *_: True)
    monkeypatch.setattr("services.coordinator.batches.places", lambda _: {"batches": 0})
    assert len(cut_due(service)) == 1
    assert cut_due(service) == []
    assert len(records(service, "batches")) == 1


def test_an_open_task_is_in_no_batch(service: Service) -> None:
    append(service, *decided("t1"), *decided("t2")[:2])
    assert cut_due(service) == []


def test_a_revised_preference_enters_again_and_a_withdrawn_one_does_not(service: Service) -> None:
    append(service, *decided("t1"), *decided("t2"))
    cut_due(service)
    append(service, *decided("t1", revision=2), *decided("t2", revision=2, verdict=None))
    assert cut_now(service, "c").members == (("t1", 2),)


def test_cutting_by_hand_says_why_it_cannot(service: Service) -> None:
    with pytest.raises(NotFoundError, match="no campaign 'x'"):
        cut_now(service, "x")
    with pytest.raises(ConflictError, match="no decided preference"):
        cut_now(service, "c")


def test_a_recorded_campaign_is_cut_by_hand_alone(service: Service) -> None:
    append(service, campaign("r", mode="recorded"))
    for task in ("t1", "t2", "t3"):
        append(service, *decided(task, name="r", mode="recorded")[:2])
    assert cut_due(service) == []
    assert len(cut_now(service, "r").members) == 3


# ---------------------------------------------------------------- revocation


def judgment(task: str, at: int, annotator: str = "ann") -> e.Judgment:
    return e.Judgment(
        id=f"j-{task}", judgment=f"j-{task}", campaign="c", task=task, annotator=annotator, choice="a", answered_at=at
    )


def standing(name: e.StandingName, since: int = 0, *, enforced: bool = True) -> e.Standing:
    weight = 0.0 if name == "suspended" else 1.0
    return e.Standing(
        id=f"s-{name}-{since}",
        annotator="ann",
        standing=name,
        weight=weight,
        since=since,
        by="key:k",
        enforced=enforced,
    )


def withdrawn(service: Service) -> list[str]:
    with service.database.connect() as sql:
        rows = sql.exec_driver_sql("SELECT judgment FROM judgments WHERE withdrawn ORDER BY judgment")
        return [row[0] for row in rows]


def judge_three(service: Service) -> None:
    for task, at in (("t1", 100), ("t2", 200), ("t3", 300)):
        append(service, *decided(task)[:1])
        append(service, judgment(task, at))
    append(service, *decided("foreign")[:1])
    append(service, judgment("foreign", 250, annotator="other"))


def test_suspending_since_a_time_withdraws_once_and_reinstating_restores(service: Service) -> None:
    judge_three(service)
    append(service, standing("suspended", 200))
    assert revoke(service) == 2
    service.engine.drain()
    assert withdrawn(service) == ["j-t2", "j-t3"]
    assert revoke(service) == 0
    append(service, standing("active"))
    assert revoke(service) == 2
    service.engine.drain()
    assert withdrawn(service) == []
    assert len(records(service, "retractions")) == 4


def test_a_plan_made_twice_before_the_view_follows_is_applied_once(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge_three(service)
    append(service, standing("suspended", 100))
    monkeypatch.setattr("services.coordinator.revocation.CHUNK", 2)
    with snapshot(service.database) as stale:
        monkeypatch.setattr("services.coordinator.revocation.snapshot", lambda _: nullcontext(stale))
        stale.exec_driver_sql("SELECT 1 FROM judgments")  # the moment that it will show from now on
        assert [revoke(service), revoke(service)] == [3, 0]
    assert len(records(service, "retractions")) == 3


def test_what_is_only_reported_withdraws_nothing(service: Service) -> None:
    judge_three(service)
    append(service, standing("suspended", 100, enforced=False))
    assert revoke(service) == 0


def test_a_dry_run_names_what_would_be_touched_and_touches_nothing(service: Service) -> None:
    judge_three(service)
    append(service, *decided("t2"), *decided("t3"))
    (batch,) = cut_due(service)
    append(service, e.Checkpoint(id="k", campaign="c", model="m1", run="r", batch=batch.batch, parent="", uri="u"))
    with service.database.connect() as sql:
        found = dry_run(sql, "ann", 250).radius
    assert (found.judgments, found.tasks, found.preferences) == (("j-t3",), ("t3",), ("t3",))
    assert (found.batches, found.models) == ((batch.batch,), ("m1",))
    assert records(service, "retractions") == []


# ---------------------------------------------------------------- gate and registry


def statuses(service: Service) -> dict[str, str]:
    with service.database.connect() as sql:
        return {row[0]: row[1] for row in sql.exec_driver_sql("SELECT model, status FROM models")}


def test_the_gate_decides_once_about_each_checkpoint(service: Service) -> None:
    append(service, checkpoint("m1"), checkpoint("m2", parent="m1", report={}))
    first, second = decide_checkpoints(service)
    assert (first.model, first.decision, first.previous) == ("m1", "promoted", "")
    assert (second.model, second.decision, second.previous) == ("m2", "rejected", "m1")
    assert any("0 held-out pairs" in reason for reason in second.reasons)
    assert decide_checkpoints(service) == []
    service.engine.drain()
    assert decide_checkpoints(service) == []
    assert statuses(service) == {"m1": "champion", "m2": "rejected"}


def test_a_checkpoint_of_a_former_champion_is_rejected(service: Service) -> None:
    append(service, checkpoint("m1"), checkpoint("m2"))
    assert [promotion.decision for promotion in decide_checkpoints(service)] == ["promoted", "rejected"]


def test_override_rollback_and_the_view_agree_with_the_registry(service: Service) -> None:
    append(service, checkpoint("m1"), checkpoint("m2", parent="m1", report={}))
    decide_checkpoints(service)
    service.engine.drain()
    registry.promote(service, "m2", by="key:k", reason="seen to be better")
    service.engine.drain()
    assert statuses(service) == {"m1": "retired", "m2": "champion"}
    registry.roll_back(service, "c", by="key:k", reason="it is not")
    service.engine.drain()
    assert statuses(service) == {"m1": "champion", "m2": "retired"}
    assert registry.statuses(registry.promotions_of(service.store, "c")) == statuses(service)
    with pytest.raises(ConflictError, match="no earlier champion"):
        registry.roll_back(service, "c", by="key:k", reason="again")


def test_unknown_models_and_campaigns_are_not_found(service: Service) -> None:
    with pytest.raises(NotFoundError, match="no model 'm9'"):
        registry.promote(service, "m9", by="key:k", reason="")
    with pytest.raises(NotFoundError, match="no campaign 'x'"):
        registry.roll_back(service, "x", by="key:k", reason="")


def test_of_two_decisions_made_at_once_the_second_is_refused(service: Service) -> None:
    append(service, checkpoint("m1"), checkpoint("m2"))
    known = registry.promotions_of(service.store, "c")
    both = [
        registry.promotion_by_override(known, campaign="c", model=model, by="key:k", reason="", at=1)
        for model in ("m1", "m2")
    ]
    service.log.submit(lambda transaction: registry.append_decision(transaction, both[0], len(known))).result()
    second = service.log.submit(lambda transaction: registry.append_decision(transaction, both[1], len(known)))
    with pytest.raises(ConflictError, match="same moment"):
        second.result()
    assert [event.model for event in records(service, "promotions")] == ["m1"]  # type: ignore[attr-defined]


# ---------------------------------------------------------------- the tick


def test_a_tick_runs_everything_and_again_after_a_restart_nothing_is_done_twice(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    errors: list[object] = []
    for _ in range(2):
        service = open_service(settings)
        coordinator = Coordinator(service, on_error=lambda *told: errors.append(told))
        if not records(service, "campaigns"):
            append(service, campaign(), *decided("t1"), *decided("t2"), checkpoint("m1"))
        coordinator.tick()
        service.engine.drain()
        coordinator.close()
        assert errors == []
        counts = {topic: service.store.end(topic) for topic in ("batches", "run_updates", "promotions")}
        service.close()
        assert counts == {"batches": 1, "run_updates": 1, "promotions": 1}


def test_a_part_that_fails_is_told_and_the_others_work(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Service) -> None:
        raise OSError("disk gone")

    monkeypatch.setattr("services.coordinator.coordinator.revoke", broken)
    append(service, checkpoint("m1"))
    errors: list[object] = []
    coordinator = Coordinator(service, on_error=lambda *told: errors.append(told))
    coordinator.tick()
    coordinator.close()
    assert errors == [(1_000_000, "coordinator: revocation", "OSError: disk gone")]
    assert len(records(service, "promotions")) == 1


def test_a_part_that_takes_long_rests_nine_times_as_long(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    ran: list[float] = []

    def slow(_: Service) -> None:
        ran.append(now[0])
        now[0] += 2.0

    monkeypatch.setattr("services.coordinator.coordinator.revoke", slow)
    timer: Callable[[], float] = lambda: now[0]  # noqa: E731
    coordinator = Coordinator(service, timer=timer)
    for moment in (0.0, 19.0, 20.0):
        now[0] = moment
        coordinator.tick()
    coordinator.close()
    assert ran == [0.0, 20.0]

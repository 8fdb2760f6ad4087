"""Gold from the hand-out to its retirement, over the API, the real stages and the coordinator's keeper."""

from __future__ import annotations

from typing import Any

from services.api.handout import gold_answers
from services.coordinator.gold import GoldKeeper
from services.coordinator.growth import gold_id
from services.queue.entries import sides_swapped
from streams import events as e
from tests.integration.world import World, append, error_of

SECOND = 1_000


def campaign(world: World, **changes: Any) -> None:
    answer = world("lead", "PUT", "/v1/campaigns/default", changes)
    assert answer.status_code == 200, answer.text
    world.service.engine.drain()


def tasks(world: World, count: int, *, gold: bool) -> None:
    """`a` is the long one and right, and says so."""
    outputs = [
        {"id": f"{'g' if gold else 't'}{n}", "prompt": f"What is {n}?", "responses": ["the right one, at length", "no"]}
        for n in range(count)
    ]
    for output in outputs:
        body = output | ({"gold": "a"} if gold else {})
        assert world("lead", "POST", "/v1/outputs", body).status_code == 201
    world.service.engine.drain()


def person(world: World, name: str) -> tuple[str, dict[str, str]]:
    answer = world("lead", "POST", "/v1/annotators", {"name": name}).json()
    return answer["annotator"], {"Authorization": f"Bearer {answer['key']}"}


def ask(world: World, key: dict[str, str]) -> Any:
    return world("annotator", "POST", "/v1/tasks/next", {}, headers=key)


def judge(world: World, who: str, key: dict[str, str], *, right: bool = True, seconds: int = 30) -> bool | None:
    """Takes the next task and judges it; whether it was gold, None where there is none."""
    answer = ask(world, key)
    if answer.status_code == 204:
        return None
    assert answer.status_code == 200, answer.text
    task, now = answer.json()["task"], world.service.clock()
    world.service.clock.now += SECOND * seconds  # type: ignore[attr-defined]
    choice = "left" if sides_swapped(task, who) != right else "right"
    body = {"task": task, "choice": choice, "shown_at": now, "answered_at": now + SECOND * seconds}
    assert world("annotator", "POST", "/v1/judgments", body, headers=key).status_code == 201
    world.service.engine.drain()
    with world.service.database.connect() as sql:
        found = sql.exec_driver_sql("SELECT gold FROM tasks WHERE task = ?", (task,)).scalar()
    return found is not None


def health(world: World) -> dict[str, Any]:
    found: dict[str, Any] = world("lead", "GET", "/v1/campaigns/default/gold").json()
    return found


def keep(world: World, keeper: GoldKeeper) -> int:
    changed = keeper.tick()
    world.service.engine.drain()
    return changed


# ---------------------------------------------------------------- exposure and turns


def test_an_item_seen_often_enough_is_retired_and_not_given_any_more(world: World) -> None:
    campaign(world, gold_rate=1.0, gold={"exposure_cap": 2})
    tasks(world, 1, gold=True)
    tasks(world, 9, gold=False)
    keeper = GoldKeeper(service=world.service)
    for name in ("ada", "bob"):
        assert judge(world, *person(world, name)) is True
    (item,) = health(world)["items"]
    assert (item["state"], item["retired_at"]) == ("retired", None)  # nobody has seen to it yet
    retired_at = world.service.clock()
    assert (keep(world, keeper), keep(world, keeper)) == (1, 0)
    assert judge(world, *person(world, "cy")) is False
    (item,) = health(world)["items"]
    assert (item["state"], item["retired_at"]) == ("retired", retired_at)
    assert (item["exposures"], item["right"]) == (2, 1.0)
    assert "seen by 2 of at most 2" in item["reason"]
    assert item["grown_from"] == ""
    assert keep(world, GoldKeeper(service=world.service)) == 0  # one that starts anew finds it as it should be


def test_items_rest_while_others_take_their_turn(world: World) -> None:
    campaign(world, gold_rate=1.0, gold={"in_use": 2})
    tasks(world, 5, gold=True)
    keeper = GoldKeeper(service=world.service)
    assert keep(world, keeper) == 3
    found = health(world)
    assert (found["in_use"], found["resting"], found["retired"]) == (2, 3, 0)
    campaign(world, gold_rate=1.0, gold={"in_use": 4})
    assert keep(world, keeper) == 2
    campaign(world, gold_rate=1.0)
    assert keep(world, keeper) == 1
    assert health(world)["in_use"] == 5


def test_gold_is_never_trained_on(world: World) -> None:
    campaign(world, gold_rate=1.0, targets={"posterior": 0.5})
    tasks(world, 3, gold=True)
    tasks(world, 1, gold=False)
    key = person(world, "ada")
    while judge(world, *key) is not None:
        pass
    gold = {one["task"] for one in health(world)["items"]}
    batch = world("engineer", "POST", "/v1/batches", {"campaign": "default"}).json()
    members = world("engineer", "GET", f"/v1/batches/{batch['batch']}").json()["definition"]["members"]
    assert len(gold) == 3
    assert members
    assert not gold & {task for task, _ in members}


def decided(name: str, **changes: Any) -> list[e.Event]:
    """A closed task with the preference that an adjudicator reached."""
    a, b = (e.Candidate(output="t0", position=i, response=e.Response(digest=f"{i}", length=5)) for i in (0, 1))
    preference: dict[str, Any] = {"verdict": "b", "reached": "adjudicated", **changes}
    return [
        e.Task(id=name, task=name, a=a, b=b, prompt_digest=name, prompt_length=3),
        e.Preference(
            id=f"p-{name}",
            task=name,
            revision=1,
            p_a=0.1,
            p_b=0.9,
            p_tie=0.0,
            a=a,
            b=b,
            prompt_digest=name,
            **preference,
        ),
        e.TaskUpdate(id=f"u-{name}", task=name, status="closed", slots_wanted=1, judgments=1),
    ]


def test_what_an_adjudicator_decided_becomes_gold_once_and_is_not_trained_on(world: World) -> None:
    campaign(world, gold_rate=1.0, gold={"grow": True})
    tasks(world, 1, gold=False)
    append(world.service, *decided("x"), *decided("tied", verdict="tie"), *decided("voted", reached="target"))
    who, key = person(world, "ada")
    judged = e.Judgment(id="j", judgment="j", task="x", annotator=who, choice="a", answered_at=5)
    append(world.service, judged)
    keeper = GoldKeeper(service=world.service)
    assert (keep(world, keeper), keep(world, keeper)) == (1, 0)
    (item,) = health(world)["items"]
    assert (item["task"], item["answer"], item["grown_from"]) == (gold_id("x"), "b", "x")
    assert item["created_at"] == world.service.clock()
    batch = world("engineer", "POST", "/v1/batches", {"campaign": "default"}).json()
    members = world("engineer", "GET", f"/v1/batches/{batch['batch']}").json()["definition"]["members"]
    assert [task for task, _ in members] == ["tied", "voted"]
    assert judge(world, who, key) is False  # they judged the task that it grew from
    assert judge(world, *person(world, "bob"), right=False) is True


def test_a_lead_makes_gold_of_a_decided_task(world: World) -> None:
    append(world.service, *decided("x", reached="target"), *decided("tied", verdict="tie"))
    answer = world("lead", "POST", "/v1/campaigns/default/gold", {"task": "x"})
    assert answer.status_code == 201, answer.text
    assert answer.json() == {"task": gold_id("x"), "answer": "b", "grown_from": "x"}
    world.service.engine.drain()
    for name in ("x", "tied", "nothing"):
        error_of(world("lead", "POST", "/v1/campaigns/default/gold", {"task": name}), 409)
    batch = world("engineer", "POST", "/v1/batches", {"campaign": "default"}).json()
    assert batch["size"] == 1
    (made,) = [r.event for r in world.service.store.read("tasks") if r.event.id == gold_id("x")]
    assert made.actor.startswith("key:")


# ---------------------------------------------------------------- how much of it


def test_those_known_well_get_less_of_it(world: World) -> None:
    campaign(world, gold_rate=1.0, gold={"adaptive": True})
    tasks(world, 60, gold=True)
    tasks(world, 60, gold=False)
    known = e.Reliability(
        accuracy=0.9, accuracy_low=0.88, accuracy_high=0.92, side_bias=0.0, tie_rate=0.1, judgments=900, evidence=800.0
    )
    who, key = person(world, "ada")
    assessment = e.Assessment(
        id="as", judgment="j", task="x", annotator=who, revision=1, choice="a", swapped=False, reliability=known
    )
    world.service.log.submit(lambda tx: tx.append(assessment)).result()
    world.service.engine.drain()
    given = [judge(world, *person(world, f"new {n}")) for n in range(10)]
    assert given == [True] * 10
    shares = []
    for _ in range(40):
        answer = ask(world, key)
        task = answer.json()["task"]
        shares.append(task in {one["task"] for one in health(world)["items"]})
        assert world("annotator", "POST", f"/v1/tasks/{task}/skip", {}, headers=key).status_code == 200
    assert 2 <= sum(shares) <= 18  # a fifth of 40, give or take


# ---------------------------------------------------------------- qualification


def test_beginners_qualify_on_gold_before_they_get_tasks(world: World) -> None:
    campaign(world, gold_rate=0.0, qualification={"tasks": 20, "pass_mark": 0.9, "fail_mark": 0.5, "error": 0.05})
    tasks(world, 20, gold=True)
    tasks(world, 5, gold=False)
    who, key = person(world, "ada")
    seen = [judge(world, who, key) for _ in range(7)]
    assert seen == [True] * 6 + [False]
    me = world("annotator", "GET", "/v1/me", headers=key).json()
    assert me["qualification"] == [{"campaign": "default", "outcome": "passed", "answers": 6, "most": 20}]
    with world.service.database.connect() as sql:
        assert gold_answers(sql, who) == {"default": [True] * 6}


def test_who_does_not_pass_is_told_kindly_and_a_lead_can_let_them_on(world: World) -> None:
    campaign(world, gold_rate=0.0, qualification={"tasks": 20, "pass_mark": 0.9, "fail_mark": 0.5, "error": 0.05})
    tasks(world, 20, gold=True)
    tasks(world, 5, gold=False)
    who, key = person(world, "bob")
    for _ in range(2):
        assert judge(world, who, key, right=False) is True
    refused = error_of(ask(world, key), 403)
    assert "qualification round of default" in refused["message"]
    assert "your lead" in refused["mend"]
    assert world("lead", "POST", f"/v1/annotators/{who}/reinstate", {"reason": "a bad start"}).status_code == 200
    world.service.engine.drain()
    assert judge(world, who, key) is False


def test_the_round_is_off_by_default(world: World) -> None:
    tasks(world, 3, gold=False)
    assert judge(world, *person(world, "ada")) is False
    assert world("annotator", "GET", "/v1/me").json()["qualification"] == []

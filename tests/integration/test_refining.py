"""The posteriors of a batch: refined when it is cut, recorded, and what training gets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.coordinator.batches import cut_now
from services.coordinator.refining import evidence_on
from streams import events as e
from streams.admission import judgment_id
from streams.quality.consensus import verdict
from streams.quality.labelled import Labelled
from streams.quality.refinement import refine
from tests.integration.world import Clock, World, append, opened

GOOD, BAD = ("ada", "bob", "cy"), ("xan", "yve")
FIRST = "t000"  # two of the bad against one of the good, before anything was known of anybody
TASKS = 40
OTHER: dict[e.Choice, e.Choice] = {"a": "b", "b": "a"}
Said = tuple[str, str, e.Choice]


def said() -> list[Said]:
    """In order of arrival."""
    rows: list[Said] = [(FIRST, "xan", "b"), (FIRST, "yve", "b"), (FIRST, "ada", "a")]
    for number in range(1, TASKS):
        truth: e.Choice = "ab"[number % 2]  # type: ignore[assignment]
        rows += [(f"t{number:03}", who, truth) for who in GOOD]
        rows += [(f"t{number:03}", BAD[number % 2], OTHER[truth])]
    return rows


def text(name: str) -> e.Text:
    answers = tuple((e.Part(text=f"{side} of {name}"),) for side in "ab")
    prompt = (e.Message(role="user", content=(e.Part(text="which?"),)),)
    return e.Text(id=f"x-{name}", owner=f"o-{name}", prompt=prompt, responses=answers)


def task(name: str) -> e.Task:
    a, b = (
        e.Candidate(output=f"o-{name}", position=at, response=e.Response(digest=f"{name}-{at}", length=9))
        for at in (0, 1)
    )
    return e.Task(id=name, task=name, a=a, b=b, prompt_digest=name, prompt_length=6, mode="recorded", overlap=3)


def judgment(name: str, who: str, choice: e.Choice, **changes: Any) -> e.Judgment:
    identity = judgment_id(name, who, changes.get("revision", 1))
    common: dict[str, Any] = {"task": name, "annotator": who, "choice": choice, "mode": "recorded"} | changes
    return e.Judgment(id=identity, judgment=identity, **common)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with opened(tmp_path, Clock()) as world:
        names = dict.fromkeys(name for name, _, _ in said())
        append(world.service, *[text(name) for name in names], *[task(name) for name in names])
        append(world.service, *[judgment(*one) for one in said()])
        yield world


def cut(world: World) -> e.Batch:
    batch = cut_now(world.service, "default")
    world.service.engine.drain()
    return batch


def test_a_batch_records_the_posteriors_of_all_that_counts(world: World) -> None:
    batch = cut(world)
    ours = refine([Labelled(item=name, annotator=who, choice=choice) for name, who, choice in said()]).posteriors
    assert len(batch.refined) == len(batch.members) == TASKS
    for (name, _), belief in zip(batch.members, batch.refined, strict=True):
        assert belief == pytest.approx(ours[name], abs=1e-4)


def test_training_gets_the_refined_posterior_and_the_side_that_it_favours(world: World) -> None:
    batch = cut(world)
    lines = world("engineer", "GET", f"/v1/datasets/{batch.batch}").text.splitlines()
    row = next(pair for pair in map(json.loads, lines) if pair["task"] == FIRST)
    assert verdict(tuple(row["online"]))[0] == "b"  # two against one
    assert row["verdict"] == "a"
    assert row["chosen"][0]["content"] == f"a of {FIRST}"
    assert (row["p_a"], row["p_b"], row["p_tie"]) == batch.refined[[name for name, _ in batch.members].index(FIRST)]
    assert row["probability"] == row["p_a"] > 0.8


def test_a_batch_says_how_many_verdicts_turned_when_it_was_cut_whatever_comes_later(world: World) -> None:
    batch = cut(world)
    about = f"/v1/batches/{batch.batch}"
    assert world("lead", "GET", about).json()["turned_by_refinement"] == 1  # FIRST
    append(world.service, judgment(FIRST, "cy", "a"), judgment(FIRST, "bob", "a"))  # now the preference says so too
    assert world("lead", "GET", f"{about}/diff").json()["turned"] == 1
    assert world("lead", "GET", about).json()["turned_by_refinement"] == 1


def test_what_was_withdrawn_does_not_count_and_an_adjudicators_word_stands(world: World) -> None:
    append(world.service, judgment(FIRST, "judge", "b", role="adjudicator"))
    gone = judgment_id("t001", "ada", 1)
    append(
        world.service, e.Retraction(id="r", judgment=gone, task="t001", annotator="ada", withdrawn=True, standing="s")
    )
    batch = cut(world)
    refined = dict(zip([name for name, _ in batch.members], batch.refined, strict=True))
    left = [Labelled(item=name, annotator=who, choice=choice) for name, who, choice in said()]
    ours = refine([one for one in left if (one.item, one.annotator) != ("t001", "ada")]).posteriors
    assert refined[FIRST] is None
    assert refined["t001"] == pytest.approx(ours["t001"], abs=1e-4)
    lines = world("engineer", "GET", f"/v1/datasets/{batch.batch}").text.splitlines()
    row = next(pair for pair in map(json.loads, lines) if pair["task"] == FIRST)
    assert row["verdict"] == "b"
    assert row["p_b"] == row["online"][1] == pytest.approx(0.97)


def test_a_revision_takes_the_former_ones_place_and_withdrawn_it_does_not_bring_it_back(world: World) -> None:
    append(world.service, judgment("t001", "ada", "a", revision=2), judgment("t002", "ada", "b", revision=2))
    gone = judgment_id("t002", "ada", 2)
    append(
        world.service, e.Retraction(id="r", judgment=gone, task="t002", annotator="ada", withdrawn=True, standing="s")
    )
    with world.service.database.connect() as sql:
        judged = evidence_on(sql, "default", ["t001", "t002"]).judged
    assert [one.choice for one in judged if (one.item, one.annotator) == ("t001", "ada")] == ["a"]
    assert not [one for one in judged if (one.item, one.annotator) == ("t002", "ada")]
    assert len(judged) == len(said()) - 1

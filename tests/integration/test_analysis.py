"""Reports over HTTP: what the statistics say of the judgments that count, for whom, and how often they are computed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from services.analysis.gather import Judged, gather
from streams import events as e
from streams.admission import judgment_id
from streams.quality import agreement, biases
from tests.integration.world import Clock, World, append, opened

ITEMS, PEOPLE = 120, 8
NOW = Clock().now
MINUTE = 60_000


def task(number: int) -> e.Task:
    a, b = (
        e.Candidate(
            output=f"o{number}",
            position=position,
            response=e.Response(digest=f"{number}-{position}", length=length, model="ab"[position], markdown=position),
        )
        for position, length in enumerate((100, 40 + number))
    )
    tags = {"domain": "law" if number % 3 == 0 else "mail"}
    return e.Task(id=f"t{number}", task=f"t{number}", a=a, b=b, prompt_digest=f"p{number}", prompt_length=9, tags=tags)


def judged() -> list[e.Judgment]:
    """Four judgments an item; on law nobody agrees."""
    dice, judgments = random.Random(3), []
    for number in range(ITEMS):
        for who in dice.sample(range(PEOPLE), 4):
            right = 0.5 if number % 3 == 0 else 0.95
            identity = judgment_id(f"t{number}", f"an{who}", 1)
            judgments.append(
                e.Judgment(
                    id=identity,
                    judgment=identity,
                    task=f"t{number}",
                    annotator=f"an{who}",
                    choice="a" if dice.random() < right else "b",
                    swapped=dice.random() < 0.5,
                    answered_at=NOW + number * MINUTE,
                    ingested_at=NOW,
                )
            )
    return judgments


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with opened(tmp_path_factory.mktemp("analysis"), Clock()) as world:
        events = [*[task(number) for number in range(ITEMS)], *judged()]
        append(world.service, *events)
        for who in range(PEOPLE):
            vendor = {"attributes": {"vendor": "north" if who % 2 else "south"}}
            assert world("lead", "PUT", f"/v1/annotators/an{who}/attributes", json=vendor).status_code == 200
        yield world


def report(world: World, path: str) -> dict[str, Any]:
    answer = world("lead", "GET", f"/v1/quality/{path}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_agreement_with_intervals_and_over_time(filled: World) -> None:
    found = report(filled, "agreement")
    expected = agreement.agreed([(one.task, one.annotator, one.choice) for one in judged()])
    assert expected.alpha is not None
    assert found["alpha"]["value"] == pytest.approx(expected.alpha.value)
    assert found["judgments"] == 4 * ITEMS
    times = [point["at"] for point in found["over_time"]]
    assert times == sorted(times)
    assert len(times) > 5
    assert times[-1] == NOW + (ITEMS - 1) * MINUTE
    assert all(point["since"] < point["at"] for point in found["over_time"])


def test_the_ambiguous_slice_comes_first_and_is_named(filled: World) -> None:
    first, *others = report(filled, "causes")["causes"]
    assert (first["tag"], first["value"], first["looks"]) == ("domain", "law", "guideline")
    assert {one["tag"] for one in others} == {"domain", "vendor", "time"}


def test_biases_tell_length_markdown_and_models(filled: World) -> None:
    found = report(filled, "biases")
    assert found["judgments"] == 4 * ITEMS
    assert found["markdown_wins"]["rate"] < 0.5  # a, which has none, is chosen
    assert {one["model"] for one in found["models"]} == {"a", "b"}
    assert found["models"][0]["model"] == "a"
    assert found["session"]["sessions"] == PEOPLE
    longest = max(point["difference"] for point in found["length_curve"])
    assert [point["difference"] for point in found["length_fit"]] == [at for at in biases.GRID if at <= longest]


def test_a_record_without_times_tells_nothing_by_time(tmp_path: Path) -> None:
    """It is stamped with the moment of its replay: neither sessions nor periods can be made of that."""
    with opened(tmp_path, Clock()) as world:
        tasks = [replace(task(number), mode="recorded") for number in range(ITEMS)]
        append(world.service, *tasks, *(replace(one, mode="recorded", answered_at=NOW) for one in judged()))
        assert report(world, "agreement")["alpha"] is not None
        assert report(world, "agreement")["over_time"] == []
        assert report(world, "biases")["session"]["sessions"] == 0
        assert "time" not in {cause["tag"] for cause in report(world, "causes")["causes"]}


def test_two_vendors_side_by_side(filled: World) -> None:
    found = report(filled, "comparison?by=vendor&one=north&other=south&price_one=0.2&price_other=0.1")
    comparison = found["comparison"]
    assert comparison["one"]["name"] == "north"
    assert comparison["one"]["people"] == PEOPLE // 2
    assert comparison["cost_ratio"]["value"] > 1
    assert set(found["values"]) == {"north", "south"}
    assert report(filled, "comparison?by=cohort")["comparison"] is None


def test_populations_say_how_many_were_looked_at(filled: World) -> None:
    assert report(filled, "populations")["looked_at"] == PEOPLE


def test_a_batch_has_its_own_report(filled: World) -> None:
    assert report(filled, "biases?batch=none")["judgments"] == 0


@pytest.mark.parametrize("path", ["agreement", "biases", "causes", "populations", "comparison"])
def test_nothing_judged_is_no_error(filled: World, path: str) -> None:
    assert report(filled, f"{path}?campaign=default&batch=none") is not None


def test_an_answer_is_kept_and_made_anew_behind_it(filled: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def counted(*arguments: Any) -> Judged:
        made.append("")
        return gather(*arguments)

    monkeypatch.setattr("services.api.routes.analysis.gather", counted)
    first = report(filled, "agreement?batch=kept")
    assert report(filled, "agreement?batch=kept") == first
    assert len(made) == 1
    assert isinstance(filled.service.clock, Clock)
    filled.service.clock.now += 31_000
    assert report(filled, "agreement?batch=kept") == first  # at once, and another one is begun
    report(filled, "biases?batch=kept")  # waits behind it: one is made at a time
    assert len(made) == 3


def test_an_answer_says_as_of_when_and_an_old_one_is_not_given(filled: World) -> None:
    clock = filled.service.clock
    assert isinstance(clock, Clock)
    first = report(filled, "agreement?batch=aged")["as_of"]
    assert first == clock.now
    clock.now += 300_000
    assert report(filled, "agreement?batch=aged")["as_of"] == clock.now


def test_an_answer_says_how_many_of_the_newest_it_is_of(filled: World, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = filled.service.clock
    assert isinstance(clock, Clock)
    assert report(filled, "agreement")["newest"] is None
    monkeypatch.setattr("services.analysis.gather.MOST_JUDGMENTS", 100)
    clock.now += 300_000
    some = report(filled, "agreement")
    assert (some["newest"], some["judgments"]) == (100, 100)
    clock.now += 300_000  # so that no other test is given this one


@pytest.mark.parametrize("price", ["-1", "x", "nan", "1e9"])
def test_a_price_is_a_number(filled: World, price: str) -> None:
    answer = filled("lead", "GET", f"/v1/quality/comparison?price_one={price}")
    assert answer.status_code == 422
    assert answer.json()["error"]["field"] == "price_one"


def test_attributes_are_set_whole_and_by_leads_alone(filled: World) -> None:
    assert filled("engineer", "PUT", "/v1/annotators/an0/attributes", json={"attributes": {}}).status_code == 403
    assert filled("lead", "PUT", "/v1/annotators/nobody/attributes", json={"attributes": {}}).status_code == 404


def test_an_id_with_a_slash_is_one_part_of_the_path(filled: World) -> None:
    """As in a replayed campaign, whose annotators are named campaign/annotator."""
    path = "/v1/annotators/replayed%2Fan0/attributes"
    answer = filled("lead", "PUT", path, json={"attributes": {}})
    assert answer.status_code == 404
    assert "replayed/an0" in answer.json()["error"]["message"]


def test_a_higher_target_has_its_price(filled: World) -> None:
    found = report(filled, "next-point?campaign=default")
    outlook = found["outlook"]
    assert found["least_tasks"] <= outlook["tasks"] <= ITEMS
    assert outlook["right"]["low"] <= outlook["right"]["value"] <= outlook["right"]["high"]
    prices = [outlook["judgments"]["value"], *(point["judgments"]["value"] for point in outlook["points"])]
    assert prices == sorted(prices)
    assert filled("annotator", "GET", "/v1/quality/next-point").status_code == 403

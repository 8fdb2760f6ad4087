"""What a lead sees of quality equals streams.quality on the judgments that count."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from streams import events as e
from streams.admission import judgment_id
from streams.quality import agreement, biases
from tests.integration.world import Clock, World, append, opened

PEOPLE = ("ada", "bob", "cy")
NOW = Clock().now


def task(number: int) -> e.Task:
    a, b = (
        e.Candidate(output=f"o{number}", position=i, response=e.Response(digest=f"{number}-{i}", length=length))
        for i, length in enumerate((100, 40 + 10 * number))
    )
    tags = {"domain": "code" if number % 2 else "mail"}
    name = f"t{number}"
    return e.Task(id=name, task=name, a=a, b=b, prompt_digest=name, prompt_length=9, tags=tags, overlap=3)


def judgment(number: int, annotator: str, choice: e.Choice, *, swapped: bool, **changes: Any) -> e.Judgment:
    identity = judgment_id(f"t{number}", annotator, 1)
    facts = {"length_a": 100, "length_b": 40 + 10 * number, "answered_at": NOW + number, "ingested_at": NOW + number}
    return e.Judgment(
        id=identity,
        judgment=identity,
        task=f"t{number}",
        annotator=annotator,
        choice=choice,
        swapped=swapped,
        **{**facts, **changes},
    )


def judged() -> list[e.Judgment]:
    """Three people over twelve tasks: mostly agreed, some ties."""
    dice = random.Random(3)
    return [
        judgment(number, annotator, dice.choice(("a", "a", "a", "b", "tie")), swapped=dice.random() < 0.5)
        for number in range(12)
        for annotator in PEOPLE
    ]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with opened(tmp_path_factory.mktemp("quality"), Clock()) as world:
        outside = [
            judgment(0, "late", "b", swapped=False, late=True),
            judgment(0, "judge", "b", swapped=False, role="adjudicator"),
            judgment(0, "bad", "b", swapped=False),
        ]
        withdrawn = e.Retraction(
            id="w", judgment=judgment_id("t0", "bad", 1), task="t0", annotator="bad", withdrawn=True, standing="s"
        )
        events = [*[task(number) for number in range(12)], *judged(), *outside, withdrawn]
        append(world.service, *events)
        yield world


def quality(world: World, query: str = "") -> dict[str, Any]:
    answer = world("lead", "GET", f"/v1/quality{query}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def labels(of: list[e.Judgment]) -> list[tuple[str, str, str]]:
    return [(one.task, one.annotator, one.choice) for one in of]


def test_agreement_is_krippendorffs_of_what_counts(filled: World) -> None:
    found = quality(filled)
    assert found["judgments"] == 36
    assert found["alpha"] == pytest.approx(agreement.krippendorff_alpha(labels(judged())))
    assert found["ties"] == pytest.approx(sum(one.choice == "tie" for one in judged()) / 36)


def test_agreement_over_time_covers_every_judgment_once(filled: World) -> None:
    over_time = quality(filled)["over_time"]
    assert sum(point["judgments"] for point in over_time) == 36
    first = labels(judged()[: over_time[0]["judgments"]])
    assert over_time[0]["alpha"] == pytest.approx(agreement.krippendorff_alpha(first))
    assert over_time[0]["percent"] == pytest.approx(agreement.percent(first))
    assert [point["at"] for point in over_time] == sorted(point["at"] for point in over_time)


def test_agreement_by_tag(filled: World) -> None:
    by_tag = {(one["tag"], one["value"]): one for one in quality(filled, "?tag=domain")["by_tag"]}
    assert set(by_tag) == {("domain", "code"), ("domain", "mail")}
    code = labels([one for one in judged() if int(one.task[1:]) % 2])
    assert by_tag["domain", "code"]["alpha"] == pytest.approx(agreement.krippendorff_alpha(code))
    assert by_tag["domain", "code"]["judgments"] == 18
    assert quality(filled, "?tag=nothing")["by_tag"] == []


def test_biases_of_side_and_length(filled: World) -> None:
    found = quality(filled)
    side = biases.left_rate((one.choice, one.swapped) for one in judged())
    assert found["side"] == {"left_rate": side.rate, "low": side.low, "high": side.high, "judgments": side.n}
    lengths = [(one.length_a, one.length_b, one.choice) for one in judged()]
    longer = biases.longer_wins(lengths)
    told = found["length"]
    assert (told["longer_wins"], told["pairs"]) == (longer.rate, longer.n)
    assert [point["rate"] for point in told["curve"]] == [point.rate for point in biases.length_curve(lengths)]


def test_one_campaign_alone(filled: World) -> None:
    assert quality(filled, "?campaign=default")["judgments"] == 36
    assert filled("lead", "GET", "/v1/quality?campaign=nowhere").status_code == 404

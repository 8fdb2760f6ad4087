"""The history checker finds what it is there to find, and nothing where nothing is wrong."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from streams.admission import judgment_id
from streams.engines.port import Record
from streams.events import Assessment, Assignment, Candidate, Event, Judgment, Output, Reliability, Response, Task
from tests.chaos.cluster import EveryProcess
from tests.chaos.deployments import OneMachine
from tests.chaos.history import Acknowledged, Found, violations
from tests.chaos.run import Plan, Report, run
from tests.records import records
from tests.services.kafka import Broker
from tests.services.postgres import Postgres, enterable
from tests.services.redis import Redis

QUOTA = 2
RELIABILITY = Reliability(
    accuracy=0.8, accuracy_low=0.6, accuracy_high=0.9, side_bias=0.0, tie_rate=0.1, judgments=1, evidence=1.0
)


def by_topic(*events: Event) -> dict[str, list[Record]]:
    """The events where they would stand in the log."""
    topics: dict[str, list[Record]] = {}
    for one in records(*events):
        topics.setdefault(one.topic, []).append(one)
    return topics


def judged(annotator: str, revision: int = 1) -> list[Event]:
    identity = judgment_id("t", annotator, revision)
    return [
        Assignment(id=f"grant {annotator}", task="t", annotator=annotator, kind="granted", slot=0),
        Judgment(id=identity, judgment=identity, task="t", annotator=annotator, revision=revision, choice="a"),
        Assessment(
            id=f"scored {identity}",
            judgment=identity,
            task="t",
            annotator=annotator,
            revision=revision,
            choice="a",
            swapped=False,
            reliability=RELIABILITY,
        ),
    ]


def life() -> list[Event]:
    response = Response(digest="d", length=1)
    candidate = Candidate(output="o", position=0, response=response)
    return [
        Output(id="o", output="o", prompt_digest="p", prompt_length=1, responses=(response, response)),
        Task(id="t", task="t", a=candidate, b=candidate, prompt_digest="p", prompt_length=1),
        *judged("anna"),
        *judged("ben"),
    ]


def found(*events: Event, repeats: bool = False) -> Found:
    return Found(records=by_topic(*events), views=(), rebuilt=(), quota=QUOTA, repeats=repeats)


def acknowledged(outputs: tuple[str, ...] = ("o",), judgments: tuple[str, ...] = ()) -> Acknowledged:
    yes = Acknowledged()
    for identity in outputs:
        yes.add(yes.outputs, identity)
    for identity in judgments:
        yes.add(yes.judgments, identity)
    return yes


def test_a_life_without_faults_breaks_no_promise() -> None:
    assert violations(acknowledged(judgments=(judgment_id("t", "anna", 1),)), found(*life())) == []


@pytest.mark.parametrize(
    ("events", "broken"),
    [
        ([event for event in life() if not isinstance(event, Output)], "outputs that were acknowledged"),
        ([event for event in life() if not isinstance(event, Task)], "outputs without a task"),
        ([event for event in life() if not isinstance(event, Assessment)], "judgments without an assessment"),
        ([*life(), *judged("cleo")], "tasks judged beyond their quota"),
        ([*life(), judged("cleo")[0]], "tasks granted beyond their quota"),
        ([*life(), life()[1]], "ids that are there twice"),
        ([*life(), msgspec.structs.replace(life()[1], id="t again")], "tasks that were made twice"),
        ([*life(), msgspec.structs.replace(judged("ben")[1], id="again")], "tasks judged twice by one annotator"),
    ],
)
def test_each_broken_promise_is_named(events: list[Event], broken: str) -> None:
    assert any(broken in line for line in violations(acknowledged(), found(*events)))


def test_a_judgment_that_was_lost_is_named() -> None:
    assert (
        "judgments that were acknowledged and are not there"
        in violations(acknowledged(judgments=("gone",)), found(*life())).pop()
    )


def test_copies_are_fine_where_the_log_may_repeat_if_they_say_the_same() -> None:
    again, other = life()[1], msgspec.structs.replace(life()[1], priority=9)
    assert violations(acknowledged(), found(*life(), again, repeats=True)) == []
    assert "differ" in violations(acknowledged(), found(*life(), other, repeats=True))[0]


def test_views_that_differ_from_a_rebuild_are_named() -> None:
    kept = replace(found(*life()), views=[("tasks", ("t", 1))], rebuilt=[("tasks", ("t", 2))])
    assert len(violations(acknowledged(), kept)) == 2


# ---------------------------------------------------------------- whole processes


def chaos(folder: Path, kills: int, module: str = "services.cli", between: int = 20) -> Report:
    with OneMachine(folder / "chaos", module) as deployment:
        return run(deployment, Plan(kills=kills, seed=20261121, producers=2, annotators=6, between=between))


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_or_doubled_by_kills(tmp_path: Path) -> None:
    report = chaos(tmp_path, kills=3)
    assert report.violations == []
    assert report.kills.total() == 3
    assert report.outputs + report.judgments >= 3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "kills", "told"),
    [("tests.chaos.doubled_grant", 0, "beyond their quota"), ("tests.chaos.forgetful_stages", 1, "there twice")],
)
def test_a_planted_bug_is_found(tmp_path: Path, module: str, kills: int, told: str) -> None:
    report = chaos(tmp_path, kills, module, between=200)  # enough of them that the bug has its chance
    assert any(told in line for line in report.violations)


@pytest.mark.slow
def test_a_cluster_keeps_its_promises_under_kills(
    postgres: Postgres, redis_server: Redis, kafka_broker: Broker
) -> None:
    """The fixtures say whether the servers are here; the cluster starts some of its own, to kill them."""
    with tempfile.TemporaryDirectory() as name, EveryProcess(enterable(Path(name)) / "chaos") as cluster:
        report = run(cluster, Plan(kills=3, seed=20261121, producers=2, annotators=6, between=20))
    assert report.violations == []
    assert report.kills.total() == 3

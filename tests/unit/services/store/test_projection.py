"""The views: every topic folds, in whatever order topics come, and a rebuild gives the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
import pytest
import sqlalchemy
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, select

from services.store import models as m
from services.store.projection import FOLDS, Views
from services.store.schema import rows_of_views
from streams import events as e
from streams.engines.port import Record
from streams.engines.sqlite_log import as_json
from streams.topology import TOPOLOGY
from tests.records import records

A = e.Candidate(output="o1", position=0, response=e.Response(digest="d1", length=3, model="m1"))
B = e.Candidate(output="o1", position=1, response=e.Response(digest="d2", length=9, model="m2"))
KNOWN = e.Reliability(
    accuracy=0.8, accuracy_low=0.6, accuracy_high=0.9, side_bias=0.1, tie_rate=0.2, judgments=1, evidence=1.0
)
LIFE: list[e.Event] = [
    e.Campaign(id="1", name="default", version=1),
    e.Output(id="2", output="o1", prompt_digest="p", prompt_length=4, responses=(A.response, B.response)),
    e.Signal(id="3", signal="s1", output="o1", kind="thumbs_up"),
    e.Task(id="4", task="t1", a=A, b=B, prompt_digest="p", prompt_length=4, overlap=2),
    e.Assignment(id="5", task="t1", annotator="ann", kind="granted", slot=0, lease_until=99),
    e.Judgment(id="6", judgment="j1", task="t1", annotator="ann", choice="a"),
    e.Assessment(
        id="7", judgment="j1", task="t1", annotator="ann", revision=1, choice="a", swapped=False, reliability=KNOWN
    ),
    e.TaskUpdate(id="8", task="t1", status="closed", slots_wanted=1, judgments=1),
    e.Preference(
        id="9", task="t1", revision=1, verdict="a", p_a=0.9, p_b=0.1, p_tie=0.0, reached="target", a=A, b=B,
        prompt_digest="p", judgments=("j1",),
    ),
    e.Preference(
        id="10", task="t1", revision=2, verdict=None, p_a=0.5, p_b=0.5, p_tie=0.0, reached="withdrawn", a=A, b=B,
        prompt_digest="p",
    ),
    e.Agreement(
        id="11", judgment="j1", task="t1", annotator="ann", choice="a", swapped=False, probability=0.7,
        others=(0.7, 0.2, 0.1), others_count=2,
    ),
    e.Appeal(id="12b", appeal="ap1", annotator="ann", standing="13", length=9),
    e.Alert(id="12", alert="al1", annotator="ann", hypothesis="speed", evidence={"seconds": 0.4}),
    e.Standing(id="13", annotator="ann", standing="suspended", weight=0.0, since=5, reason="too fast"),
    e.Standing(id="14", annotator="other", standing="suspended", weight=0.0, enforced=False),
    e.Retraction(id="15", judgment="j1", task="t1", annotator="ann", withdrawn=True, standing="13"),
    e.Score(id="15s", task="t1", model="rm-1", probability=0.93),
    e.Batch(id="16", batch="b1", members=(("t1", 1),), holdout=(("t2", 1),)),
    e.RunUpdate(id="17", run="r1", batch="b1", status="requested", config={"beta": 0.1}),
    e.RunUpdate(id="18", run="r1", batch="b1", status="progress", stage="dpo", step=1, steps=9, metrics={"loss": 0.6}),
    e.RunUpdate(id="19", run="r1", batch="b1", status="finished"),
    e.Checkpoint(id="20", model="m1", run="r1", batch="b1", parent="", uri="x", report={"kl": 1}),
    e.Promotion(id="21", model="m1", decision="promoted", reasons=("better",)),
    e.Checkpoint(id="22", model="m2", run="r1", batch="b1", parent="m1", uri="y"),
    e.Promotion(id="23", model="m2", decision="promoted", previous="m1"),
    e.Promotion(id="24", model="m1", decision="rolled_back", previous="m2"),
    e.DeadLetter(id="25", topic="outputs", partition=0, offset=1, key="k", stage="tasks", reason="r", payload=b"\xff"),
]  # fmt: skip


def folded(batches: Sequence[Sequence[Record]]) -> list[tuple[str, tuple[object, ...]]]:
    with database().connect() as sql:
        for batch in batches:
            Views().apply(sql, batch)
        return list(rows_of_views(sql))


def database() -> sqlalchemy.Engine:
    engine = create_engine("sqlite://", json_serializer=as_json)
    m.metadata.create_all(engine)
    return engine


@pytest.fixture
def sql() -> Iterator[sqlalchemy.Connection]:
    with database().connect() as connection:
        for record in records(*LIFE):
            Views().apply(connection, [record])
        yield connection


def test_every_topic_that_is_told_in_sql_has_a_fold() -> None:
    names = {TOPOLOGY.by_event[kind].name for kind in FOLDS}
    assert names == set(Views.topics) == set(TOPOLOGY.topics) - {"texts", "singles", "priors"}


def test_a_life_leaves_a_row_in_every_view(sql: sqlalchemy.Connection) -> None:
    assert {name for name, _ in rows_of_views(sql)} == {table.name for table in m.VIEWS}


@given(st.data())
@settings(max_examples=30, deadline=None)
def test_the_order_between_topics_does_not_matter(data: st.DataObject) -> None:
    """A rebuild folds whole topics one after the other; life mixed them."""
    by_topic: dict[str, list[Record]] = {}
    for record in records(*LIFE):
        by_topic.setdefault(record.topic, []).append(record)
    order = data.draw(st.permutations(sorted(by_topic)))
    assert folded([by_topic[topic] for topic in order]) == folded([[record] for record in records(*LIFE)])


def test_folding_twice_changes_nothing() -> None:
    once = [[record] for record in records(*LIFE)]
    assert folded([*once, *once]) == folded(once)


@pytest.mark.parametrize(("revision", "judgments"), [(1, 2), (2, 1)])
def test_the_judgments_of_an_annotator_count_the_newest_too(revision: int, judgments: int) -> None:
    """An assessment tells what was known before it: a revision was counted there already."""
    (assessment,) = [event for event in LIFE if isinstance(event, e.Assessment)]
    with database().connect() as sql:
        Views().apply(sql, records(msgspec.structs.replace(assessment, revision=revision)))
        assert sql.scalar(select(m.standings.c.judgments)) == judgments


def test_the_champion_is_who_was_rolled_back_to(sql: sqlalchemy.Connection) -> None:
    statuses = {row.model: row.status for row in sql.execute(select(m.models))}
    assert statuses == {"m1": "champion", "m2": "retired"}


def test_the_newest_revision_of_a_preference_stands(sql: sqlalchemy.Connection) -> None:
    row = sql.execute(select(m.preferences)).one()
    assert (row.revision, row.verdict, row.reached) == (2, None, "withdrawn")


def test_a_standing_that_is_not_enforced_is_history_only(sql: sqlalchemy.Connection) -> None:
    assert sql.execute(select(m.standings.c.annotator)).scalars().all() == ["ann"]
    assert len(sql.execute(select(m.standing_history)).all()) == 2


def test_a_run_keeps_its_request_and_its_curve(sql: sqlalchemy.Connection) -> None:
    run = sql.execute(select(m.runs)).one()
    assert (run.status, run.config, run.step, run.metrics) == ("finished", {"beta": 0.1}, 1, {"loss": 0.6})
    assert sql.execute(select(m.run_metrics.c.metrics)).scalar_one() == {"loss": 0.6}

"""A task's life read back from the views is the one that was folded into them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import create_engine

from services.store import models as m
from services.store.lives import Life, lives_of
from services.store.projection import Views
from streams import events as e
from streams.engines.sqlite_log import as_json
from tests.records import records

RESPONSE = e.Response(digest="d", length=7, model="m1", model_version="3")
A, B = (e.Candidate(output="o", position=i, response=RESPONSE) for i in (0, 1))
TASK = e.Task(
    task="t", campaign="c", campaign_version=4, correlation="o", a=A, b=B, prompt_digest="p", prompt_length=9,
    tags={"locale": "fr"}, overlap=2, priority=5, skills=("french",), target_posterior=0.83, min_judgments=2,
    overlap_cap=6, mode="recorded", zero_tolerance=True, holdout=True, gold="tie",
)  # fmt: skip
KNOWN = e.Reliability(
    accuracy=0.8, accuracy_low=0.6, accuracy_high=0.9, side_bias=0.1, tie_rate=0.2, judgments=1, evidence=1.5
)
JUDGMENT = e.Judgment(
    judgment="j", task="t", campaign="c", annotator="ann", revision=2, choice="b", swapped=True, role="adjudicator",
    flags=("critical",), gold="tie", answered_at=77, late=True,
)  # fmt: skip
ASSESSMENT = e.Assessment(
    judgment="j", task="t", campaign="c", annotator="ann", revision=2, choice="b", swapped=True, role="adjudicator",
    flags=("critical",), reliability=KNOWN, weight=0.25, checks=(e.Check(name="gold", passed=False, detail="no"),),
    late=True, gold="tie", answered_at=77,
)  # fmt: skip


def lives(*events: e.Event, asked: Sequence[str] = ("t",)) -> list[Life]:
    engine = create_engine("sqlite://", json_serializer=as_json)
    m.metadata.create_all(engine)
    with engine.connect() as sql:
        for one in records(*events):
            Views().apply(sql, [one])
        return list(lives_of(sql, asked))


def test_nothing_that_the_stage_knows_is_lost() -> None:
    """Every field differs from its default, so that one which the views forget is found here."""
    for event in (TASK, ASSESSMENT):
        for field in msgspec.structs.fields(event):
            if field.name not in e.Event.__struct_fields__ and field.default is not msgspec.NODEFAULT:
                assert getattr(event, field.name) != field.default, f"give {field.name} a value in this test"
    assert lives(TASK, JUDGMENT, ASSESSMENT) == [
        Life(task=TASK, assessments=(ASSESSMENT,), withdrawn=frozenset()),
    ]


def test_a_retraction_is_told_and_taken_back() -> None:
    first, second = (
        e.Retraction(judgment="j", task="t", annotator="ann", withdrawn=withdrawn, standing="s")
        for withdrawn in (True, False)
    )
    (life,) = lives(TASK, JUDGMENT, ASSESSMENT, first)
    assert life.withdrawn == {"j"}
    (life,) = lives(TASK, JUDGMENT, ASSESSMENT, first, second)
    assert life.withdrawn == frozenset()


def test_what_is_not_assessed_yet_and_tasks_not_seen_yet_are_left_out() -> None:
    assert lives(TASK, JUDGMENT)[0].assessments == ()
    assert lives(JUDGMENT, ASSESSMENT) == []
    assert lives(TASK, asked=()) == []

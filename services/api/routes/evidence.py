"""The evidence of an annotator's tests after each judgment, worked out again from what the views hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, select
from starlette.responses import Response

from services.api.context import Call, json_answer
from services.api.routing import Endpoint
from services.store import models as m
from streams.events import Check, Judgment, Struct
from streams.quality import alarms, pattern, sequential
from streams.quality.alarms import LEVELS, TESTS, threshold
from streams.quality.sequential import Test
from streams.stages.assessments import bets_on, bets_on_accuracy

MOST_JUDGMENTS = 5_000  # the newest
MOST_POINTS = 400  # a curve


class Seen(Struct, frozen=True, kw_only=True):
    """A judgment with what became known of it."""

    judgment: Judgment
    checks: tuple[Check, ...] = ()
    agreement: float | None = None  # the others' probability of its choice


class Point(NamedTuple):
    """The evidence after one judgment."""

    number: int  # of the judgment among those looked at, from 1
    at: int  # ms
    evidence: float


Curves = dict[str, list[Point]]  # by test


def curves(seen: Iterable[Seen], restarts: Sequence[int]) -> Curves:
    """The evidence after each judgment that a test has bet on, as the stage bets; tests start again at `restarts` (ms).

    What the others say of a judgment counts where the judgment stands, though it came later: the last values agree
    with the stage's, the path is what it would have been with today's knowledge.
    """
    running: dict[str, Test] = {}
    history, found, waiting = "", dict[str, list[Point]](), sorted(restarts)
    for number, one in enumerate(seen, 1):
        at = one.judgment.answered_at
        while waiting and waiting[0] <= at:
            running, waiting = {}, waiting[1:]
        history, foretold = pattern.observe(history, pattern.symbol(one.judgment.choice, one.judgment.swapped))
        for name, ratios in (*bets_on(one.judgment, one.checks, foretold), *_of_the_others(one)):
            running[name] = sequential.observe(running.get(name, Test()), ratios, at, TESTS[name].watch)
            found.setdefault(name, []).append(Point(number, at, alarms.evidence(name, running[name])))
    return {name: thinned(points) for name, points in found.items()}


def _of_the_others(one: Seen) -> list[tuple[str, list[float]]]:
    choice, agreement = one.judgment.choice, one.agreement
    if agreement is None or choice == "tie" or one.judgment.gold is not None:
        return []
    others = (agreement, 1 - agreement, 0.0) if choice == "a" else (1 - agreement, agreement, 0.0)
    return list(bets_on_accuracy(choice, others))


def thinned(points: list[Point]) -> list[Point]:
    """At most so many points: of each stretch the highest, so that no crossing is lost, and the last."""
    stride = -(-len(points) // MOST_POINTS)
    stretches = (points[start : start + stride] for start in range(0, len(points), stride or 1))
    return [max(stretch, key=lambda point: point.evidence) for stretch in stretches]


async def get_evidence(call: Call) -> Response:
    """The curves of all tests with the levels at which they alarm."""
    annotator = call.path("annotator")
    seen, restarts = await call.context.query(lambda sql: (_seen(sql, annotator), _restarts(sql, annotator)))
    tests = [
        {
            "test": name,
            "hypothesis": TESTS[name].hypothesis,
            "levels": [{"standing": level.standing, "evidence": threshold(name, level)} for level in LEVELS],
            "points": [point._replace(evidence=round(point.evidence, 4))._asdict() for point in points],
        }
        for name, points in curves(seen, restarts).items()
    ]
    return json_answer({"annotator": annotator, "tests": tests})


COLUMNS = ("judgment", "task", "annotator", "choice", "swapped", "gold", "length_a", "length_b", "shown_at")


def _seen(sql: Connection, annotator: str) -> list[Seen]:
    table = m.judgments
    columns = table.c[(*COLUMNS, "answered_at", "checks", "agreement")]
    newest = select(*columns).where(table.c.annotator == annotator).order_by(table.c.log_offset.desc())
    rows = reversed(list(sql.execute(newest.limit(MOST_JUDGMENTS)).mappings()))
    return [_of_row(dict(row)) for row in rows]


def _of_row(row: dict[str, Any]) -> Seen:
    checks, agreement = row.pop("checks") or (), row.pop("agreement")
    return Seen(judgment=Judgment(**row), checks=msgspec.convert(checks, tuple[Check, ...]), agreement=agreement)


def _restarts(sql: Connection, annotator: str) -> list[int]:
    """When a person reinstated the annotator."""
    table = m.standing_history.c
    by_a_person = table.by.like("key:%")
    query = select(table.at).where(table.annotator == annotator, table.standing == "active", by_a_person)
    return [at for (at,) in sql.execute(query)]


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/v1/annotators/{annotator}/evidence",
        answer=get_evidence,
        summary="The evidence of an annotator's tests after each judgment, with the levels that alarm",
        tag="quality",
        answers={
            200: {
                "annotator": "an_5f",
                "tests": [
                    {
                        "test": "speed",
                        "hypothesis": "speed",
                        "levels": [{"standing": "weighted", "evidence": 1000.0}],
                        "points": [{"number": 1, "at": 1790000000000, "evidence": 1.2}],
                    }
                ],
            }
        },
    ),
)

"""Agreement in a campaign's calibration rounds, and how each annotator agrees with the others there."""

from __future__ import annotations

from collections import defaultdict

from sqlalchemy import Connection, select
from starlette.responses import Response

from services.analysis.apart import report
from services.analysis.gather import CalibrationRound
from services.api.context import Call, json_answer
from services.api.routing import Endpoint
from services.coordinator.calibration import FIRST, TAG, next_round_at
from services.store import models as m

MOST_ROUNDS = 20
Label = tuple[str, str, str]  # task, annotator, choice


async def get_calibration(call: Call) -> Response:
    """The rounds, the newest first."""
    campaign = call.context.campaigns.get(call.path("name"))
    rounds = await call.context.query(lambda sql: rounds_of(sql, campaign.name))
    terms = campaign.calibration
    told = {
        "campaign": campaign.name,
        "policy": {name: getattr(terms, name) for name in terms.__struct_fields__},
        "next_at": next_round_at(terms, call.context.clock()),
    }
    return json_answer({**told, **await report("calibration.calibration_report", rounds[:MOST_ROUNDS])})


def rounds_of(sql: Connection, campaign: str) -> list[CalibrationRound]:
    """Every round of the campaign, the newest first."""
    tasks = m.tasks.c
    copies = select(tasks.task, tasks.tags, tasks.status, tasks.overlap)
    rows = sql.execute(copies.where(tasks.campaign == campaign, tasks.priority == FIRST)).all()
    by_round = defaultdict(list)
    for row in rows:
        if TAG in row.tags:
            by_round[row.tags[TAG]].append(row)
    labels = labels_of(sql, campaign)
    return [
        CalibrationRound(
            name=name,
            tasks=len(found),
            closed=sum(row.status == "closed" for row in found),
            people=max(row.overlap for row in found),
            labels=[label for row in found for label in labels.get(row.task, [])],
        )
        for name, found in sorted(by_round.items(), reverse=True)
    ]


def labels_of(sql: Connection, campaign: str) -> dict[str, list[Label]]:
    """Task -> its judgments that count, of the tasks that come first; a revision takes the place of the former."""
    judgments, tasks = m.judgments.c, m.tasks.c
    rows = sql.execute(
        select(judgments.task, judgments.annotator, judgments.choice)
        .join(m.tasks, tasks.task == judgments.task)
        .where(tasks.campaign == campaign, tasks.priority == FIRST, ~judgments.late, ~judgments.withdrawn)
        .order_by(judgments.log_offset)
    )
    newest: dict[str, dict[str, Label]] = defaultdict(dict)
    for task, annotator, choice in rows:
        newest[task][annotator] = (task, annotator, choice)
    return {task: list(found.values()) for task, found in newest.items()}


ROUND = {
    "round": "2026-11-16",
    "tasks": 5,
    "closed": 4,
    "people": 13,
    "finished": 12,
    "judgments": 62,
    "alpha": {"value": 0.61, "low": 0.34, "high": 0.85},
    "percent": {"value": 0.81, "low": 0.67, "high": 0.94},
    "annotators": [{"annotator": "an_5f", "judged": 5, "agreement": {"rate": 0.42, "low": 0.13, "high": 0.78, "n": 5}}],
}

ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/v1/campaigns/{name}/calibration",
        answer=get_calibration,
        summary="Agreement in the calibration rounds, the newest first",
        tag="quality",
        answers={
            200: {
                "campaign": "default",
                "policy": {"tasks": 5, "every_days": 7},
                "next_at": 1795564800000,
                "rounds": [ROUND],
            }
        },
    ),
)

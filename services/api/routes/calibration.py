"""Agreement in a campaign's calibration rounds, and how each annotator agrees with the others there."""

from __future__ import annotations

from collections import defaultdict

from sqlalchemy import Connection, select
from starlette.responses import Response

from services.analysis.apart import report
from services.api.context import Call, json_answer
from services.api.routing import Endpoint
from services.coordinator.calibration import FIRST, TAG
from services.store import models as m

MOST_ROUNDS = 20
Label = tuple[str, str, str]  # task, annotator, choice


async def get_calibration(call: Call) -> Response:
    """The rounds, the newest first."""
    campaign = call.context.campaigns.get(call.path("name"))
    rounds = await call.context.query(lambda sql: labels_of(sql, campaign.name))
    newest = [(name, rounds[name]) for name in sorted(rounds, reverse=True)[:MOST_ROUNDS]]
    return json_answer({"campaign": campaign.name, **await report("calibration.calibration_report", newest)})


def labels_of(sql: Connection, campaign: str) -> dict[str, list[Label]]:
    """Round -> its judgments that count."""
    judgments, tasks = m.judgments.c, m.tasks.c
    rows = sql.execute(
        select(tasks.tags, judgments.task, judgments.annotator, judgments.choice)
        .join(m.tasks, tasks.task == judgments.task)
        .where(tasks.campaign == campaign, tasks.priority == FIRST, ~judgments.late, ~judgments.withdrawn)
        .order_by(judgments.log_offset)
    )
    newest: dict[str, dict[tuple[str, str], str]] = defaultdict(dict)
    for tags, task, annotator, choice in rows:
        if TAG in tags:
            newest[tags[TAG]][task, annotator] = choice  # a revision takes the place of the former
    return {name: [(*place, choice) for place, choice in found.items()] for name, found in newest.items()}


ROUND = {
    "round": "2026-11-16",
    "tasks": 5,
    "judgments": 60,
    "alpha": 0.61,
    "annotators": [{"annotator": "an_5f", "agreement": 0.42}],
}

ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/v1/campaigns/{name}/calibration",
        answer=get_calibration,
        summary="Agreement in the calibration rounds, the newest first",
        tag="quality",
        answers={200: {"campaign": "default", "rounds": [ROUND]}},
    ),
)

"""Agreement in a campaign's calibration rounds, and how each annotator agrees with the others there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import permutations
from typing import Any

from sqlalchemy import Connection, select
from starlette.responses import Response

from services.api.context import Call, json_answer
from services.api.routing import Endpoint
from services.coordinator.calibration import FIRST, TAG
from services.store import models as m
from streams.quality import agreement

MOST_ROUNDS = 20
Label = tuple[str, str, str]  # task, annotator, choice


async def get_calibration(call: Call) -> Response:
    """The rounds, the newest first."""
    campaign = call.context.campaigns.get(call.path("name"))
    rounds = await call.context.query(lambda sql: labels_of(sql, campaign.name))
    newest = sorted(rounds, reverse=True)[:MOST_ROUNDS]
    return json_answer({"campaign": campaign.name, "rounds": [shown(name, rounds[name]) for name in newest]})


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


def shown(name: str, labels: Sequence[Label]) -> dict[str, Any]:
    """One round: Krippendorff's alpha, and each annotator's share of agreement with the others, the lowest first."""
    people = sorted(agreed(labels).items(), key=lambda item: (item[1], item[0]))
    return {
        "round": name,
        "tasks": len({task for task, _, _ in labels}),
        "judgments": len(labels),
        "alpha": agreement.krippendorff_alpha(labels),
        "annotators": [{"annotator": who, "agreement": share} for who, share in people],
    }


def agreed(labels: Sequence[Label]) -> dict[str, float]:
    """Annotator -> share of the others' judgments on the same tasks that say the same; absent where nobody else did."""
    by_task: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for task, annotator, choice in labels:
        by_task[task].append((annotator, choice))
    same: dict[str, list[bool]] = defaultdict(list)
    for judged in by_task.values():
        for (who, choice), (_, other) in permutations(judged, 2):
            same[who].append(choice == other)
    return {who: sum(hits) / len(hits) for who, hits in same.items()}


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

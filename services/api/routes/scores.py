"""What reward models say of pairs: the trainer's, or a producer's own. People's judgments are compared with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
from sqlalchemy import Connection, select
from starlette.responses import Response

from services.api.context import Call, json_answer
from services.api.routing import Endpoint
from services.appending import appending_new
from services.store import models as m
from streams.errors import InputError, NotFoundError
from streams.events import Score, digest
from streams.stages.tasks import task_id

MOST_SCORES = 10_000
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]


class RawScore(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One pair, by its task or by the output whose first two responses it compares."""

    probability: Annotated[float, msgspec.Meta(ge=0, le=1)]  # that a, the first response, is better
    task: Name | None = None
    output: Name | None = None


class RawScores(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one reward model says."""

    model: Name
    scores: Annotated[list[RawScore], msgspec.Meta(min_length=1, max_length=MOST_SCORES)]


_scores = msgspec.json.Decoder(RawScores)


async def post_scores(call: Call) -> Response:
    """Takes a model's scores; the first one of a task and model is kept."""
    told = await call.read(_scores)
    tasks = [task_of(score, at) for at, score in enumerate(told.scores)]
    campaigns = await call.context.query(lambda sql: known(sql, tasks))
    now = call.context.clock()
    events = [
        Score(
            id=digest("score", told.model, task),
            campaign=campaigns[task],
            occurred_at=now,
            ingested_at=now,
            actor=call.caller.actor,
            task=task,
            model=told.model,
            probability=score.probability,
        )
        for task, score in zip(tasks, told.scores, strict=True)
    ]
    # A model that is asked again may differ in the last digit: its first word stays.
    accepted = await call.context.write(appending_new("score", events, lambda score: (score.id, "")))
    return json_answer({"accepted": accepted, "duplicates": len(events) - accepted}, 201 if accepted else 200)


def task_of(score: RawScore, at: int) -> str:
    """The task meant. Raises InputError."""
    if (score.task is None) == (score.output is None):
        raise InputError(
            f"score {at} must name a task or an output, and not both",
            field=f"scores[{at}].task",
            mend="send task, or the output whose first two responses are compared",
        )
    return score.task if score.task is not None else task_id(str(score.output), 0, str(score.output), 1)


def known(sql: Connection, tasks: Sequence[str]) -> dict[str, str]:
    """Task -> its campaign. Raises NotFoundError for the first that there is not."""
    table = m.tasks.c
    rows = sql.execute(select(table.task, table.campaign).where(table.task.in_(tasks), table.log_offset >= 0))
    found = {str(task): str(campaign) for task, campaign in rows}
    missing = next((at for at, task in enumerate(tasks) if task not in found), None)
    if missing is not None:
        raise NotFoundError(
            f"score {missing} is of a pair that is no task",
            field=f"scores[{missing}].task",
            mend="send the output first and this a moment later; outputs that were not sampled have no task",
        )
    return found


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/v1/scores",
        answer=post_scores,
        summary="Say what a reward model holds of pairs that it was not trained on",
        tag="producers",
        body=RawScores,
        example={"model": "rm-7", "scores": [{"output": "o-17", "probability": 0.97}]},
        answers={201: {"accepted": 1, "duplicates": 0}},
    ),
)

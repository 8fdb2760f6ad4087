"""Models, and lineage both ways."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import anyio.to_thread
import msgspec
from sqlalchemy import Connection, select
from starlette.responses import Response

from services.api.context import Call, json_answer
from services.api.routes.campaigns import Why
from services.api.routing import Endpoint
from services.coordinator import registry
from services.coordinator.doubt import doubted_models
from services.store import models as m
from streams.errors import NotFoundError
from streams.events import Promotion

MOST_MODELS = 500
MOST_IDS = 1_000  # of each kind that a lineage names; the counts are whole
CHUNK = 500
_why = msgspec.json.Decoder(Why)


async def list_models(call: Call) -> Response:
    """The newest first, without reports and manifests in full."""
    service = call.context.service

    def read(sql: Connection) -> list[dict[str, Any]]:
        query = select(m.models).order_by(m.models.c.at.desc()).limit(MOST_MODELS)
        rows = [dict(row) for row in sql.execute(query).mappings()]
        statuses = {
            model: status
            for campaign in {row["campaign"] for row in rows}
            for model, status in registry.statuses(registry.promotions_of(service.store, campaign)).items()
        }
        doubts = doubted_models(sql)
        return [
            {**row, "status": statuses.get(row["model"], "candidate"), "doubt": doubts.get(row["model"])}
            for row in rows
        ]

    return json_answer({"models": await call.context.query(read)})


async def get_model(call: Call) -> Response:
    """One model: report, manifest, and the newest decision about it."""
    name = call.path("model")
    service = call.context.service

    def read(sql: Connection) -> dict[str, Any]:
        row = _model(sql, name)
        promotions = registry.promotions_of(service.store, row["campaign"])  # the log is ahead of the views
        decisions = [decision_of(one) for one in reversed(promotions) if one.model == name]
        return {
            **row,
            "status": registry.statuses(promotions).get(name, "candidate"),
            "doubt": doubted_models(sql).get(name),
            "decision": decisions[0] if decisions else None,
            "decisions": decisions,
        }

    return json_answer(await call.context.query(read))


def decision_of(promotion: Promotion) -> dict[str, Any]:
    """As it is told."""
    told = ("campaign", "model", "decision", "previous", "reasons", "override", "by")
    return {"event": promotion.id, **{name: getattr(promotion, name) for name in told}, "at": promotion.ingested_at}


async def promote(call: Call) -> Response:
    """Makes the model champion, whatever the gate said; the override is an event."""
    why = await call.read(_why)
    service, name, by = call.context.service, call.path("model"), call.caller.actor
    return json_answer(
        await anyio.to_thread.run_sync(lambda: registry.promote(service, name, by=by, reason=why.reason))
    )


async def model_lineage(call: Call) -> Response:
    """Which judgments, by whom, on which outputs, made this model."""
    name = call.path("model")
    return json_answer(await call.context.query(lambda sql: _lineage(sql, name)))


async def output_lineage(call: Call) -> Response:
    """What became of one output, up to the decisions about models that were trained on it."""
    output = call.path("output")
    return json_answer(await call.context.query(lambda sql: _story(sql, output)))


async def judgment_lineage(call: Call) -> Response:
    """What became of one judgment."""
    judgment = call.path("judgment")
    return json_answer(await call.context.query(lambda sql: _consequences(sql, judgment)))


def _model(sql: Connection, model: str) -> dict[str, Any]:
    row = sql.execute(select(m.models).where(m.models.c.model == model)).mappings().first()
    if row is None:
        raise NotFoundError(f"there is no model {model[:80]!r}", field="model", mend="GET /v1/models lists them")
    return dict(row)


def _lineage(sql: Connection, name: str) -> dict[str, Any]:
    model = _model(sql, name)
    members = select(m.batch_members.c.task).where(
        m.batch_members.c.batch == model["batch"], ~m.batch_members.c.holdout
    )
    tasks = sorted(sql.execute(members).scalars())
    preferences = _in(sql, [m.preferences.c.judgments], m.preferences.c.task, tasks)
    judgments = sorted({judgment for (judged,) in preferences for judgment in judged})
    annotators = {annotator for (annotator,) in _in(sql, [m.judgments.c.annotator], m.judgments.c.judgment, judgments)}
    sides = _in(sql, [m.tasks.c.a, m.tasks.c.b], m.tasks.c.task, tasks)
    outputs = {side["output"] for row in sides for side in row if side}
    return {
        "model": name,
        "run": model["run"],
        "batch": model["batch"],
        "parent": model["parent"],
        "preferences": _counted(tasks),
        "judgments": _counted(judgments),
        "annotators": _counted(annotators),
        "outputs": _counted(outputs),
    }


def _in(sql: Connection, columns: list[Any], key: Any, values: list[str]) -> list[Any]:
    rows: list[Any] = []
    for start in range(0, len(values), CHUNK):
        rows += sql.execute(select(*columns).where(key.in_(values[start : start + CHUNK]))).all()
    return rows


def _counted(ids: Iterable[str]) -> dict[str, Any]:
    known = sorted(ids)
    return {"count": len(known), "ids": known[:MOST_IDS]}


def _consequences(sql: Connection, judgment: str) -> dict[str, Any]:
    row = sql.execute(select(m.judgments).where(m.judgments.c.judgment == judgment)).mappings().first()
    if row is None:
        raise NotFoundError(f"there is no judgment {judgment[:80]!r}", field="judgment", mend="look the id up")
    task = row["task"]
    preference = sql.execute(select(m.preferences).where(m.preferences.c.task == task)).mappings().first()
    rests = preference is not None and judgment in preference["judgments"]
    members = select(m.batch_members.c.batch).where(m.batch_members.c.task == task, ~m.batch_members.c.holdout)
    batches = list(sql.execute(members).scalars())
    models = [model for (model,) in _in(sql, [m.models.c.model], m.models.c.batch, batches)]
    return {
        "judgment": judgment,
        "task": task,
        "annotator": row["annotator"],
        "withdrawn": row["withdrawn"],
        "preference": {"revision": preference["revision"], "rests_on_it": rests} if preference else None,
        "batches": batches,
        "models": sorted(models),
    }


def _story(sql: Connection, output: str) -> dict[str, Any]:
    prompt = sql.execute(select(m.outputs.c.prompt_digest).where(m.outputs.c.output == output)).scalar()
    if prompt is None:
        raise NotFoundError(f"there is no output {output[:80]!r}", field="output", mend="send the id it was sent with")
    same_prompt = sql.execute(select(m.tasks).where(m.tasks.c.prompt_digest == prompt).order_by(m.tasks.c.log_offset))
    tasks = [row for row in same_prompt.mappings() if output in (row["a"]["output"], row["b"]["output"])]
    names = [row["task"] for row in tasks]
    revisions = dict(
        map(tuple, _in(sql, [m.preferences.c.task, m.preferences.c.revision], m.preferences.c.task, names))
    )
    judged = _in(sql, [m.judgments.c.task, m.judgments.c.judgment], m.judgments.c.task, names)
    batches = sorted({batch for (batch,) in _in(sql, [m.batch_members.c.batch], m.batch_members.c.task, names)})
    models = sorted(model for (model,) in _in(sql, [m.models.c.model], m.models.c.batch, batches))
    told = _in(sql, [m.promotions.c.model, m.promotions.c.decision, m.promotions.c.by], m.promotions.c.model, models)
    return {
        "output": output,
        "tasks": [
            {
                "task": row["task"],
                "status": row["status"],
                "judgments": [judgment for task, judgment in judged if task == row["task"]],
                "preference_revision": revisions.get(row["task"]),
            }
            for row in tasks
        ],
        "batches": batches,
        "runs": sorted(run for (run,) in _in(sql, [m.runs.c.run], m.runs.c.batch, batches)),
        "models": models,
        "decisions": [{"model": model, "decision": decision, "by": by} for model, decision, by in told],
    }


MODEL = {
    "model": "m_5f",
    "campaign": "default",
    "run": "run_5f",
    "batch": "9a",
    "status": "champion",
    "uri": "...",
    "doubt": None,
}
SOME = {"count": 1, "ids": ["5f"]}

ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/v1/models",
        answer=list_models,
        summary="Models, the newest first",
        tag="models",
        answers={200: {"models": [MODEL]}},
    ),
    Endpoint(
        method="GET",
        path="/v1/models/{model}",
        answer=get_model,
        summary="One model: report, manifest, decision",
        tag="models",
        answers={200: {**MODEL, "report": {}, "manifest": {}, "decision": None}},
    ),
    Endpoint(
        method="GET",
        path="/v1/models/{model}/lineage",
        answer=model_lineage,
        summary="What made this model",
        tag="models",
        answers={200: {"model": "m_5f", "run": "run_5f", "batch": "9a", "judgments": SOME, "annotators": SOME}},
    ),
    Endpoint(
        method="POST",
        path="/v1/models/{model}/promote",
        answer=promote,
        summary="Make it champion, overriding the gate",
        tag="models",
        body=Why,
        example={"reason": "the held-out set was too small to tell, people like it"},
        answers={200: {"model": "m_5f", "decision": "promoted", "override": True}},
    ),
    Endpoint(
        method="GET",
        path="/v1/outputs/{output}/lineage",
        answer=output_lineage,
        summary="What became of one output",
        tag="models",
        answers={200: {"output": "o-1", "tasks": [], "batches": [], "runs": [], "models": [], "decisions": []}},
    ),
    Endpoint(
        method="GET",
        path="/v1/judgments/{judgment}/lineage",
        answer=judgment_lineage,
        summary="What became of one judgment",
        tag="models",
        answers={200: {"judgment": "9a1b", "task": "5f", "preference": None, "batches": [], "models": []}},
    ),
)

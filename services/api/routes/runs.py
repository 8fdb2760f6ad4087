"""Training runs: asked for, claimed by a trainer, reported on."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import anyio.to_thread
import msgspec
from sqlalchemy import Connection, select
from starlette.responses import Response

from services.api.books import Run, check_name, new_id
from services.api.context import MIB, Call, json_answer
from services.api.routes.campaigns import champion, model_of
from services.api.routing import Endpoint
from services.report import EvaluationReport
from services.store import models as m
from streams.engines.port import Transaction
from streams.errors import ConflictError, InputError, NotFoundError, UnavailableError
from streams.events import Checkpoint, RunUpdate

MOST_REPORT = 16 * MIB
MOST_CLAIMS = 5
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]


class RunRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A run on a batch; the newest batch where none is named."""

    campaign: Name = "default"
    batch: Name | None = None
    config: dict[str, Any] = {}


class RunClaim(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who wants to work."""

    trainer: Name


class RunProgress(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far it is."""

    trainer: Name
    stage: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    step: Annotated[int, msgspec.Meta(ge=0)]
    steps: Annotated[int, msgspec.Meta(ge=0)]
    metrics: Annotated[dict[str, float], msgspec.Meta(max_length=200)] = {}


class RunFinish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What came out."""

    trainer: Name
    model: Name
    uri: Annotated[str, msgspec.Meta(min_length=1, max_length=4_096)]
    report: EvaluationReport = EvaluationReport()
    manifest: dict[str, Any] = {}


class RunFail(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why nothing came out."""

    trainer: Name
    error: Annotated[str, msgspec.Meta(max_length=20_000)]


_request = msgspec.json.Decoder(RunRequest)
_claim = msgspec.json.Decoder(RunClaim)
_progress = msgspec.json.Decoder(RunProgress)
_finish = msgspec.json.Decoder(RunFinish)
_fail = msgspec.json.Decoder(RunFail)


async def list_runs(call: Call) -> Response:
    """The newest first."""
    return json_answer({"runs": await call.context.query(_runs)})


async def get_run(call: Call) -> Response:
    """One run with its curves."""
    run = call.path("run")
    return json_answer(await call.context.query(lambda sql: _run(sql, run)))


async def post_run(call: Call) -> Response:
    """Asks for a run."""
    asked = await call.read(_request)
    context = call.context
    campaign = context.campaigns.get(asked.campaign)
    if not (campaign.training.base_model or asked.config.get("base_model")):
        raise ConflictError(
            f"campaign {campaign.name!r} names no base model",
            field="campaign",
            mend="set training.base_model of the campaign (PUT /v1/campaigns/{name})",
        )
    batch = await context.query(lambda sql: _batch(sql, campaign.name, asked.batch))
    serving = await anyio.to_thread.run_sync(champion, call, campaign.name)
    update = RunUpdate(
        run=new_id("run_"),
        batch=batch,
        status="requested",
        base_model=str(asked.config.get("base_model") or campaign.training.base_model),
        parent=serving["model"] if serving else "",
        config={**campaign.training.config, **asked.config},
        campaign_version=campaign.version,
        **_envelope(call, campaign.name),
    )
    await context.write(lambda transaction: transaction.append(update))
    return json_answer({"run": update.run, "campaign": campaign.name, "batch": batch, "status": "requested"}, 201)


async def claim_run(call: Call) -> Response:
    """A run to work on; 204 where nothing waits."""
    trainer = (await call.read(_claim)).trainer
    runs = call.context.runs
    while claim := runs.claim(trainer, call.context.clock()):
        run, before = claim
        try:
            if before.claims < MOST_CLAIMS:
                return json_answer(await _begin(call, run, before))
            await _give_up(call, before)
        except BaseException:
            runs.restore(before)
            raise
    return Response(status_code=204)


async def _begin(call: Call, run: Run, before: Run) -> dict[str, Any]:
    """The claim, durable. A run starts from the champion at its first claim: one that goes on keeps its parent."""
    if before.claims:
        parent = await call.context.query(lambda sql: model_of(sql, run.parent))
    else:
        parent = await anyio.to_thread.run_sync(champion, call, run.campaign)
    run = replace(run, parent=parent["model"] if parent else "")
    update = RunUpdate(**_update(call, run), status="claimed")
    await call.context.write(lambda transaction: _append_claim(transaction, run, update))
    return {
        "run": run.run,
        "campaign": run.campaign,
        "batch": run.batch,
        "base_model": run.base_model,
        "parent": parent,
        "config": run.config,
    }


def _append_claim(transaction: Transaction, run: Run, update: RunUpdate) -> None:
    """One claim a place, whichever replica is asked: who is at that place has seen all claims before it."""
    if transaction.admit("claim", run.place, update.id) != "new":
        raise UnavailableError("another trainer claimed a run of this campaign in the same moment: try again")
    transaction.append(update)


async def _give_up(call: Call, run: Run) -> None:
    """A run that every trainer dies of must not be tried for ever."""
    error = (
        f"claimed {run.claims} times and never finished nor failed: its trainer was killed each time, most often for"
        " lack of memory; look into the trainer's log, lower batch_size or max_length (training.config of the"
        " campaign), and ask for a new run with POST /v1/runs"
    )
    update = RunUpdate(**_update(call, run), status="failed", error=error)
    await call.context.write(lambda transaction: transaction.append(update))


async def run_progress(call: Call) -> Response:
    """A point on the curves, and a sign of life."""
    told = await call.read(_progress)
    run = call.context.runs.check_owner(call.path("run"), told.trainer)
    update = RunUpdate(
        **_update(call, run),
        status="progress",
        stage=told.stage,
        step=told.step,
        steps=told.steps,
        metrics=told.metrics,
    )
    await call.context.write(lambda transaction: transaction.append(update))
    return json_answer({"run": run.run})


async def finish_run(call: Call) -> Response:
    """A checkpoint, with its report; the gate decides next."""
    told = await call.read(_finish, MOST_REPORT)
    check_name(told.model, "model")
    run = call.context.runs.check_owner(call.path("run"), told.trainer)
    checkpoint = Checkpoint(
        model=told.model,
        run=run.run,
        batch=run.batch,
        parent=run.parent,
        uri=told.uri,
        report=msgspec.to_builtins(told.report),
        manifest=told.manifest,
        **_envelope(call, run.campaign),
    )
    update = RunUpdate(**_update(call, run), status="finished")
    await call.context.write(lambda transaction: _append_checkpoint(transaction, checkpoint, update))
    return json_answer({"run": run.run, "model": told.model})


async def fail_run(call: Call) -> Response:
    """It came to nothing."""
    told = await call.read(_fail)
    run = call.context.runs.check_owner(call.path("run"), told.trainer)
    update = RunUpdate(**_update(call, run), status="failed", error=told.error)
    await call.context.write(lambda transaction: transaction.append(update))
    return json_answer({"run": run.run})


def _append_checkpoint(transaction: Transaction, checkpoint: Checkpoint, update: RunUpdate) -> None:
    if transaction.admit("model", checkpoint.model, checkpoint.run) == "other":
        raise ConflictError(
            f"model {checkpoint.model!r} came out of another run", field="model", mend="give it a name of its own"
        )
    transaction.append(checkpoint)
    transaction.append(update)


def _envelope(call: Call, campaign: str) -> dict[str, Any]:
    now = call.context.clock()
    return {
        "id": new_id("ev_"),
        "campaign": campaign,
        "occurred_at": now,
        "ingested_at": now,
        "actor": call.caller.actor,
    }


def _update(call: Call, run: Run) -> dict[str, Any]:
    return {
        **_envelope(call, run.campaign),
        "run": run.run,
        "batch": run.batch,
        "trainer": run.trainer,
        "base_model": run.base_model,
        "parent": run.parent,
        "config": run.config,
        "correlation": run.run,
    }


def _runs(sql: Connection) -> list[dict[str, Any]]:
    rows = sql.execute(select(m.runs).order_by(m.runs.c.requested_at.desc()).limit(500))
    return [dict(row) for row in rows.mappings()]


def _run(sql: Connection, run: str) -> dict[str, Any]:
    row = sql.execute(select(m.runs).where(m.runs.c.run == run)).mappings().first()
    if row is None:
        raise NotFoundError(f"there is no run {run[:80]!r}", field="run", mend="GET /v1/runs lists them")
    points = select(*m.run_metrics.c["stage", "step", "metrics", "at"]).where(m.run_metrics.c.run == run)
    curves = sql.execute(points.order_by(m.run_metrics.c.at, m.run_metrics.c.step)).mappings()
    return {**row, "curves": [dict(point) for point in curves]}


def _batch(sql: Connection, campaign: str, batch: str | None) -> str:
    query = select(m.batches.c.batch).where(m.batches.c.campaign == campaign).order_by(m.batches.c.at.desc())
    found = sql.execute(query.where(m.batches.c.batch == batch) if batch else query.limit(1)).scalar()
    if found is None:
        raise InputError(
            f"campaign {campaign!r} has no {'such ' if batch else ''}batch",
            field="batch",
            mend="cut one: POST /v1/batches",
        )
    return str(found)


RUN = {
    "run": "run_5f",
    "campaign": "default",
    "batch": "9a",
    "status": "progress",
    "stage": "dpo",
    "step": 12,
    "steps": 48,
}
DONE = {"run": "run_5f"}


def _report(action: str, answer: Any, summary: str, body: Any, example: Any) -> Endpoint:
    path = f"/v1/runs/{{run}}/{action}"
    return Endpoint(
        method="POST",
        path=path,
        answer=answer,
        summary=summary,
        tag="training",
        body=body,
        example=example,
        answers={200: DONE},
    )


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/v1/runs",
        answer=list_runs,
        summary="Training runs, the newest first",
        tag="training",
        answers={200: {"runs": [RUN]}},
    ),
    Endpoint(
        method="POST",
        path="/v1/runs",
        answer=post_run,
        summary="Ask for a run on a batch",
        tag="training",
        body=RunRequest,
        example={"campaign": "default"},
        answers={201: {**RUN, "status": "requested"}},
    ),
    Endpoint(
        method="POST",
        path="/v1/runs/claim",
        answer=claim_run,
        summary="Claim a run to work on; 204 where nothing waits",
        tag="training",
        body=RunClaim,
        example={"trainer": "gpu-1"},
        answers={200: {**DONE, "campaign": "default", "batch": "9a", "base_model": "m", "parent": None}, 204: None},
    ),
    Endpoint(
        method="GET",
        path="/v1/runs/{run}",
        answer=get_run,
        summary="One run, with its curves",
        tag="training",
        answers={200: {**RUN, "curves": [{"stage": "dpo", "step": 1, "metrics": {"loss": 0.69}, "at": 1790000000000}]}},
    ),
    _report(
        "progress",
        run_progress,
        "Report progress; 409: the run is not yours any more, stop",
        RunProgress,
        {"trainer": "gpu-1", "stage": "dpo", "step": 12, "steps": 48, "metrics": {"loss": 0.61}},
    ),
    _report(
        "finish",
        finish_run,
        "Hand in a checkpoint with its report",
        RunFinish,
        {"trainer": "gpu-1", "model": "m_5f", "uri": "artifacts/models/m_5f"},
    ),
    _report(
        "fail", fail_run, "Say that the run came to nothing", RunFail, {"trainer": "gpu-1", "error": "out of memory"}
    ),
)

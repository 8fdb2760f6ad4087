"""Annotators: who am I, the next task, the task again, skip."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Any

import anyio.to_thread
import msgspec
from msgspec.structs import replace
from sqlalchemy import Connection, case, func, select
from starlette.responses import Response

from services.api.auth import Caller
from services.api.context import Call, Context, json_answer
from services.api.handout import choosy, informed, qualified
from services.api.render import render_markdown
from services.api.routing import Endpoint
from services.api.shortage import nothing
from services.appending import appending
from services.coordinator.growth import answers_known
from services.queue.decisions import assignment_of
from services.queue.port import Grant, Worker
from services.store import models as m
from streams.errors import ForbiddenError, NotFoundError, UnsureError
from streams.events import Part, Text

DAY_MS = 24 * 3_600_000
LONG_TEXT = 2_000  # characters; longer ones are rendered in a thread
MOST_ERASED = 8  # tasks without words that one request gives back before it says that there is nothing


class NextTask(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which tasks are wanted."""

    campaign: str | None = None
    exclude: Annotated[list[str], msgspec.Meta(max_length=100)] = []


class Skip(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a task is given back."""

    reason: Annotated[str, msgspec.Meta(max_length=1_000)] = ""


_next = msgspec.json.Decoder(NextTask)
_skip = msgspec.json.Decoder(Skip)


def worker_of(caller: Caller) -> Worker:
    """The caller as the queue knows them. Raises ForbiddenError for a key that belongs to no person."""
    if not caller.annotator:
        raise ForbiddenError("this key belongs to no annotator", mend="judge with a personal link: a lead makes one")
    return Worker(annotator=caller.annotator, skills=caller.skills, adjudicates=caller.role in ("adjudicator", "admin"))


async def get_me(call: Call) -> Response:
    """The caller, their standing and their progress."""
    caller, context = call.caller, call.context
    now = context.clock()
    rounds = choosy(context.campaigns.all())
    progress = await context.query(lambda sql: _progress(sql, caller.annotator, now // DAY_MS * DAY_MS))
    qualification = await context.query(lambda sql: qualified(sql, caller.annotator, rounds)) if rounds else []
    standing, counts = await context.ask(lambda: (context.queue.standing(caller.annotator), context.queue.counts()))
    return json_answer(
        {
            "role": caller.role,
            "annotator": caller.annotator,
            "name": caller.name,
            "standing": standing,
            "skills": sorted(caller.skills),
            **progress,
            "open_tasks": counts.open,
            "qualification": [asdict(one) for one in qualification],
            "campaigns": [campaign.name for campaign in context.campaigns.all() if campaign.mode == "live"],
        }
    )


async def next_task(call: Call) -> Response:
    """A task to judge, durable as granted before it is answered; 204 with the reason where there is none for them."""
    wanted = await call.read(_next)
    worker = worker_of(call.caller)
    if wanted.campaign is not None:
        call.context.campaigns.get(wanted.campaign)
    if campaigns := choosy(call.context.campaigns.all(), wanted.campaign):
        worker = await call.context.query(lambda sql: informed(sql, worker_of(call.caller), campaigns))
        growing = [campaign.name for campaign in campaigns if campaign.gold.grow]
        known = await call.context.query(lambda sql: answers_known(sql, worker.annotator, growing)) if growing else []
        wanted = NextTask(campaign=wanted.campaign, exclude=[*wanted.exclude, *known])
    if call.caller.role == "model":
        worker = await _within_share(call.context, worker)
    for _ in range(MOST_ERASED):
        grant = await _granted(call.context, worker, wanted)
        if grant is None:
            break
        shown = await shown_task(call.context, grant)
        if shown is not None:
            return json_answer(shown)
        await give_back(call.context, grant.facts.task, worker.annotator, "its words were erased")
    if worker.barred:
        raise ForbiddenError(
            f"the qualification round of {', '.join(sorted(worker.barred))} did not go well enough to go on from here",
            mend="thank you for your time; your lead sees your answers, and can let you work all the same",
        )
    return await nothing(call, worker.annotator, wanted.campaign)


async def _within_share(context: Context, model: Worker) -> Worker:
    """The model, kept from campaigns where models have given their share."""
    shares = {
        one.name: one.model_share for one in context.campaigns.all() if one.mode == "live" and one.model_share < 1
    }
    counts = await context.query(lambda sql: judged_by_models(sql, shares)) if shares else {}
    return replace(model, capped=capped(shares, counts))


async def _granted(context: Context, worker: Worker, wanted: NextTask) -> Grant | None:
    if (
        context.service.is_alone
    ):  # a slot is free the moment its lease is over; a cluster's coordinator looks every second
        await end_leases(context)
    now = context.clock()
    grant = await context.ask(lambda: context.queue.next(worker, now, wanted.campaign, wanted.exclude))
    if grant is None or grant.renewed:
        return grant
    granted = assignment_of(grant, now)
    try:
        await context.write(lambda transaction: transaction.append(granted))
    except UnsureError:
        raise  # it may be in the log: the slot stays taken until the log, or the end of the lease, says more
    except Exception:
        await context.ask(lambda: context.queue.settle_grant(grant, durable=False))
        raise
    await context.ask(lambda: context.queue.settle_grant(grant, durable=True))
    return grant


async def end_leases(context: Context) -> None:
    """Ends those that are over by now, durable."""
    with context.overdue.ended(context.clock()) as ended:
        if ended:
            await context.write(appending(ended))


async def skip_task(call: Call) -> Response:
    """Gives the task to others."""
    why = await call.read(_skip)
    await give_back(call.context, call.path("task"), worker_of(call.caller).annotator, why.reason)
    return json_answer({"task": call.path("task"), "skipped": True})


async def give_back(context: Context, task: str, annotator: str, reason: str) -> None:
    """The skip, durable; nothing where it was skipped before."""
    now = context.clock()
    skipped = await context.ask(lambda: context.queue.skip(task, annotator, reason, now))
    if skipped is None:
        return
    durable = False
    try:
        await context.write(lambda transaction: transaction.append(skipped))
        durable = True
    finally:
        await context.ask(lambda: context.queue.settle_skip(skipped, durable=durable))


async def get_task(call: Call) -> Response:
    """The task again for who holds its lease; for a lead its state."""
    task = call.path("task")
    if call.caller.role in ("lead", "admin"):
        return json_answer(await call.context.query(lambda sql: _state(sql, task)))
    annotator, now = worker_of(call.caller).annotator, call.context.clock()
    grant = await call.context.ask(lambda: call.context.queue.held(task, annotator, now))
    shown = await shown_task(call.context, grant)
    if shown is None:
        raise NotFoundError("the words of this task were erased", field="task", mend="ask for your next task")
    return json_answer(shown)


# ---------------------------------------------------------------- what the page is shown


async def shown_task(context: Context, grant: Grant) -> dict[str, Any] | None:
    """The task as the page needs it, by the sides shown; None where its words were erased. No model, tag or vote."""
    outputs = dict.fromkeys((grant.a[0], grant.b[0]))
    texts = await context.ask(lambda: [_text(context, output) for output in outputs])
    if any(text is None for text in texts):
        return None
    first, last = texts[0], texts[-1]
    assert first is not None
    assert last is not None
    if sum(len(part.text) for parts in (*first.responses, *last.responses) for part in parts) > LONG_TEXT:
        return await anyio.to_thread.run_sync(_shown, context, grant, first, last)
    return _shown(context, grant, first, last)


def _text(context: Context, output: str) -> Text | None:
    event = context.service.store.newest("texts", output)
    return event if isinstance(event, Text) else None


def _shown(context: Context, grant: Grant, of_a: Text, of_b: Text) -> dict[str, Any]:
    a, b = of_a.responses[grant.a[1]], of_b.responses[grant.b[1]]
    left, right = (b, a) if grant.swapped else (a, b)
    facts = grant.facts
    campaign = context.campaigns.version(facts.campaign, facts.campaign_version)
    return {
        "task": facts.task,
        "campaign": facts.campaign,
        "campaign_version": facts.campaign_version,
        "role": grant.role,
        "lease_until": grant.lease_until,
        "prompt": [{"role": message.role, **_rendered(message.content)} for message in of_a.prompt],
        "left": _rendered(left),
        "right": _rendered(right),
        "criteria": [{"name": c.name, "question": c.question} for c in campaign.criteria],
        "revision": grant.revision,
    }


def _rendered(parts: Sequence[Part]) -> dict[str, str]:
    text = "\n\n".join(part.text for part in parts)
    return {"text": text, "html": render_markdown(text)}


# ---------------------------------------------------------------- reads


def judged_by_models(sql: Connection, campaigns: Collection[str]) -> dict[str, tuple[int, int]]:
    """By campaign: how many judgments models gave, and how many there are; gold and what was taken back included."""
    table = m.judgments.c
    by_model = func.sum(case((table.role == "model", 1), else_=0))
    counted = select(table.campaign, by_model, func.count()).where(
        table.campaign.in_(campaigns), table.revision == 1, ~table.late
    )
    return {name: (models, everybody) for name, models, everybody in sql.execute(counted.group_by(table.campaign))}


def capped(shares: Mapping[str, float], counts: Mapping[str, tuple[int, int]]) -> frozenset[str]:
    """Campaigns in which one more judgment by a model would be more than the models' share."""

    def is_full(name: str, share: float) -> bool:
        by_models, by_everybody = counts.get(name, (0, 0))
        return by_models + 1 > share * (by_everybody + 1)

    return frozenset(name for name, share in shares.items() if is_full(name, share))


def _progress(sql: Connection, annotator: str, midnight: int) -> dict[str, Any]:
    mine = (m.judgments.c.annotator == annotator, m.judgments.c.revision == 1)
    total = sql.execute(select(func.count()).where(*mine)).scalar()
    today = sql.execute(select(func.count()).where(*mine, m.judgments.c.answered_at >= midnight)).scalar()
    known = select(m.standings.c.reason, m.appeals.c.appeal).where(m.standings.c.annotator == annotator)
    known = known.outerjoin(m.appeals, m.appeals.c.standing == m.standings.c.event)
    reason, appeal = sql.execute(known).one_or_none() or ("", None)
    return {
        "judged_total": total,
        "judged_today": today,
        "standing_reason": reason,
        "appealed": appeal is not None,
    }


def _state(sql: Connection, task: str) -> dict[str, Any]:
    row = sql.execute(select(m.tasks).where(m.tasks.c.task == task)).mappings().first()
    if row is None:
        raise NotFoundError(f"there is no task {task[:80]!r}", field="task", mend="look the id up in an export")
    assignments = sql.execute(select(m.assignments).where(m.assignments.c.task == task)).mappings()
    judgments = sql.execute(select(m.judgments).where(m.judgments.c.task == task)).mappings()
    preference = sql.execute(select(m.preferences).where(m.preferences.c.task == task)).mappings().first()
    return {
        **row,
        "assignments": [dict(item) for item in assignments],
        "judgments": [dict(item) for item in judgments],
        "preference": dict(preference) if preference else None,
    }


SHOWN = {
    "task": "5f0c",
    "campaign": "default",
    "campaign_version": 1,
    "role": "annotator",
    "lease_until": 1790000600000,
    "prompt": [{"role": "user", "text": "What is a mutex?", "html": "<p>What is a mutex?</p>"}],
    "left": {"text": "A lock.", "html": "<p>A lock.</p>"},
    "right": {"text": "A mutual exclusion lock.", "html": "<p>A mutual exclusion lock.</p>"},
    "criteria": [{"name": "helpful", "question": "Which one helps more?"}],
    "revision": 1,
}

ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/v1/me",
        answer=get_me,
        summary="Who this key belongs to, with standing and progress",
        tag="annotators",
        answers={200: {"role": "annotator", "annotator": "an_5f", "name": "Ada", "standing": "active"}},
    ),
    Endpoint(
        method="POST",
        path="/v1/tasks/next",
        answer=next_task,
        summary="A task to judge; 204 where there is nothing to do",
        tag="annotators",
        body=NextTask,
        example={"campaign": "default"},
        answers={200: SHOWN, 204: None},
    ),
    Endpoint(
        method="GET",
        path="/v1/tasks/{task}",
        answer=get_task,
        summary="The task again for who holds its lease; for a lead its state",
        tag="annotators",
        answers={200: SHOWN},
    ),
    Endpoint(
        method="POST",
        path="/v1/tasks/{task}/skip",
        answer=skip_task,
        summary="Give a task to others",
        tag="annotators",
        body=Skip,
        example={"reason": "I do not speak this language"},
        answers={200: {"task": "5f0c", "skipped": True}},
    ),
)

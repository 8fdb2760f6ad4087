"""Quarantine: the dry run of taking back somebody's judgments since a time, and the real thing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any, Literal

import anyio.to_thread
import msgspec
from sqlalchemy import Connection, select
from starlette.responses import Response

from services.api.context import Call, json_answer
from services.api.routes.annotators import check_known, stand
from services.api.routing import Endpoint
from services.bootstrap import Service
from services.coordinator import registry
from services.coordinator.gather import snapshot
from services.coordinator.quarantine import EVER, DryRun, Since, dry_run, estimated_since
from services.store import models as m
from streams.admission import clamp_time
from streams.errors import InputError

MOST_IDS = 1_000  # of each kind that an answer names; the counts are whole
MOST_ROWS = 200  # tasks shown with their verdict before and after


class Quarantine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why, and from when on judgments are taken back: ms, `auto` (the newest alert's estimate) or `ever`."""

    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=1_000)]
    since: Annotated[int, msgspec.Meta(ge=0)] | Literal["auto", "ever"] = "auto"


_quarantine = msgspec.json.Decoder(Quarantine)


async def get_quarantine(call: Call) -> Response:
    """The dry run; nothing is changed."""
    annotator = call.path("annotator")
    undo, brief = (call.number(name, 0, 1) == 1 for name in ("undo", "brief"))
    asked, now, service = call.text("since", "auto"), call.context.clock(), call.context.service

    def read() -> dict[str, Any]:
        with snapshot(service.database) as sql:
            check_known(sql, annotator)
            since = Since(at=0) if undo else since_of(sql, annotator, parsed(asked), now)
            found = dry_run(sql, annotator, since.at, undo=undo, brief=brief)
            stands = sql.scalar(select(m.standings.c.standing).where(m.standings.c.annotator == annotator))
            return shown(service, annotator, since, found, undo=undo) | {"standing": stands or "active"}

    return json_answer(await anyio.to_thread.run_sync(read))


async def post_quarantine(call: Call) -> Response:
    """Suspends; the coordinator takes the judgments back within seconds, however often it is interrupted."""
    asked, annotator, now = await call.read(_quarantine), call.path("annotator"), call.context.clock()
    since = await call.context.query(lambda sql: since_of(sql, annotator, asked.since, now))
    return await stand(call, "suspended", asked.reason, since=since.at)


def parsed(text: str) -> int | str:
    """A time in ms, `auto` or `ever`. Raises InputError."""
    if text in ("auto", "ever"):
        return text
    if text.isascii() and text.isdigit() and len(text) < 19:
        return int(text)
    raise InputError(f"since is {text[:40]!r}", field="since", mend="send a time in ms, `auto` or `ever`")


def since_of(sql: Connection, annotator: str, asked: int | str, now: int) -> Since:
    """From when on. ConflictError where `auto` is asked and no alert says since when."""
    check_known(sql, annotator)
    if asked == "auto":
        return estimated_since(sql, annotator)
    return Since(at=EVER if asked == "ever" else max(EVER, clamp_time(int(asked), now, "since")))


# ---------------------------------------------------------------- what is shown


def shown(service: Service, annotator: str, since: Since, found: DryRun, *, undo: bool) -> dict[str, Any]:
    """See docs/api.md."""
    radius = found.radius
    return {
        "annotator": annotator,
        "since": since.at,
        "alert": since.alert,
        "hypothesis": since.hypothesis,
        "undo": undo,
        "judgments": counted(radius.judgments),
        "tasks": counted(radius.tasks),
        "preferences": counted(radius.preferences),
        "batches": [asdict(one) for one in found.batches],
        "runs": counted(found.runs),
        "models": models_of(service, found.models),
        "verdicts": verdicts(found),
    }


def counted(ids: Sequence[str]) -> dict[str, Any]:
    """How many, and the first of them."""
    return {"count": len(ids), "ids": ids[:MOST_IDS]}


def models_of(service: Service, models: Sequence[tuple[str, str, str]]) -> list[dict[str, Any]]:
    """Models with their status of now."""
    campaigns = {campaign for _, campaign, _ in models}
    statuses = {one: registry.statuses(registry.promotions_of(service.store, one)) for one in campaigns}
    return [
        {"model": model, "campaign": campaign, "batch": batch, "status": statuses[campaign].get(model, "candidate")}
        for model, campaign, batch in models
    ]


def verdicts(found: DryRun) -> dict[str, Any]:
    """How many verdicts change and how; the rows that change come first."""
    changes = Counter(one.change for one in found.effects)
    return {
        "decided": len(found.effects),
        **{change: changes[change] for change in ("turned", "lost", "reached", "same", "undecided")},
        "requeued": sum(one.status_after == "open" and one.labels > 0 for one in found.effects),
        "escalated": sum(one.status_after == "escalated" != one.status for one in found.effects),
        "labels": sum(one.labels for one in found.effects),
        "rows": [asdict(one) for one in found.effects[:MOST_ROWS]],
    }


SOME = {"count": 1, "ids": ["5f"]}
ROW = {
    "task": "5f",
    "campaign": "default",
    "change": "lost",
    "verdict": "a",
    "probability": 0.93,
    "verdict_after": None,
    "probability_after": 0.71,
    "status": "closed",
    "status_after": "open",
    "labels": 1,
}
DRY_RUN = {
    "annotator": "an_5f",
    "standing": "weighted",
    "since": 1790000000000,
    "alert": "7c",
    "hypothesis": "accuracy",
    "undo": False,
    **dict.fromkeys(("judgments", "tasks", "preferences", "runs"), SOME),
    "batches": [{"batch": "9a", "campaign": "default", "size": 256, "members": 1, "holdout": 0, "changed": 1}],
    "models": [{"model": "m_5f", "campaign": "default", "batch": "9a", "status": "champion"}],
    "verdicts": {"decided": 1, "turned": 0, "lost": 1, "requeued": 1, "labels": 1, "rows": [ROW]},
}

ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/v1/annotators/{annotator}/quarantine",
        answer=get_quarantine,
        summary="What a quarantine would touch and change; nothing is changed",
        tag="quality",
        query={
            "since": "ms, auto (the newest alert's estimate) or ever",
            "undo": "1: what reinstating would restore",
            "brief": "1: no verdicts",
        },
        answers={200: DRY_RUN},
    ),
    Endpoint(
        method="POST",
        path="/v1/annotators/{annotator}/quarantine",
        answer=post_quarantine,
        summary="Suspend, and take back what was judged since then; undo it by reinstating",
        tag="quality",
        body=Quarantine,
        example={"reason": "answers reversed since Tuesday", "since": "auto"},
        answers={200: {"annotator": "an_5f", "standing": "suspended", "since": 1790000000000, "by": "key:4f1c"}},
    ),
)

"""Appeals: who was weighted down or suspended asks for another look; a lead sees it with the words."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from sqlalchemy import Connection, select
from starlette.responses import Response

from services.api.context import Call, json_answer
from services.api.routes.tasks import worker_of
from services.api.routing import Endpoint
from services.store import models as m
from streams.content import check_characters
from streams.engines.port import Admission, Transaction
from streams.errors import ConflictError
from streams.events import Appeal, Text, digest

MOST = 200


class AppealRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the annotator wants the lead to know."""

    words: Annotated[str, msgspec.Meta(min_length=1, max_length=4_000)]


_request = msgspec.json.Decoder(AppealRequest)


async def post_appeal(call: Call) -> Response:
    """Asks a lead to look again at the caller's standing, once a decision."""
    asked = await call.read(_request)
    check_characters(asked.words, "words")
    annotator, now = worker_of(call.caller).annotator, call.context.clock()
    standing = await call.context.query(lambda sql: _in_force(sql, annotator))
    identity = digest("appeal", annotator, standing)
    common: dict[str, Any] = {"occurred_at": now, "ingested_at": now, "actor": call.caller.actor}
    appeal = Appeal(appeal=identity, annotator=annotator, standing=standing, length=len(asked.words), **common)
    words = Text(owner=identity, reason=asked.words, **common)
    if await call.context.write(lambda tx: _append(tx, appeal, words)) == "other":
        raise ConflictError(
            "your lead has an appeal of yours already and will answer it",
            field="words",
            mend="wait for the answer; this page shows it",
        )
    await call.context.in_view(select(m.appeals.c.appeal).where(m.appeals.c.appeal == identity))
    return json_answer({"appeal": identity, "message": "Your lead sees it now. Thank you for telling us."}, 201)


def _append(transaction: Transaction, appeal: Appeal, words: Text) -> Admission:
    """Once a standing; the words before what names them."""
    admission = transaction.admit("appeal", appeal.appeal, digest(words.reason))
    if admission == "new":
        transaction.append(words)
        transaction.append(appeal)
    return admission


def _in_force(sql: Connection, annotator: str) -> str:
    """The event of the standing to appeal against. Raises ConflictError where there is nothing to appeal against."""
    table = m.standings.c
    row = sql.execute(select(table.standing, table.event).where(table.annotator == annotator)).first()
    if row is None or row.standing == "active" or not row.event:
        raise ConflictError(
            "your work counts in full, so there is nothing to appeal against",
            field="words",
            mend="write to your lead about anything else",
        )
    return str(row.event)


async def list_appeals(call: Call) -> Response:
    """Those not answered yet, the oldest first, with their words."""
    rows = await call.context.query(_open)
    store = call.context.service.store
    for row in rows:
        words = await call.context.ask(lambda appeal=row["appeal"]: store.newest("texts", appeal))  # type: ignore[misc]
        row["words"] = words.reason if isinstance(words, Text) else ""
    return json_answer({"appeals": rows})


def _open(sql: Connection) -> list[dict[str, Any]]:
    appeals, standings = m.appeals.c, m.standings.c
    query = (
        select(appeals.appeal, appeals.annotator, m.annotators.c.name, standings.standing, standings.reason, appeals.at)
        .join(m.standings, (standings.annotator == appeals.annotator) & (standings.event == appeals.standing))
        .outerjoin(m.annotators, m.annotators.c.annotator == appeals.annotator)
        .order_by(appeals.log_offset)
        .limit(MOST)
    )
    return [{**row, "name": row["name"] or ""} for row in sql.execute(query).mappings()]


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/v1/me/appeal",
        answer=post_appeal,
        summary="Ask a lead to look again at your standing, once a decision",
        tag="annotators",
        body=AppealRequest,
        example={"words": "I know these texts by heart, I wrote the guideline for them."},
        answers={201: {"appeal": "3e1f", "message": "Your lead sees it now. Thank you for telling us."}},
    ),
    Endpoint(
        method="GET",
        path="/v1/appeals",
        answer=list_appeals,
        summary="Appeals that no lead has answered yet, the oldest first; reinstating or suspending anew answers them",
        tag="quality",
        answers={200: {"appeals": [{"appeal": "3e1f", "annotator": "an_5f", "standing": "suspended", "words": "..."}]}},
    ),
)

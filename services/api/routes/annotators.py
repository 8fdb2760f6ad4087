"""Annotators for leads: reliability, standing, alerts; suspend and reinstate."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

import msgspec
from sqlalchemy import Connection, Select, func, select
from starlette.responses import Response

from services.api import auth
from services.api.books import new_id
from services.api.context import Call, json_answer
from services.api.routes.campaigns import Why
from services.api.routes.keys import write_key
from services.api.routing import Endpoint
from services.coordinator.quarantine import EVER
from services.store import models as m
from streams.admission import clamp_time
from streams.content import check_characters
from streams.errors import NotFoundError, UnavailableError
from streams.events import Standing, StandingName
from streams.quality.routing import Grade

RECENT = 50
MOST_PAGE = 1_000


class AnnotatorRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who is to judge."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    role: Literal["annotator", "adjudicator", "model"] = "annotator"
    skills: Annotated[list[Annotated[str, msgspec.Meta(min_length=1, max_length=64)]], msgspec.Meta(max_length=32)] = []


class Suspension(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why, and whether what was judged since a time is taken back."""

    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=1_000)]
    since: int | None = None  # ms
    retract: bool = False


_request = msgspec.json.Decoder(AnnotatorRequest)
_suspension = msgspec.json.Decoder(Suspension)
_why = msgspec.json.Decoder(Why)


async def list_annotators(call: Call) -> Response:
    """Everybody who judges or may, by id."""
    after, limit = call.text("after"), call.number("limit", 200, MOST_PAGE)
    people = await call.context.query(lambda sql: _page(sql, after, limit))
    grades = await _grades(call, [one["annotator"] for one in people])
    return json_answer({"annotators": [one | {"grade": grades.get(one["annotator"])} for one in people]})


async def get_annotator(call: Call) -> Response:
    """One of them, with history, alerts and recent judgments."""
    annotator = call.path("annotator")
    found = await call.context.query(lambda sql: _one(sql, annotator))
    return json_answer(found | {"grade": (await _grades(call, [annotator])).get(annotator)})


async def _grades(call: Call, annotators: list[str]) -> dict[str, Grade]:
    """What the queue says of them; nothing while it is out of reach, as the rest of the answer needs no queue."""
    try:
        return await call.context.ask(lambda: call.context.queue.grades(annotators))
    except UnavailableError:
        return {}


async def post_annotator(call: Call) -> Response:
    """A new annotator; key and personal link are shown once."""
    asked = await call.read(_request)
    check_characters(asked.name + "".join(asked.skills), "name or skills")
    new = auth.make_key(asked.role, asked.name, annotator=auth.new_annotator_id(), skills=asked.skills)
    await write_key(call, new)
    settings = call.context.service.settings
    page = settings.public_url or settings.url
    link = f"{page}/#key={new.key}"  # what follows the # is never sent to a server
    return json_answer({"annotator": new.caller.annotator, "key": new.key, "link": link}, 201)


async def suspend(call: Call) -> Response:
    """Grants nothing more; with `retract` what was judged since then is taken back."""
    asked = await call.read(_suspension)
    now = call.context.clock()
    since = clamp_time(asked.since, now, "since") if asked.since is not None else EVER
    return await stand(call, "suspended", asked.reason, since=max(EVER, since) if asked.retract else 0)


async def reinstate(call: Call) -> Response:
    """May judge again; what was taken back counts again."""
    return await stand(call, "active", (await call.read(_why)).reason, since=0)


async def stand(call: Call, standing: StandingName, reason: str, since: int) -> Response:
    """Appends the annotator's new standing, durable when it answers; `since` in ms, 0 takes nothing back."""
    check_characters(reason, "reason")
    annotator, now = call.path("annotator"), call.context.clock()
    await call.context.query(lambda sql: check_known(sql, annotator))
    event = Standing(
        id=new_id("st_"),
        annotator=annotator,
        standing=standing,
        weight=0.0 if standing == "suspended" else 1.0,
        since=since,
        by=call.caller.actor,
        reason=reason,
        occurred_at=now,
        ingested_at=now,
        actor=call.caller.actor,
    )
    await call.context.write(lambda transaction: transaction.append(event))
    standings = m.standings.c
    row = select(standings.event).where(standings.annotator == annotator, standings.event == event.id)
    await call.context.in_view(row)
    return json_answer(
        {
            "annotator": annotator,
            "standing": standing,
            "standing_weight": event.weight,
            "since": since,
            "by": event.by,
            "reason": reason,
        }
    )


async def list_alerts(call: Call) -> Response:
    """Newest first; `after` is the log_offset of the last one seen."""
    after, limit = call.number("after", 0, 2**62), call.number("limit", 100, MOST_PAGE)

    def read(sql: Connection) -> list[dict[str, Any]]:
        query = select(m.alerts).order_by(m.alerts.c.log_offset.desc()).limit(limit)
        return _dicts(sql, query.where(m.alerts.c.log_offset < after) if after else query)

    return json_answer({"alerts": await call.context.query(read)})


# ---------------------------------------------------------------- reads

STANDING = ("standing", "standing_weight", "since", "by", "reason")
RATES = tuple(f"{rate}{end}" for rate in ("accuracy", "side_bias", "tie_rate") for end in ("", "_low", "_high"))
LEARNED = (*RATES, "judgments", "evidence", "last_judgment_at")
DEFAULTS: dict[str, Any] = {
    "standing": "active",
    "standing_weight": 1.0,
    "since": 0,
    "by": "",
    "reason": "",
    "judgments": 0,
}
DEFAULTS |= {"last_judgment_at": 0, "name": "", "skills": []}


# Everybody with a standing or a key that judges.
IDS = select(m.standings.c.annotator).union(select(m.annotators.c.annotator)).subquery("ids")


def _people() -> Select[Any]:
    alerts = select(func.count()).where(m.alerts.c.annotator == IDS.c.annotator).scalar_subquery()
    columns = [m.standings.c[name] for name in (*STANDING, *LEARNED)]
    return (
        select(IDS.c.annotator, m.annotators.c.name, m.annotators.c.skills, *columns, alerts.label("alerts"))
        .select_from(IDS)
        .outerjoin(m.standings, m.standings.c.annotator == IDS.c.annotator)
        .outerjoin(m.annotators, m.annotators.c.annotator == IDS.c.annotator)
        .order_by(IDS.c.annotator)
    )


def _page(sql: Connection, after: str, limit: int) -> list[dict[str, Any]]:
    return [_person(row) for row in _dicts(sql, _people().where(IDS.c.annotator > after).limit(limit))]


def _person(row: dict[str, Any]) -> dict[str, Any]:
    return {name: DEFAULTS.get(name) if value is None else value for name, value in row.items()}


def _one(sql: Connection, annotator: str) -> dict[str, Any]:
    check_known(sql, annotator)
    rows = _dicts(sql, _people().where(IDS.c.annotator == annotator))
    history = select(m.standing_history).where(m.standing_history.c.annotator == annotator)
    alerts = select(m.alerts).where(m.alerts.c.annotator == annotator)
    judgments = m.judgments.c["judgment", "task", "choice", "agreement", "weight", "checks", "answered_at", "withdrawn"]
    recent = select(*judgments).where(m.judgments.c.annotator == annotator)
    return {
        **_person(rows[0]),
        "history": _dicts(sql, history.order_by(m.standing_history.c.at.desc())),
        "alerts": _dicts(sql, alerts.order_by(m.alerts.c.log_offset.desc()).limit(RECENT)),
        "recent": _dicts(sql, recent.order_by(m.judgments.c.answered_at.desc()).limit(RECENT)),
    }


def check_known(sql: Connection, annotator: str) -> None:
    """Raises NotFoundError."""
    if sql.execute(select(IDS).where(IDS.c.annotator == annotator)).first() is None:
        raise NotFoundError(
            f"there is no annotator {annotator[:80]!r}", field="annotator", mend="GET /v1/annotators lists them"
        )


def _dicts(sql: Connection, query: Any) -> list[dict[str, Any]]:
    rows: Iterable[Any] = sql.execute(query).mappings()
    return [dict(row) for row in rows]


PERSON = {
    "annotator": "an_5f",
    "name": "Ada",
    "standing": "active",
    "standing_weight": 1.0,
    "accuracy": 0.86,
    "accuracy_low": 0.79,
    "accuracy_high": 0.92,
    "judgments": 112,
    "grade": "better",
}
STOOD = {"annotator": "an_5f", "standing": "suspended", "standing_weight": 0.0, "since": 0, "by": "key:4f1c"}
PAGING = {"limit": "how many at most", "after": "the last one of the page before"}

ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/v1/annotators",
        answer=list_annotators,
        summary="Annotators, with reliability and standing",
        tag="quality",
        query=PAGING,
        answers={200: {"annotators": [PERSON]}},
    ),
    Endpoint(
        method="POST",
        path="/v1/annotators",
        answer=post_annotator,
        summary="Make an annotator; key and personal link are shown once",
        tag="quality",
        body=AnnotatorRequest,
        example={"name": "Ada", "skills": ["french"]},
        answers={201: {"annotator": "an_5f", "key": "plk_4f1c_...", "link": "http://localhost:8080/#key=plk_4f1c_..."}},
    ),
    Endpoint(
        method="GET",
        path="/v1/annotators/{annotator}",
        answer=get_annotator,
        summary="One annotator, with history, alerts and recent judgments",
        tag="quality",
        answers={200: {**PERSON, "history": [], "alerts": [], "recent": []}},
    ),
    Endpoint(
        method="POST",
        path="/v1/annotators/{annotator}/suspend",
        answer=suspend,
        summary="Suspend; with retract, take back what was judged since then",
        tag="quality",
        body=Suspension,
        example={"reason": "answers faster than reading allows", "since": 1790000000000, "retract": True},
        answers={200: STOOD},
    ),
    Endpoint(
        method="POST",
        path="/v1/annotators/{annotator}/reinstate",
        answer=reinstate,
        summary="Reinstate",
        tag="quality",
        body=Why,
        example={"reason": "talked it over"},
        answers={200: {**STOOD, "standing": "active", "standing_weight": 1.0}},
    ),
    Endpoint(
        method="GET",
        path="/v1/alerts",
        answer=list_alerts,
        summary="Alerts, the newest first",
        tag="quality",
        query={"limit": "how many at most", "after": "log_offset of the last one of the page before"},
        answers={200: {"alerts": [{"alert": "7c", "annotator": "an_5f", "hypothesis": "speed"}]}},
    ),
)

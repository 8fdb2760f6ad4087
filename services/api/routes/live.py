"""Watching: live numbers, dead letters, health, metrics."""

from __future__ import annotations

from typing import Any

import anyio.to_thread
import msgspec
from sqlalchemy import Connection, func, select
from starlette.responses import Response

from services.api.context import Call, json_answer
from services.api.errors import outage_answer
from services.api.routing import Endpoint
from services.coordinator import registry
from services.store import models as m
from streams.codecs import decode
from streams.engines.port import Transaction
from streams.errors import DecodeError, InputError, NotFoundError, UnavailableError
from streams.events import DeadLetter, Event
from streams.topology import Topology

MOST_PAGE = 1_000


class _Typed(msgspec.Struct):
    type: str


_typed = msgspec.json.Decoder(_Typed)


async def get_live(call: Call) -> Response:
    """What happens right now."""
    context = call.context
    now, topology = context.clock(), context.service.store.topology
    counts, lag, online, errors = await context.ask(
        lambda: (
            context.queue.counts(),
            context.service.engine.lag(),
            context.live.online(now),
            context.live.newest_errors(),
        )
    )
    stored = await context.query(_stored)
    return json_answer(
        {
            "now": now,
            "started_at": context.live.started_at,
            "version": call.request.app.version,
            "topics": context.live.topics(list(topology.topics), now),
            "lag": lag,
            "queue": {
                "open": counts.open,
                "leased": counts.leased,
                "escalated": counts.escalated,
                "by_campaign": counts.by_campaign,
            },
            "annotators": {**stored["annotators"], "online": online},
            "preferences": stored["preferences"],
            "batches": stored["batches"],
            "champion": await context.query(lambda _: _champions(call)),
            "dead_letters": stored["dead_letters"],
            "errors": errors,
            "history": context.live.history(),
        }
    )


def _stored(sql: Connection) -> dict[str, Any]:
    def count(table: Any, *where: Any) -> int:
        return sql.execute(select(func.count()).select_from(table).where(*where)).scalar() or 0

    suspended = count(m.standings, m.standings.c.standing == "suspended")
    return {
        "annotators": {"active": count(m.standings) - suspended, "suspended": suspended},
        "preferences": count(m.preferences, m.preferences.c.verdict.is_not(None), ~m.preferences.c.gold),
        "batches": count(m.batches),
        "dead_letters": count(m.dead_letters),
    }


def _champions(call: Call) -> dict[str, str]:
    store = call.context.service.store
    names = [campaign.name for campaign in call.context.campaigns.all()]
    found = {name: registry.champion_of(registry.promotions_of(store, name)) for name in names}
    return {name: model for name, model in found.items() if model}


async def list_dead_letters(call: Call) -> Response:
    """What could not be used, oldest first."""
    after, limit = call.number("after", 0, 2**62), call.number("limit", 100, MOST_PAGE)
    first = after + 1 if "after" in call.request.query_params else 0

    def read(sql: Connection) -> list[dict[str, Any]]:
        query = select(m.dead_letters).where(m.dead_letters.c.log_offset >= first)
        return [dict(row) for row in sql.execute(query.order_by(m.dead_letters.c.log_offset).limit(limit)).mappings()]

    return json_answer({"dead_letters": await call.context.query(read)})


async def replay_dead_letter(call: Call) -> Response:
    """Appends the event again, where its bytes can be read now."""
    offset = call.path("offset")
    if not (offset.isascii() and offset.isdigit() and len(offset) < 19):
        raise InputError(f"{offset[:40]!r} is no offset", field="offset", mend="GET /v1/dead_letters lists them")
    context = call.context
    letter = await context.query(lambda _: _letter(call, int(offset)))
    topology = context.service.store.topology
    event = _event_in(letter.payload, topology)
    again = msgspec.structs.replace(event, origin=None)  # with it, receivers would take it for a copy

    def append(transaction: Transaction) -> int:
        return transaction.append(again)

    topic = topology.by_event[type(event)].name
    return json_answer({"offset": int(offset), "topic": topic, "appended_at": await context.write(append)})


def _event_in(payload: bytes, topology: Topology) -> Event:
    """By the type that the bytes say: a letter of what nobody could read names the topic of Kafka where it stood.

    Raises InputError.
    """
    types = {event.__name__: event for event in topology.by_event}
    try:
        named = _typed.decode(payload).type
        if named not in types:
            raise DecodeError(f"no event is of type {named[:40]!r}")
        return decode(payload, types[named])
    except (DecodeError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(
            f"this version cannot read its bytes: {error}",
            field="offset",
            mend="replay it after an upgrade, if a newer version wrote it; else mend them outside and send them anew",
        ) from error


def _letter(call: Call, offset: int) -> DeadLetter:
    records = call.context.service.store.read("dead_letters", offset, 1)
    if not records or records[0].offset != offset or not isinstance(records[0].event, DeadLetter):
        raise NotFoundError(f"there is no dead letter {offset}", field="offset", mend="GET /v1/dead_letters lists them")
    return records[0].event


# ---------------------------------------------------------------- for machines


async def healthz(call: Call) -> Response:
    """The process is up."""
    return json_answer({"status": "up"})


async def readyz(call: Call) -> Response:
    """Recovered: the views reached the end of the log, and the queue knows what they say.

    Not yet is answered and not raised: a probe at a start is no error that anybody should look at.
    """
    failure = call.context.service.engine.failure
    if failure is not None:
        return outage_answer(UnavailableError(f"the engine has stopped: {failure}", retry_after=10))
    if not await call.context.ask(lambda: call.context.queue.ready):
        return outage_answer(UnavailableError("the views are being folded up to the end of the log"))
    return json_answer({"status": "ready"})


async def get_metrics(call: Call) -> Response:
    """Prometheus' exposition format."""
    text = await anyio.to_thread.run_sync(call.context.metrics.text)
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


LETTER = {"log_offset": 0, "topic": "judgments", "stage": "assessments", "reason": "KeyError: 'content'"}

ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/v1/live",
        answer=get_live,
        summary="Rates, lag, queue, people and models right now",
        tag="watching",
        answers={200: {"now": 1790000000000, "queue": {"open": 3, "leased": 2, "escalated": 0}, "preferences": 90}},
    ),
    Endpoint(
        method="GET",
        path="/v1/dead_letters",
        answer=list_dead_letters,
        summary="Events that could not be used, and why",
        tag="watching",
        query={"limit": "how many at most", "after": "log_offset of the last one of the page before"},
        answers={200: {"dead_letters": [LETTER]}},
    ),
    Endpoint(
        method="POST",
        path="/v1/dead_letters/{offset}/replay",
        answer=replay_dead_letter,
        summary="Append the event of a dead letter again",
        tag="watching",
        answers={200: {"offset": 0, "topic": "judgments", "appended_at": 4711}},
    ),
    Endpoint(
        method="GET",
        path="/healthz",
        answer=healthz,
        summary="The process is up",
        tag="machines",
        answers={200: {"status": "up"}},
    ),
    Endpoint(
        method="GET",
        path="/readyz",
        answer=readyz,
        summary="Recovered and ready",
        tag="machines",
        answers={200: {"status": "ready"}},
    ),
    Endpoint(
        method="GET",
        path="/metrics",
        answer=get_metrics,
        summary="Prometheus metrics",
        tag="machines",
        answers={200: "# HELP prefloop_http_requests_total Requests answered"},
        media_type="text/plain",
    ),
)

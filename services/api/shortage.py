"""Why there is no task for somebody just now, as a word in a header of the 204; the page says it in sentences."""

from __future__ import annotations

from typing import Literal

from sqlalchemy import Connection, select
from starlette.responses import Response

from services.api.context import Call
from services.store import models as m
from streams.quality.routing import LEAST_ACCURACY, LEAST_EVIDENCE

HEADER = "X-Prefloop-Reason"
Reason = Literal["done", "others", "slower"]


async def nothing(call: Call, annotator: str, campaign: str | None) -> Response:
    """The answer where there is no task: 204 with the reason."""
    counts = await call.context.ask(call.context.queue.counts)
    is_open = bool(counts.open if campaign is None else counts.by_campaign.get(campaign))
    is_asked_seldom = is_open and await call.context.query(lambda sql: asked_seldom(sql, annotator))
    return Response(status_code=204, headers={HEADER: reason(is_open, is_asked_seldom)})


def reason(is_open: bool, is_asked_seldom: bool) -> Reason:
    """`done`: nothing is open. `slower`: tasks come to them more slowly for now. `others`: what is open is others'."""
    if not is_open:
        return "done"
    return "slower" if is_asked_seldom else "others"


def asked_seldom(sql: Connection, annotator: str) -> bool:
    """Whether the router gives them few tasks, by what is known of them (streams/quality/routing.py)."""
    table = m.standings.c
    row = sql.execute(select(table.accuracy, table.evidence).where(table.annotator == annotator)).first()
    if row is None or row.accuracy is None:
        return False
    return bool(row.accuracy < LEAST_ACCURACY and row.evidence >= LEAST_EVIDENCE)

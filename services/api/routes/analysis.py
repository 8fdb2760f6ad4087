"""Reports of quality: agreement, biases, causes, populations, two vendors.

The judgments are read in a thread and counted in a process of their own, so that nobody's next task waits for the
statistics. An answer older than half a minute is given once more while the next is made, so that only the first asker
waits; older than five minutes it would mislead, and who asks waits. Every answer says as of when it is.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import Response

from services.analysis.apart import Name, report
from services.analysis.gather import decided, gather, newest_of
from services.api.context import Call, json_answer
from services.api.routing import Endpoint
from streams.errors import InputError

KEPT_MS, GIVEN_MS = 30_000, 300_000  # from when on the next answer is made; how old one may be that is given meanwhile
MOST_KEPT = 50
MOST_PRICE = 1e6

Json = dict[str, Any]


@dataclass(slots=True)
class Shelf:
    """The newest answers, which say when they were begun (`as_of`, ms), and those under way. One is made at a time."""

    kept: dict[tuple[Any, ...], Json] = field(default_factory=dict)
    making: dict[tuple[Any, ...], asyncio.Task[Json]] = field(default_factory=dict)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


async def get_agreement(call: Call) -> Response:
    """Every coefficient with its interval, and how they moved."""
    return await _report(call, "reports.agreement_report")


async def get_biases(call: Call) -> Response:
    """Length, side, markdown, model, order in session; of a campaign or of one batch."""
    return await _report(call, "reports.biases_report")


async def get_causes(call: Call) -> Response:
    """Slices that explain low agreement, ranked."""
    return await _report(call, "reports.causes_report")


async def get_populations(call: Call) -> Response:
    """Annotators who differ together."""
    return await _report(call, "reports.populations_report")


async def get_comparison(call: Call) -> Response:
    """Two vendors (or whatever `by` names) on the items that both judged."""
    by, one, other = call.text("by", "vendor"), call.text("one"), call.text("other")
    prices = _price(call, "price_one"), _price(call, "price_other")
    return await _report(call, "reports.comparison_report", by, (one, other), prices)


async def get_next_point(call: Call) -> Response:
    """Expected quality against judgments, from here on."""
    return await _report(call, "next_point.next_point_report")


async def _report(call: Call, of: Name, *more: Any) -> Response:
    campaign, batch = call.text("campaign"), call.text("batch")
    if campaign:
        call.context.campaigns.get(campaign)
    shelf, name = _shelf(call), (of, campaign, batch, *more)
    found = shelf.kept.get(name)
    age = call.context.clock() - found["as_of"] if found else GIVEN_MS
    if age >= KEPT_MS:
        task = shelf.making.get(name) or asyncio.create_task(_make(call, shelf, name))
        shelf.making[name] = task
        if age >= GIVEN_MS:
            found = await asyncio.shield(task)  # the next asker may be waiting for it too
    return json_answer(found)


async def _make(call: Call, shelf: Shelf, name: tuple[Any, ...]) -> Json:
    of, campaign, batch, *more = name
    try:
        async with shelf.lock:
            read = decided if of == "next_point.next_point_report" else gather
            as_of = call.context.clock()
            rows = await call.context.query(lambda sql: read(sql, campaign, batch))
            found = {"as_of": as_of, "newest": newest_of(rows), **await report(of, rows, *more)}
        if len(shelf.kept) >= MOST_KEPT:
            shelf.kept.clear()
        shelf.kept[name] = found
        return found
    except Exception as error:
        # Where nobody waits for it (an older answer was given), this is the one place that can tell.
        call.context.live.error(call.context.clock(), f"/v1/quality: {of}", f"{type(error).__name__}: {error}")
        raise
    finally:
        shelf.making.pop(name, None)


def _shelf(call: Call) -> Shelf:
    state = call.request.app.state
    if not hasattr(state, "reports"):
        state.reports = Shelf()
    shelf = state.reports
    assert isinstance(shelf, Shelf)
    return shelf


def _price(call: Call, name: str) -> float:
    """A price of one judgment, in any currency; 0 is unknown. Raises InputError."""
    text = call.text(name, "0")
    try:
        price = float(text)
    except ValueError:
        price = -1.0
    if not 0 <= price <= MOST_PRICE:
        raise InputError(f"{name} is {text[:40]!r}", field=name, mend=f"send a number from 0 to {MOST_PRICE:,.0f}")
    return price


AS_OF = {"as_of": 1790000000000, "newest": None}
ESTIMATE = {"value": 0.61, "low": 0.57, "high": 0.65}
RATE = {"rate": 0.56, "low": 0.53, "high": 0.59, "n": 1210}
CAUSE = {
    "tag": "domain",
    "value": "law",
    "of": "items",
    "agreement": 0.54,
    "elsewhere": 0.69,
    "pairs": 800,
    "judgments": 1600,
    "effect": {"value": -0.15, "low": -0.19, "high": -0.11},
    "shrunk": {"value": -0.147, "low": -0.187, "high": -0.107},
    "items": {"value": -0.15, "low": -0.19, "high": -0.11},
    "annotators": {"value": 0.0, "low": -0.01, "high": 0.01},
    "known": 1.0,
    "control_here": {"value": 0.59, "low": 0.5, "high": 0.67},
    "control_elsewhere": {"value": 0.82, "low": 0.79, "high": 0.85},
    "gain": 0.03,
    "looks": "guideline",
}
OF = {"campaign": "one campaign alone"}
OF_BATCH = {**OF, "batch": "judgments behind one batch alone"}
BY = {
    **OF,
    "by": "the annotators' attribute that tells the two apart; vendor where it is not given",
    "one": "a value of it; the most frequent one where it is not given",
    "other": "another value; the second most frequent one",
    "price_one": "what one judgment of the first costs, in any currency",
    "price_other": "the same of the other",
}

ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/v1/quality/agreement",
        answer=get_agreement,
        summary="Alpha (nominal, ordinal), Fleiss and Cohen with 95 % intervals, and over time",
        tag="quality",
        query=OF_BATCH,
        answers={200: {**AS_OF, "judgments": 4000, "alpha": ESTIMATE, "over_time": []}},
    ),
    Endpoint(
        method="GET",
        path="/v1/quality/biases",
        answer=get_biases,
        summary="Length, side, markdown, model and order in the session",
        tag="quality",
        query=OF_BATCH,
        answers={200: {**AS_OF, "judgments": 4000, "longer_wins": RATE, "left_rate": RATE}},
    ),
    Endpoint(
        method="GET",
        path="/v1/quality/causes",
        answer=get_causes,
        summary="Slices that explain low agreement, and whether the guideline or the annotators are behind it",
        tag="quality",
        query=OF_BATCH,
        answers={200: {**AS_OF, "judgments": 4000, "pairs": 5000, "agreement": 0.66, "causes": [CAUSE]}},
    ),
    Endpoint(
        method="GET",
        path="/v1/quality/populations",
        answer=get_populations,
        summary="Annotators who differ together, consistently",
        tag="quality",
        query=OF,
        answers={200: {**AS_OF, "groups": [], "looked_at": 24, "p": 0.42}},
    ),
    Endpoint(
        method="GET",
        path="/v1/quality/next-point",
        answer=get_next_point,
        summary="What a higher target would cost and give, by the campaign's own posteriors",
        tag="quality",
        query=OF_BATCH,
        answers={200: {**AS_OF, "least_tasks": 50, "outlook": None}},
    ),
    Endpoint(
        method="GET",
        path="/v1/quality/comparison",
        answer=get_comparison,
        summary="Two vendors on the same items: reliability, bias, cost, effect on a reward model",
        tag="quality",
        query=BY,
        answers={200: {**AS_OF, "by": "vendor", "values": ["north", "south"], "comparison": None, "least_items": 30}},
    ),
)

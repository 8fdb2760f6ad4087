"""Agreement and biases at a glance: what the dashboard asks for again and again. Kept for some seconds."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from services.analysis.apart import report
from services.analysis.gather import Judged, gather
from services.api.context import Call, json_answer
from services.api.routing import Endpoint

MOST_KEPT = 50  # answers, of campaigns and tags
KEPT_MS = 5_000

Kept = dict[tuple[str, str], tuple[int, dict[str, Any]]]


@dataclass(slots=True)
class Cache:
    """Answers of the last seconds, by campaign and tag."""

    kept: Kept
    lock: asyncio.Lock


async def get_quality(call: Call) -> Response:
    """Of the newest judgments that count."""
    campaign, tag = call.text("campaign"), call.text("tag")
    if campaign:
        call.context.campaigns.get(campaign)
    cache = _cache(call)
    async with cache.lock:  # one at a time computes; the others take what it found
        now = call.context.clock()
        at, found = cache.kept.get((campaign, tag), (-KEPT_MS, {}))
        if now - at >= KEPT_MS:
            judged: Judged = await call.context.query(lambda sql: gather(sql, campaign))
            found = await report("overview.overview_report", judged, tag)
            if len(cache.kept) > MOST_KEPT:
                cache.kept.clear()
            cache.kept[campaign, tag] = call.context.clock(), found
    return json_answer(found)


def _cache(call: Call) -> Cache:
    state = call.request.app.state
    if not hasattr(state, "quality"):
        state.quality = Cache(kept={}, lock=asyncio.Lock())
    cache = state.quality
    assert isinstance(cache, Cache)
    return cache


EXAMPLE = {
    "alpha": 0.61,
    "judgments": 412,
    "over_time": [{"at": 1790000000000, "alpha": 0.6, "percent": 0.78, "judgments": 40}],
    "by_tag": [{"tag": "domain", "value": "code", "alpha": 0.4, "percent": 0.7, "judgments": 60}],
    "length": {"longer_wins": 0.44, "low": 0.39, "high": 0.49, "pairs": 380, "curve": []},
    "side": {"left_rate": 0.51, "low": 0.46, "high": 0.56, "judgments": 380},
    "ties": 0.1,
}

ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/v1/quality",
        answer=get_quality,
        summary="Agreement over time and by tag, length and side bias",
        tag="quality",
        query={"campaign": "one campaign alone", "tag": "slices of this tag alone"},
        answers={200: EXAMPLE},
    ),
)

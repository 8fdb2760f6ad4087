"""Agreement, biases: what a lead looks at. Bounded work, kept for some seconds."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select
from starlette.responses import Response

from services.api.context import Call, json_answer
from services.api.routing import Endpoint
from services.store import models as m
from streams.quality import agreement, biases

MOST_JUDGMENTS = 20_000
MOST_SLICES = 50
SLICE_LEAST = 10  # judgments that make a slice worth a line
POINTS = 20  # of agreement over time
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
            found = await call.context.query(lambda sql: quality(sql, campaign, tag))
            if len(cache.kept) > MOST_SLICES:
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


def quality(sql: Connection, campaign: str, tag: str) -> dict[str, Any]:
    """See docs/api.md. The newest MOST_JUDGMENTS judgments, oldest first."""
    rows = _judgments(sql, campaign)
    lengths = [(row.length_a, row.length_b, row.choice) for row in rows]
    longer, side = biases.longer_wins(lengths), biases.left_rate((row.choice, row.swapped) for row in rows)
    curve = [
        {"difference": p.difference, "rate": p.rate, "pairs": p.pairs, "low": p.low, "high": p.high}
        for p in biases.length_curve(lengths)
    ]
    ties = sum(row.choice == "tie" for row in rows)
    return {
        "alpha": agreement.krippendorff_alpha(_labels(rows)),
        "judgments": len(rows),
        "over_time": [{"at": part[-1].answered_at, **_agreement(part)} for part in _parts(rows)],
        "by_tag": _by_tag(rows, tag),
        "length": {
            "longer_wins": longer.rate,
            "low": longer.low,
            "high": longer.high,
            "pairs": longer.n,
            "curve": curve,
        },
        "side": {"left_rate": side.rate, "low": side.low, "high": side.high, "judgments": side.n},
        "ties": ties / len(rows) if rows else None,
    }


def _judgments(sql: Connection, campaign: str) -> list[Row[Any]]:
    columns = m.judgments.c["task", "annotator", "choice", "swapped", "length_a", "length_b", "answered_at"]
    query = (
        select(*columns, m.tasks.c.tags)
        .join(m.tasks, m.tasks.c.task == m.judgments.c.task)
        .where(~m.judgments.c.withdrawn, ~m.judgments.c.late, m.judgments.c.role == "annotator")
        .order_by(m.judgments.c.log_offset.desc())
        .limit(MOST_JUDGMENTS)
    )
    if campaign:
        query = query.where(m.judgments.c.campaign == campaign)
    return list(reversed(sql.execute(query).all()))


def _labels(rows: Sequence[Row[Any]]) -> list[tuple[str, str, str]]:
    return [(row.task, row.annotator, row.choice) for row in rows]


def _agreement(rows: Sequence[Row[Any]]) -> dict[str, Any]:
    labels = _labels(rows)
    return {
        "alpha": agreement.krippendorff_alpha(labels),
        "percent": agreement.percent(labels),
        "judgments": len(rows),
    }


def _parts(rows: Sequence[Row[Any]]) -> list[Sequence[Row[Any]]]:
    """About POINTS parts of equal size, in the order of arrival."""
    size = max(SLICE_LEAST, -(-len(rows) // POINTS))
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _by_tag(rows: Sequence[Row[Any]], tag: str) -> list[dict[str, Any]]:
    """The slices with most judgments, the least agreed first."""
    slices: dict[tuple[str, str], list[Row[Any]]] = defaultdict(list)
    for row in rows:
        for name, value in (row.tags or {}).items():
            if tag in ("", name):
                slices[name, value].append(row)
    largest = sorted(slices.items(), key=lambda item: -len(item[1]))[:MOST_SLICES]
    found = [
        {"tag": name, "value": value, **_agreement(part)} for (name, value), part in largest if len(part) >= SLICE_LEAST
    ]
    return sorted(found, key=lambda one: (one["alpha"] is None, one["alpha"] or 0.0))


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

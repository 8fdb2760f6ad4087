"""The health of a campaign's gold: how often each item was seen, how it is answered, whether it got around."""

from __future__ import annotations

from typing import Annotated, Any

import anyio.to_thread
import msgspec
from sqlalchemy import Connection
from starlette.responses import Response

from services.api.context import Call, json_answer
from services.api.routing import Endpoint
from services.coordinator.gold import GoldTask, gold_of
from services.coordinator.growth import accept, origins_of
from streams.events import Campaign
from streams.quality.hygiene import unfit
from streams.quality.intervals import wilson

MOST_ITEMS = 1_000


class Acceptance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which decided task becomes gold, with its verdict as the known answer."""

    task: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


_acceptance = msgspec.json.Decoder(Acceptance)


async def get_gold(call: Call) -> Response:
    """Every gold task of the campaign, those in use first, then the most seen."""
    campaign = call.context.campaigns.get(call.path("name"))
    return json_answer(await call.context.query(lambda sql: health(sql, campaign)))


async def post_gold(call: Call) -> Response:
    """A lead makes gold of a decided task."""
    campaign, asked = call.context.campaigns.get(call.path("name")), await call.read(_acceptance)
    service, by = call.context.service, call.caller.actor
    made = await anyio.to_thread.run_sync(lambda: accept(service, campaign.name, asked.task, by=by))
    return json_answer({"task": made.task, "answer": made.gold, "grown_from": asked.task}, 201)


def health(sql: Connection, campaign: Campaign) -> dict[str, Any]:
    """See docs/api.md."""
    origins = origins_of(sql, campaign.name)
    items = [
        {**shown(one, campaign), "grown_from": origins.get(one.item.task, "")}
        for one in gold_of(sql, campaign.name, leaks=True)
    ]
    items.sort(key=lambda one: (one["state"] != "in use", -one["exposures"], one["task"]))
    policy, terms = campaign.gold, campaign.qualification
    return {
        "campaign": campaign.name,
        "gold_rate": campaign.gold_rate,
        "policy": {name: getattr(policy, name) for name in policy.__struct_fields__},
        "qualification": {name: getattr(terms, name) for name in terms.__struct_fields__},
        "in_use": sum(one["state"] == "in use" for one in items),
        "resting": sum(one["state"] == "resting" for one in items),
        "retired": sum(one["state"] == "retired" for one in items),
        "items": items[:MOST_ITEMS],
    }


def shown(gold: GoldTask, campaign: Campaign) -> dict[str, Any]:
    """One item, with the share of right answers and its 95 % interval."""
    reason = unfit(gold.item, campaign.gold)
    low, high = wilson(gold.right / gold.judged, gold.judged) if gold.judged else (None, None)
    return {
        "task": gold.item.task,
        "answer": gold.answer,
        "state": "retired" if reason else "in use" if gold.item.offered else "resting",
        "reason": reason,
        "created_at": gold.created_at,
        "retired_at": (gold.updated_at or None) if reason and not gold.item.offered else None,
        "exposures": gold.item.exposures,
        "judged": gold.judged,
        "right": gold.right / gold.judged if gold.judged else None,
        "low": low,
        "high": high,
        "leak": {"right": gold.item.leak.right, "fast": gold.item.leak.fast},
    }


ITEM = {
    "task": "5f",
    "answer": "a",
    "state": "in use",
    "reason": "",
    "created_at": 1790000000000,
    "retired_at": None,
    "grown_from": "5f0c",
    "exposures": 31,
    "judged": 30,
    "right": 0.9,
    "low": 0.74,
    "high": 0.97,
    "leak": {"right": 1.0, "fast": 1.3},
}

ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/v1/campaigns/{name}/gold",
        answer=get_gold,
        summary="The health of a campaign's gold",
        tag="quality",
        answers={200: {"campaign": "default", "gold_rate": 0.1, "in_use": 1, "items": [ITEM]}},
    ),
    Endpoint(
        method="POST",
        path="/v1/campaigns/{name}/gold",
        answer=post_gold,
        summary="Make gold of a decided task",
        tag="quality",
        body=Acceptance,
        example={"task": "5f0c"},
        answers={201: {"task": "9b1e", "answer": "a", "grown_from": "5f0c"}},
    ),
)

"""Campaigns: read, write (a change makes the next version), guideline, champion, rollback."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args, get_origin

import anyio.to_thread
import msgspec
from sqlalchemy import Connection, select
from starlette.responses import Response

from services.api.books import CampaignBook, check_name, next_version
from services.api.context import Call, json_answer, parse
from services.api.render import render_markdown
from services.api.routing import Endpoint
from services.coordinator import registry
from services.store import models as m
from streams.content import check_characters
from streams.engines.port import Transaction
from streams.errors import ConflictError, InputError, NotFoundError
from streams.events import (
    Calibration,
    Campaign,
    Criterion,
    Gate,
    GoldPolicy,
    Qualification,
    Rule,
    Targets,
    Training,
    digest,
)

Share = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
MOST_RULES = 100
DEFAULTS = Campaign(name="default", version=1)
ENVELOPE = (
    "type",
    "id",
    "schema_version",
    "campaign",
    "campaign_version",
    "occurred_at",
    "ingested_at",
    "actor",
    "origin",
    "correlation",
    "name",
    "version",
)


class RawCampaign(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A campaign as a lead writes it; what is left out has its default. Unknown fields inside are refused too."""

    mode: Literal["live", "recorded"] = "live"
    guideline: Annotated[str, msgspec.Meta(max_length=200_000)] = ""
    criteria: Annotated[tuple[Criterion, ...], msgspec.Meta(max_length=32)] = DEFAULTS.criteria
    rules: Annotated[tuple[Rule, ...], msgspec.Meta(max_length=MOST_RULES)] = (Rule(),)
    targets: Targets = Targets()
    training: Training = Training()
    gate: Gate = Gate()
    lease_seconds: Annotated[int, msgspec.Meta(ge=10, le=86_400)] = 600
    gold_rate: Share = 0.1
    zero_tolerance: bool = False
    spread: bool = False
    model_share: Share = 0.5
    gold: GoldPolicy = GoldPolicy()
    qualification: Qualification = Qualification()
    calibration: Calibration = Calibration()


class Why(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The reason for what a person decides; it is kept in the audit log."""

    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=1_000)]


_raw = msgspec.json.Decoder(RawCampaign)
_why = msgspec.json.Decoder(Why)


async def list_campaigns(call: Call) -> Response:
    """The newest version of each."""
    return json_answer({"campaigns": [shown(campaign) for campaign in call.context.campaigns.all()]})


async def get_campaign(call: Call) -> Response:
    """The newest version of one."""
    return json_answer(shown(call.context.campaigns.get(call.path("name"))))


async def put_campaign(call: Call) -> Response:
    """Writes a campaign; where something changed this makes the next version."""
    name = call.path("name")
    check_name(name, "name")
    body = await call.body() or b"{}"
    raw = parse(_raw, body)
    check_known(msgspec.json.decode(body), RawCampaign, "")
    check_campaign(raw)
    context = call.context
    written = campaign_of(raw, name, context.campaigns, context.clock(), call.caller.actor)
    if written.version > context.campaigns.version_of(name):
        await context.write(lambda transaction: _append(transaction, written))
    return json_answer(shown(written))


def campaign_of(raw: RawCampaign, name: str, book: CampaignBook, now: int, actor: str) -> Campaign:
    """The next version of that campaign, or the newest where nothing changes. Raises InputError."""
    fields = {field: getattr(raw, field) for field in raw.__struct_fields__}
    wanted = Campaign(name=name, version=1, campaign=name, occurred_at=now, ingested_at=now, actor=actor, **fields)
    known = book.version_of(name)
    if known and book.get(name).mode != raw.mode:
        raise ConflictError(
            f"campaign {name!r} is {book.get(name).mode} and stays so", field="mode", mend="make another campaign"
        )
    return next_version(book, name, wanted)


def check_known(sent: Any, expected: Any, field: str) -> None:
    """Raises InputError for fields that no struct inside knows: readers of the log ignore those, writers must not."""
    if isinstance(sent, list):
        (inside,) = [arg for arg in get_args(_bare(expected)) if arg is not Ellipsis] or [None]
        for index, item in enumerate(sent):
            check_known(item, inside, f"{field}[{index}]")
    elif isinstance(sent, dict) and isinstance(expected, type) and issubclass(expected, msgspec.Struct):
        types = {found.encode_name: found.type for found in msgspec.structs.fields(expected)}
        for name, value in sent.items():
            place = f"{field}.{name}" if field else name
            if name not in types:
                raise InputError(f"{place} is no field", field=place, mend=f"one of: {', '.join(types)}")
            check_known(value, types[name], place)


def _bare(annotated: Any) -> Any:
    """The type without its Annotated."""
    return get_args(annotated)[0] if get_origin(annotated) is Annotated else annotated


def _append(transaction: Transaction, campaign: Campaign) -> None:
    if transaction.admit("campaign", campaign.id, digest(repr(campaign))) != "new":
        raise ConflictError(
            f"campaign {campaign.name!r} was changed in the same moment",
            field="name",
            mend="read it again and repeat your change if it is still wanted",
        )
    transaction.append(campaign)


def check_campaign(raw: RawCampaign) -> None:
    """Raises InputError for values that the types allow and that make no sense."""
    check_characters(raw.guideline, "guideline")
    names = [criterion.name for criterion in raw.criteria]
    _want(len(set(names)) == len(names), "criteria", "each criterion's name once")
    _want(all(0 < len(name) <= 64 for name in names), "criteria", "names of 1 to 64 characters")
    for criterion in raw.criteria:
        check_characters(criterion.name + criterion.question, "criteria")
    for index, rule in enumerate(raw.rules):
        _check_rule(rule, f"rules[{index}]")
    targets, training, gate = raw.targets, raw.training, raw.gate
    _want(0.5 <= targets.posterior < 1.0, "targets.posterior", "a probability from 0.5 to below 1")
    _want(
        1 <= targets.min_judgments <= targets.overlap_cap <= 100, "targets", "1 <= min_judgments <= overlap_cap <= 100"
    )
    _want(targets.budget is None or targets.budget >= 0, "targets.budget", "a number from 0, or null for no limit")
    _want(0.0 <= training.holdout_rate < 1.0, "training.holdout_rate", "a share from 0 to below 1")
    _want(1 <= training.batch_min <= training.batch_size, "training", "1 <= batch_min <= batch_size")
    _want(training.batch_max_age_s > 0, "training.batch_max_age_s", "seconds, more than 0")
    check_characters(training.base_model + training.sampler_url + training.sampler_model, "training")
    _want(gate.min_holdout_pairs >= 0 and gate.max_kl >= 0, "gate", "numbers from 0")
    _want(0 <= gate.max_accuracy_drop <= 1 and 0 <= gate.max_over_refusal <= 1, "gate", "shares from 0 to 1")
    _want(0 <= gate.max_empty <= 1, "gate.max_empty", "a share from 0 to 1")
    _want(0 <= gate.max_doubted <= 1, "gate.max_doubted", "a share from 0 to 1")
    _check_gold(raw.gold)
    _check_qualification(raw.qualification)
    _want(0 <= raw.calibration.tasks <= 100, "calibration.tasks", "0 (no such rounds) to 100")
    _want(1 <= raw.calibration.every_days <= 365, "calibration.every_days", "1 to 365 days")


def _check_gold(gold: GoldPolicy) -> None:
    _want(gold.exposure_cap is None or gold.exposure_cap >= 1, "gold.exposure_cap", "a number from 1, or null")
    _want(gold.in_use is None or gold.in_use >= 1, "gold.in_use", "a number from 1, or null for all")
    _want(gold.leak_rate is None or 0 < gold.leak_rate <= 0.5, "gold.leak_rate", "a rate up to 0.5, or null for off")


def _check_qualification(terms: Qualification) -> None:
    _want(0 <= terms.tasks <= 1_000, "qualification.tasks", "0 (no such round) to 1000")
    _want(0 < terms.fail_mark < terms.pass_mark < 1, "qualification", "0 < fail_mark < pass_mark < 1")
    _want(0 < terms.error <= 0.5, "qualification.error", "a rate above 0, up to 0.5")


def _check_rule(rule: Rule, field: str) -> None:
    _want(0.0 <= rule.sampling_rate <= 1.0, f"{field}.sampling_rate", "a share from 0 to 1")
    _want(1 <= rule.overlap <= 100, f"{field}.overlap", "1 to 100 judgments")
    _want(abs(rule.priority) <= 1_000_000, f"{field}.priority", "a number from -1000000 to 1000000")
    _want(len(rule.skills) <= 32, f"{field}.skills", "at most 32 skills")
    for tag, value in rule.match.items():
        check_characters(tag + "".join(value), f"{field}.match")


def _want(holds: bool, field: str, what: str) -> None:
    if not holds:
        raise InputError(f"{field} is not allowed as it is", field=field, mend=f"send {what}")


def shown(campaign: Campaign) -> dict[str, Any]:
    """All its fields, defaults too, with what the envelope says of who and when."""
    fields = {field: getattr(campaign, field) for field in campaign.__struct_fields__}
    body = {field: _full(value) for field, value in fields.items() if field not in ENVELOPE}
    envelope = {"name": campaign.name, "version": campaign.version, "actor": campaign.actor}
    return {**envelope, "created_at": campaign.ingested_at, **body}


def _full(value: Any) -> Any:
    """Structs leave defaults out of their bytes; here everything is to be seen."""
    if isinstance(value, msgspec.Struct):
        return {field: _full(getattr(value, field)) for field in value.__struct_fields__}
    return [_full(item) for item in value] if isinstance(value, tuple) else value


async def get_guideline(call: Call) -> Response:
    """What annotators are to go by."""
    campaign = call.context.campaigns.get(call.path("name"))
    html = await anyio.to_thread.run_sync(render_markdown, campaign.guideline)
    criteria = [{"name": c.name, "question": c.question} for c in campaign.criteria]
    return json_answer({"html": html, "version": campaign.version, "criteria": criteria})


async def get_champion(call: Call) -> Response:
    """The model that serves."""
    name = call.path("name")
    call.context.campaigns.get(name)
    found = await anyio.to_thread.run_sync(champion, call, name)
    if found is None:
        raise NotFoundError(
            f"campaign {name!r} has no champion yet", field="name", mend="serve the base model until one is promoted"
        )
    return json_answer(found)


def champion(call: Call, campaign: str) -> dict[str, str] | None:
    """{"model", "uri"} of the present champion."""
    service = call.context.service
    model = registry.champion_of(registry.promotions_of(service.store, campaign))
    with service.database.connect() as sql:
        return model_of(sql, model)


def model_of(sql: Connection, model: str) -> dict[str, str] | None:
    """{"model", "uri"}; None for "", the base model."""
    uri = sql.execute(select(m.models.c.uri).where(m.models.c.model == model)).scalar()
    return {"model": model, "uri": uri or ""} if model else None


async def rollback(call: Call) -> Response:
    """Back to the champion before."""
    why = await call.read(_why)
    service, name, by = call.context.service, call.path("name"), call.caller.actor
    done = await anyio.to_thread.run_sync(lambda: registry.roll_back(service, name, by=by, reason=why.reason))
    return json_answer(done)


CAMPAIGN = {"name": "default", "version": 2, "mode": "live", "guideline": "Prefer the short one.", "lease_seconds": 600}

ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/v1/campaigns",
        answer=list_campaigns,
        summary="All campaigns",
        tag="campaigns",
        answers={200: {"campaigns": [CAMPAIGN]}},
    ),
    Endpoint(
        method="GET",
        path="/v1/campaigns/{name}",
        answer=get_campaign,
        summary="One campaign, its newest version",
        tag="campaigns",
        answers={200: CAMPAIGN},
    ),
    Endpoint(
        method="PUT",
        path="/v1/campaigns/{name}",
        answer=put_campaign,
        summary="Write a campaign; a change makes the next version and holds for tasks made afterwards",
        tag="campaigns",
        body=RawCampaign,
        example={"guideline": "Prefer the short one.", "rules": [{"match": {"locale": "en"}, "overlap": 3}]},
        answers={200: CAMPAIGN},
    ),
    Endpoint(
        method="GET",
        path="/v1/campaigns/{name}/guideline",
        answer=get_guideline,
        summary="The guideline as sanitised HTML",
        tag="annotators",
        answers={200: {"html": "<p>Prefer the short one.</p>", "version": 2, "criteria": []}},
    ),
    Endpoint(
        method="GET",
        path="/v1/campaigns/{name}/champion",
        answer=get_champion,
        summary="The model that serves; 404 before the first promotion",
        tag="models",
        answers={200: {"model": "m_5f", "uri": "artifacts/models/m_5f"}},
    ),
    Endpoint(
        method="POST",
        path="/v1/campaigns/{name}/rollback",
        answer=rollback,
        summary="Back to the champion before",
        tag="models",
        body=Why,
        example={"reason": "answers became rude"},
        answers={200: {"model": "m_4e", "decision": "rolled_back"}},
    ),
)

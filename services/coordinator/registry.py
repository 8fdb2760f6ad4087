"""The registry of models: who is champion, and what a person may decide. All of it follows from the promotions.

The champions of a campaign form a stack: a promotion puts a model on top, a rollback takes the top off.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from services.bootstrap import Service
from services.coordinator.gather import LogReader, newest_campaign
from services.store import models as m
from streams.engines.port import Transaction
from streams.errors import ConflictError, NotFoundError
from streams.events import Promotion, digest

Status = Literal["candidate", "champion", "retired", "rejected"]
PAGE = 1_000


# ---------------------------------------------------------------- decide


def champions(promotions: Iterable[Promotion]) -> list[str]:
    """The stack of champions of one campaign, the present one last. `promotions` in the log's order."""
    stack: list[str] = []
    for promotion in promotions:
        if promotion.decision == "promoted":
            stack.append(promotion.model)
        elif promotion.decision == "rolled_back" and stack:
            stack.pop()
    return stack


def champion_of(promotions: Iterable[Promotion]) -> str:
    """The model that is champion now; "" where there is none."""
    stack = champions(promotions)
    return stack[-1] if stack else ""


def statuses(promotions: Sequence[Promotion]) -> dict[str, Status]:
    """Status of every model that was decided about; one that is not in here is a candidate."""
    found: dict[str, Status] = {}
    for promotion in promotions:
        if promotion.decision == "rejected":
            found.setdefault(promotion.model, "rejected")
        else:
            found[promotion.model] = "retired"
    if champion := champion_of(promotions):
        found[champion] = "champion"
    return found


def promotion_by_override(
    promotions: Sequence[Promotion], *, campaign: str, model: str, by: str, reason: str, at: int
) -> Promotion:
    """A person makes this model champion, whatever the gate says. ConflictError where it already is."""
    previous = champion_of(promotions)
    if previous == model:
        raise ConflictError(
            f"model {model!r} is already the champion of {campaign!r}", field="model", mend="nothing is left to do"
        )
    return _decision(
        promotions, campaign=campaign, model=model, decision="promoted", by=by, reason=reason, at=at, previous=previous
    )


def rollback(promotions: Sequence[Promotion], *, campaign: str, by: str, reason: str, at: int) -> Promotion:
    """Back to the champion before this one. ConflictError where there is none."""
    stack = champions(promotions)
    if len(stack) < 2:
        raise ConflictError(
            f"campaign {campaign!r} has no earlier champion to go back to",
            field="campaign",
            mend="promote another model instead: GET /v1/models lists them",
        )
    return _decision(
        promotions,
        campaign=campaign,
        model=stack[-2],
        decision="rolled_back",
        by=by,
        reason=reason,
        at=at,
        previous=stack[-1],
    )


def _decision(
    promotions: Sequence[Promotion],
    *,
    campaign: str,
    model: str,
    decision: Literal["promoted", "rolled_back"],
    by: str,
    reason: str,
    at: int,
    previous: str,
) -> Promotion:
    return Promotion(
        id=digest("promotion", campaign, str(len(promotions)), decision, model),
        campaign=campaign,
        model=model,
        decision=decision,
        previous=previous,
        reasons=(reason,),
        override=decision == "promoted",
        by=by,
        actor=by,
        occurred_at=at,
        ingested_at=at,
    )


# ---------------------------------------------------------------- gather and apply


def promotions_of(log: LogReader, campaign: str) -> list[Promotion]:
    """Every promotion of that campaign in the log's order (there are few: one a checkpoint)."""
    found: dict[str, Promotion] = {}  # one that was sent twice counts once
    start, end = 0, log.end("promotions")
    while start < end:
        records = log.read("promotions", start, PAGE)
        for record in records:
            if isinstance(event := record.event, Promotion) and event.campaign == campaign:
                found.setdefault(event.id, event)
        start = records[-1].offset + 1 if records else end
    return list(found.values())


def append_decision(transaction: Transaction, promotion: Promotion, known: int) -> None:
    """Appends the decision if nobody decided in this campaign since the first `known` promotions were read.

    Raises ConflictError otherwise: two people who press a button at once must not undo each other unseen.
    """
    place = f"{promotion.campaign}/{known}"
    if transaction.admit("promotion", place, promotion.id) != "new":
        raise ConflictError(
            f"another decision about campaign {promotion.campaign!r} was made in the same moment",
            field="model",
            mend="look at its models again and repeat yours if it is still wanted",
        )
    transaction.append(promotion)


def promote(service: Service, model: str, *, by: str, reason: str) -> Promotion:
    """Makes the model champion of its campaign by a person's override; durable when it returns.

    Raises NotFoundError for an unknown model, ConflictError where it is champion already.
    """
    with service.database.connect() as sql:
        row = sql.execute(m.models.select().where(m.models.c.model == model)).mappings().fetchone()
    if row is None:
        raise NotFoundError(f"no model {model!r}", field="model", mend="GET /v1/models lists them")
    campaign = str(row["campaign"])
    known = promotions_of(service.store, campaign)
    promotion = promotion_by_override(known, campaign=campaign, model=model, by=by, reason=reason, at=service.clock())
    service.log.submit(lambda transaction: append_decision(transaction, promotion, len(known))).result()
    return promotion


def roll_back(service: Service, campaign: str, *, by: str, reason: str) -> Promotion:
    """Makes the champion before this one champion again; durable when it returns.

    Raises NotFoundError for an unknown campaign, ConflictError where there is no earlier champion.
    """
    with service.database.connect() as sql:
        if newest_campaign(sql, campaign) is None:
            raise NotFoundError(f"no campaign {campaign!r}", field="campaign", mend="GET /v1/campaigns lists them")
    known = promotions_of(service.store, campaign)
    promotion = rollback(known, campaign=campaign, by=by, reason=reason, at=service.clock())
    service.log.submit(lambda transaction: append_decision(transaction, promotion, len(known))).result()
    return promotion

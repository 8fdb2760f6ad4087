"""Suspending somebody since a time takes their judgments since then out; reinstating puts them back.

The standing in force says what ought to be withdrawn, the view says what is: the difference is the plan. So a
plan that was cut short by a crash is simply made again, and holds what is left.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import Connection, func, select

from services.appending import appending_new
from services.bootstrap import Service
from services.coordinator.gather import snapshot
from services.store import models as m
from streams.events import Retraction, digest

CHUNK = 500  # retractions a transaction: the writer is never held long, and a crash loses little
MOST_PLANNED = 10_000  # judgments a tick looks at; the next tick goes on
_log = structlog.get_logger("revocation")


# ---------------------------------------------------------------- decide


@dataclass(frozen=True, kw_only=True)
class InForce:
    """The standing of an annotator that counts now."""

    annotator: str
    standing: str  # active, weighted or suspended
    since: int  # ms; 0: nothing is taken back
    event: str  # the Standing event's id


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One judgment, as the view knows it."""

    judgment: str
    task: str
    annotator: str
    campaign: str
    at: int  # ms, when it was answered
    withdrawn: bool


def plan_retractions(standing: InForce, judgments: Iterable[Judged], now: int) -> list[Retraction]:
    """One retraction for every judgment that is not as the standing wants it; `now` in ms.

    Suspended since a time: what was judged from then on is withdrawn, what is withdrawn stays so. Suspended
    without a time: all stays as it is. Otherwise whatever is withdrawn is restored.
    """
    if standing.standing != "suspended":
        return [_retraction(standing, one, withdrawn=False, now=now) for one in judgments if one.withdrawn]
    if standing.since <= 0:
        return []
    doubted = (one for one in judgments if not one.withdrawn and one.at >= standing.since)
    return [_retraction(standing, one, withdrawn=True, now=now) for one in doubted]


def _retraction(standing: InForce, one: Judged, *, withdrawn: bool, now: int) -> Retraction:
    return Retraction(
        id=digest("retraction", standing.event, one.judgment),
        judgment=one.judgment,
        task=one.task,
        annotator=one.annotator,
        withdrawn=withdrawn,
        standing=standing.event,
        campaign=one.campaign,
        actor="coordinator",
        correlation=standing.event,
        occurred_at=now,
        ingested_at=now,
    )


# ---------------------------------------------------------------- gather


def standings_in_force(sql: Connection) -> list[InForce]:
    """Of everybody who was ever suspended with consequences for their judgments."""
    standings, history = m.standings.c, m.standing_history.c
    ever = select(history.annotator).where(
        history.standing == "suspended", history.since > 0, history.enforced, history.annotator == standings.annotator
    )
    rows = sql.execute(
        select(standings.annotator, standings.standing, standings.since, standings.event)
        .where(standings.event != "", ever.exists())
        .order_by(standings.annotator)
    )
    return [InForce(annotator=a, standing=name, since=since, event=event) for a, name, since, event in rows]


def judgments_of(
    sql: Connection, annotator: str, *, withdrawn: bool, since: int = 0, limit: int = MOST_PLANNED
) -> list[Judged]:
    """The annotator's judgments from `since` on (ms), oldest first."""
    judgments = m.judgments.c
    at = func.coalesce(func.nullif(judgments.answered_at, 0), judgments.ingested_at)
    rows = sql.execute(
        select(judgments.judgment, judgments.task, judgments.campaign, at)
        .where(judgments.annotator == annotator, judgments.withdrawn.is_(withdrawn), at >= since)
        .order_by(judgments.log_offset)
        .limit(limit)
    )
    return [
        Judged(judgment=judgment, task=task, annotator=annotator, campaign=campaign, at=when, withdrawn=withdrawn)
        for judgment, task, campaign, when in rows
    ]


# ---------------------------------------------------------------- apply


def revoke(service: Service) -> int:
    """Withdraws and restores what the standings in force ask for; how many judgments were changed."""
    with snapshot(service.database) as sql:
        plans = [(standing, _plan(sql, standing, service.clock())) for standing in standings_in_force(sql)]
    changed = sum(_apply(service, plan) for _, plan in plans)
    if changed:
        names = [standing.annotator for standing, plan in plans if plan]
        _log.info("revocation", annotators=names, judgments=changed)
    return changed


def _plan(sql: Connection, standing: InForce, now: int) -> list[Retraction]:
    if standing.standing == "suspended":
        if standing.since <= 0:
            return []
        judgments = judgments_of(sql, standing.annotator, withdrawn=False, since=standing.since)
    else:
        judgments = judgments_of(sql, standing.annotator, withdrawn=True)
    return plan_retractions(standing, judgments, now)


def _apply(service: Service, plan: Sequence[Retraction]) -> int:
    """Appends what was not appended before; waits for each piece, so that the writer's queue stays short."""
    pieces = (plan[start : start + CHUNK] for start in range(0, len(plan), CHUNK))
    works = (appending_new("retraction", piece, lambda one: (one.id, str(one.withdrawn))) for piece in pieces)
    return sum(service.log.submit(work).result() for work in works)

"""What the queue has to know of who asks for a task: how much gold, and where they have to qualify first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec.structs import replace
from sqlalchemy import Connection, select

from services.queue.port import Worker
from services.store import models as m
from streams.events import Campaign
from streams.quality import gold, qualification
from streams.quality.qualification import Outcome


@dataclass(frozen=True, kw_only=True)
class Qualified:
    """How far an annotator has come in a campaign's qualification round."""

    campaign: str
    outcome: Outcome
    answers: int  # that the decision took, or so far
    most: int  # that it takes


def choosy(campaigns: Sequence[Campaign], wanted: str | None = None) -> list[Campaign]:
    """Those of the campaigns where it matters who asks; nothing has to be read for the others."""
    return [
        campaign
        for campaign in campaigns
        if campaign.mode == "live"
        and wanted in (None, campaign.name)
        and (campaign.gold.adaptive or campaign.gold.grow or campaign.qualification.tasks)
    ]


def informed(sql: Connection, worker: Worker, campaigns: Sequence[Campaign]) -> Worker:
    """The worker with what these campaigns want of them."""
    rounds = qualified(sql, worker.annotator, campaigns)
    return replace(
        worker,
        gold_rates=gold_rates(sql, worker.annotator, [one for one in campaigns if one.gold.adaptive]),
        unqualified=frozenset(one.campaign for one in rounds if one.outcome == "open"),
        barred=frozenset(one.campaign for one in rounds if one.outcome == "failed"),
    )


def gold_rates(sql: Connection, annotator: str, campaigns: Sequence[Campaign]) -> dict[str, float]:
    """The share of gold for this annotator, by campaign; none where nothing is known: then it is the campaign's."""
    standings = m.standings.c
    row = sql.execute(
        select(standings.accuracy_low, standings.accuracy_high, standings.standing).where(
            standings.annotator == annotator, standings.accuracy_low.is_not(None)
        )
    ).first()
    if row is None:
        return {}
    low, high, standing = row
    return {one.name: gold.rate(one.gold_rate, low, high, in_doubt=standing != "active") for one in campaigns}


def qualified(sql: Connection, annotator: str, campaigns: Sequence[Campaign]) -> list[Qualified]:
    """How far they have come, in each campaign that has a qualification round."""
    rounds = [campaign for campaign in campaigns if campaign.qualification.tasks]
    if not rounds:
        return []
    waived, answers = is_vouched_for(sql, annotator), gold_answers(sql, annotator)
    found = []
    for one in rounds:
        outcome, count = qualification.decide(answers.get(one.name, []), one.qualification)
        outcome = "passed" if waived else outcome
        found.append(Qualified(campaign=one.name, outcome=outcome, answers=count, most=one.qualification.tasks))
    return found


def is_vouched_for(sql: Connection, annotator: str) -> bool:
    """Whether a person ever reinstated them: that lets them past a qualification round as well."""
    history = m.standing_history.c
    vouched = select(history.event).where(
        history.annotator == annotator, history.standing == "active", history.by.like("key:%"), history.enforced
    )
    return sql.execute(vouched.limit(1)).first() is not None


def gold_answers(sql: Connection, annotator: str) -> dict[str, list[bool]]:
    """Campaign -> whether each of their first answers to a gold task was right, in order."""
    judgments = m.judgments.c
    rows = sql.execute(
        select(judgments.campaign, judgments.choice, judgments.gold)
        .where(judgments.annotator == annotator, judgments.gold.is_not(None), judgments.revision == 1)
        .order_by(judgments.log_offset)
    )
    answers: dict[str, list[bool]] = {}
    for campaign, choice, known in rows:
        answers.setdefault(campaign, []).append(choice == known)
    return answers

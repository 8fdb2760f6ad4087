"""Keeps each campaign's gold fit: retires what was seen too often or got around, lets items take turns.

Read from the views, decided by streams/quality/hygiene.py, and written as one task update an item.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from sqlalchemy import Connection, func, select

from services.appending import appending
from services.bootstrap import Service
from services.coordinator.gather import caught_up, newest_campaigns, places, snapshot
from services.coordinator.growth import grow
from services.store import models as m
from streams.events import Campaign, TaskUpdate, digest
from streams.quality.hygiene import Change, Item, plan
from streams.quality.leaks import NO_LEAK, Answer, leak

_log = structlog.get_logger("gold")


# ---------------------------------------------------------------- gather


@dataclass(frozen=True, kw_only=True)
class GoldTask:
    """A gold task as the views know it."""

    item: Item
    answer: str
    campaign_version: int
    correlation: str
    created_at: int
    updated_at: int  # when it was last taken out of use or brought back; 0: never
    judged: int
    right: int


def is_kept(sql: Connection, campaign: Campaign) -> bool:
    """Whether the campaign asks for anything that is done here, or did and has items that rest for it."""
    policy, tasks = campaign.gold, m.tasks.c
    if (policy.exposure_cap, policy.in_use, policy.leak_rate) != (None, None, None):
        return True
    resting = tasks.campaign == campaign.name, tasks.status == "closed", tasks.gold.is_not(None)
    return sql.execute(select(tasks.task).where(*resting).limit(1)).first() is not None


def gold_of(sql: Connection, campaign: str, *, leaks: bool) -> list[GoldTask]:
    """Every gold task of the campaign, oldest first; `leaks`: with the evidence that it got around."""
    tasks, assignments = m.tasks.c, m.assignments.c
    exposures = select(func.count()).where(assignments.task == tasks.task).scalar_subquery()
    columns = tasks["task", "status", "gold", "campaign_version", "correlation", "created_at", "updated_at"]
    rows = sql.execute(
        select(*columns, exposures.label("exposures"))
        .where(tasks.campaign == campaign, tasks.gold.is_not(None), tasks.mode == "live")
        .order_by(tasks.log_offset)
    ).all()
    answers = answers_of(sql, campaign)
    return [_gold_task(row, answers.get(row.task, []), leaks=leaks) for row in rows]


def _gold_task(row: Any, answers: Sequence[Answer], *, leaks: bool) -> GoldTask:
    evidence = leak(answers) if leaks else NO_LEAK
    return GoldTask(
        item=Item(task=row.task, offered=row.status != "closed", exposures=row.exposures, leak=evidence),
        answer=row.gold,
        campaign_version=row.campaign_version,
        correlation=row.correlation,
        created_at=row.created_at,
        updated_at=row.updated_at,
        judged=len(answers),
        right=sum(answer.right for answer in answers),
    )


def answers_of(sql: Connection, campaign: str) -> dict[str, list[Answer]]:
    """Task -> the first answers to it that count, in the order of arrival."""
    judgments, tasks = m.judgments.c, m.tasks.c
    columns = (judgments.judgment, judgments.task, judgments.choice, judgments.gold, judgments.accuracy)
    times = (judgments.shown_at, judgments.answered_at)
    characters = (judgments.length_a + judgments.length_b + tasks.prompt_length).label("characters")
    rows = sql.execute(
        select(*columns, *times, characters)
        .join(m.tasks, tasks.task == judgments.task)
        .where(
            judgments.campaign == campaign,
            judgments.gold.is_not(None),
            judgments.revision == 1,
            judgments.assessed,
            ~judgments.late,
            ~judgments.withdrawn,
        )
        .order_by(judgments.log_offset)
    )
    found: dict[str, list[Answer]] = {}
    for row in rows:
        found.setdefault(row.task, []).append(_answer(row))
    return found


def _answer(row: Any) -> Answer:
    seconds = (row.answered_at - row.shown_at) / 1000 if row.shown_at else 0.0
    return Answer(
        judgment=row.judgment,
        right=row.choice == row.gold,
        expected=row.accuracy,
        pace=row.characters / seconds if seconds > 0 and row.characters else None,
    )


# ---------------------------------------------------------------- apply


@dataclass(kw_only=True)
class GoldKeeper:
    """Call `tick` now and then. It remembers how far it has looked, so that it looks only where something came in."""

    service: Service
    _looked: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def tick(self) -> int:
        """How many items grew, were retired, rested or brought back."""
        with snapshot(self.service.database) as sql:
            live = [one for one in newest_campaigns(sql) if one.mode == "live"]
            kept = [one for one in live if is_kept(sql, one)]
        grew = sum(grow(self.service, campaign) for campaign in live if campaign.gold.grow)
        return grew + sum(self._keep(campaign) for campaign in kept)

    def _keep(self, campaign: Campaign) -> int:
        with snapshot(self.service.database) as sql:
            if not caught_up(sql, self.service.store, "task_updates"):
                return 0  # what was decided last is not yet seen: the next tick will see it
            reached = places(sql)
            moment = tuple(reached.get(topic, 0) for topic in ("assignments", "assessments", "tasks", "campaigns"))
            if self._looked.get(campaign.name) == moment:
                return 0
            found = gold_of(sql, campaign.name, leaks=campaign.gold.leak_rate is not None)
        changes = plan([one.item for one in found], campaign.gold)
        by_task = {one.item.task: one for one in found}
        updates = [self._update(campaign, by_task[change.task], change, reached) for change in changes]
        if updates:
            self.service.log.submit(appending(updates)).result()
            _log.info("gold", campaign=campaign.name, changes=[(one.task, one.status) for one in changes])
        self._looked[campaign.name] = moment
        return len(updates)

    def _update(self, campaign: Campaign, known: GoldTask, change: Change, reached: dict[str, int]) -> TaskUpdate:
        now = self.service.clock()
        return TaskUpdate(
            id=digest("gold_update", change.task, change.status, str(reached.get("task_updates", 0))),
            task=change.task,
            status=change.status,
            slots_wanted=0,
            judgments=known.judged,
            reason=change.reason,
            campaign=campaign.name,
            campaign_version=known.campaign_version,
            correlation=known.correlation,
            actor="coordinator",
            occurred_at=now,
            ingested_at=now,
        )

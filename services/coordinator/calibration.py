"""Calibration rounds: now and then everybody judges the same few tasks, so that people can be compared directly.

A round's tasks are copies of decided ones, marked by the tag `calibration` with the day the round began. They want a
judgment of everybody who was at work lately, close when these are in, and are never trained on. Agreement by round is
the tag's slice in every report.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

import structlog
from msgspec.structs import replace
from sqlalchemy import Connection, func, select

from services.bootstrap import Service
from services.coordinator.gather import newest_campaigns, snapshot
from services.store import models as m
from services.store.lives import task_of
from streams.engines.port import Transaction
from streams.events import Calibration, Campaign, Task, digest

TAG = "calibration"
DAY_MS = 86_400_000
FIRST = 1_000  # priority: before the tasks of most campaigns
_log = structlog.get_logger("calibration")


# ---------------------------------------------------------------- decide


def round_of(terms: Calibration, now: int) -> str:
    """The round that runs at `now` (ms), by the day it began (UTC); "" where the campaign has none."""
    if terms.tasks <= 0:
        return ""
    length = terms.every_days * DAY_MS
    return datetime.fromtimestamp(now // length * length / 1000, UTC).strftime("%Y-%m-%d")


def next_round_at(terms: Calibration, now: int) -> int | None:
    """When the next round may begin (ms); None where the campaign has none."""
    length = terms.every_days * DAY_MS
    return (now // length + 1) * length if terms.tasks > 0 else None


def chosen(tasks: Sequence[str], terms: Calibration, name: str) -> list[str]:
    """Which of the decided tasks a round takes: by a hash, so that nobody can foresee it and a repetition agrees."""
    return sorted(tasks, key=lambda task: digest(TAG, name, task))[: terms.tasks]


def copy_of(task: Task, name: str, people: int, now: int) -> Task:
    """The task that everybody judges in that round: it closes when `people` have, whatever they say."""
    identity = digest(TAG, name, task.task)
    return replace(
        task,
        id=identity,
        task=identity,
        tags={**task.tags, TAG: name},
        overlap=people,
        min_judgments=people,
        overlap_cap=people,
        target_posterior=0.0,
        priority=FIRST,
        zero_tolerance=False,
        actor="coordinator",
        occurred_at=now,
        ingested_at=now,
    )


# ---------------------------------------------------------------- gather


@dataclass(frozen=True, kw_only=True)
class Sources:
    """What a round can be made from: decided tasks, and how many people were at work lately."""

    tasks: tuple[str, ...]
    people: int
    begun: bool  # the round's tasks are there already


def sources(sql: Connection, campaign: str, name: str, since: int) -> Sources:
    """Of the campaign, for the round of that name; at work is who judged since that time (ms) and may judge."""
    tasks, judgments, preferences = m.tasks.c, m.judgments.c, m.preferences.c
    decided = (
        select(tasks.task, tasks.tags)
        .join(m.preferences, preferences.task == tasks.task)
        .where(tasks.campaign == campaign, tasks.mode == "live", tasks.status == "closed", tasks.gold.is_(None))
        .where(preferences.verdict.is_not(None), ~tasks.holdout)
    )
    known = sql.execute(select(tasks.tags).where(tasks.campaign == campaign, tasks.priority == FIRST)).scalars()
    out = select(m.standings.c.annotator).where(m.standings.c.standing == "suspended")
    people = select(func.count(judgments.annotator.distinct())).where(
        judgments.campaign == campaign,
        judgments.answered_at >= since,
        judgments.role == "annotator",
        judgments.annotator.not_in(out),
    )
    return Sources(
        tasks=tuple(row.task for row in sql.execute(decided) if TAG not in row.tags),
        people=sql.execute(people).scalar() or 0,
        begun=any(tags.get(TAG) == name for tags in known),
    )


# ---------------------------------------------------------------- apply


@dataclass(kw_only=True)
class RoundKeeper:
    """Call `tick` now and then. It remembers which rounds have begun, so that it looks for each once a start."""

    service: Service
    _begun: set[tuple[str, str]] = field(default_factory=set)

    def tick(self) -> int:
        """Begins the round of every live campaign that is due; how many tasks were made."""
        with snapshot(self.service.database) as sql:
            campaigns = [one for one in newest_campaigns(sql) if one.mode == "live" and one.calibration.tasks]
        return sum(self._begin(campaign) for campaign in campaigns)

    def _begin(self, campaign: Campaign) -> int:
        now, terms = self.service.clock(), campaign.calibration
        name = round_of(terms, now)
        if (campaign.name, name) in self._begun:
            return 0
        with snapshot(self.service.database) as sql:
            found = sources(sql, campaign.name, name, now - terms.every_days * DAY_MS)
            picked = chosen(found.tasks, terms, name)
            if not found.begun and (found.people < 2 or len(picked) < terms.tasks):
                return 0  # nobody to compare, or too little to choose from yet
            rows = sql.execute(select(m.tasks).where(m.tasks.c.task.in_(picked))).all()
        self._begun.add((campaign.name, name))
        if found.begun:
            return 0
        copies = [copy_of(task_of(row), name, found.people, now) for row in rows]
        made: int = self.service.log.submit(partial(_append, campaign.name, name, copies)).result()
        _log.info("calibration", campaign=campaign.name, round=name, tasks=made, people=found.people)
        return made


def _append(campaign: str, name: str, copies: Sequence[Task], transaction: Transaction) -> int:
    """The view may lag behind an earlier tick: a round begins once."""
    if transaction.admit(TAG, f"{campaign}/{name}", name) != "new":
        return 0
    for copy in copies:
        transaction.append(copy)
    return len(copies)

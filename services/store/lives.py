"""A task's life as the views hold it: the events that its verdict follows from, in their order.

The stage preferences keeps the same in its state, but a state belongs to the worker that has the task's key; the
views are read from anywhere.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, select

from services.store import models as m
from streams.events import Assessment, Candidate, Check, Reliability, Task

CHUNK = 500  # tasks asked for at once: every database takes a list so long


@dataclass(frozen=True, kw_only=True)
class Life:
    """One task, its assessments in the order of their judgments, and the judgments that are withdrawn."""

    task: Task
    assessments: tuple[Assessment, ...]
    withdrawn: frozenset[str]


def lives_of(sql: Connection, tasks: Sequence[str]) -> Iterator[Life]:
    """The lives of these tasks, in pieces; a task that the views do not know whole yet is left out."""
    for start in range(0, len(tasks), CHUNK):
        yield from _lives(sql, tasks[start : start + CHUNK])


def _lives(sql: Connection, tasks: Sequence[str]) -> Iterator[Life]:
    judged: dict[str, list[Row[Any]]] = defaultdict(list)
    judgments = select(m.judgments).where(m.judgments.c.task.in_(tasks), m.judgments.c.assessed)
    for row in sql.execute(judgments.order_by(m.judgments.c.log_offset)):
        judged[row.task].append(row)
    for row in sql.execute(select(m.tasks).where(m.tasks.c.task.in_(tasks), m.tasks.c.campaign != "")):
        rows = judged[row.task]
        yield Life(
            task=task_of(row),
            assessments=tuple(assessment_of(one) for one in rows),
            withdrawn=frozenset(one.judgment for one in rows if one.withdrawn),
        )


def task_of(row: Row[Any]) -> Task:
    """The Task event without what is the same for all (id, times, actor)."""
    return Task(
        campaign=row.campaign,
        campaign_version=row.campaign_version,
        correlation=row.correlation,
        task=row.task,
        a=msgspec.convert(row.a, Candidate),
        b=msgspec.convert(row.b, Candidate),
        prompt_digest=row.prompt_digest,
        prompt_length=row.prompt_length,
        tags=row.tags,
        overlap=row.overlap,
        priority=row.priority,
        skills=tuple(row.skills),
        target_posterior=row.target_posterior,
        min_judgments=row.min_judgments,
        overlap_cap=row.overlap_cap,
        mode=row.mode,
        zero_tolerance=row.zero_tolerance,
        holdout=row.holdout,
        gold=row.gold,
    )


def assessment_of(row: Row[Any]) -> Assessment:
    """The Assessment event, likewise."""
    return Assessment(
        campaign=row.campaign,
        judgment=row.judgment,
        task=row.task,
        annotator=row.annotator,
        revision=row.revision,
        choice=row.choice,
        swapped=row.swapped,
        role=row.role,
        flags=tuple(row.flags),
        reliability=msgspec.convert(row.reliability, Reliability),
        weight=row.weight,
        checks=msgspec.convert(row.checks, tuple[Check, ...]),
        late=row.late,
        gold=row.gold,
        answered_at=row.answered_at or row.ingested_at,
    )

"""What a batch's pairs are worth when it is cut: their posteriors from all that was learned since they were decided.

A preference's posterior rests on what was known of each annotator when they judged. Training gets the refined one
(streams/quality/refinement.py), and the batch records it. numpy is needed, so it is computed in a process of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import anyio
from sqlalchemy import ColumnElement, Connection, Row, select

from services.analysis.apart import report
from services.store import models as m
from streams.quality.consensus import Posterior
from streams.quality.labelled import Labelled

MOST_CONTEXT = 50_000  # newest judgments of the campaign, from which its people are known
ASKED_AT_ONCE = 500  # tasks: every database takes a list so long


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The judgments that count, in the order of the log, and the tasks that an adjudicator decided."""

    judged: list[Labelled]
    decided: frozenset[str]


def evidence_on(sql: Connection, campaign: str, tasks: Sequence[str]) -> Evidence:
    """Everything said on these tasks, and what the campaign's people said last."""
    rows = _rows(sql, m.judgments.c.campaign == campaign, limit=MOST_CONTEXT)
    for start in range(0, len(tasks), ASKED_AT_ONCE):
        rows |= _rows(sql, m.judgments.c.task.in_(tasks[start : start + ASKED_AT_ONCE]))
    return evidence_of([rows[at] for at in sorted(rows)])


def evidence_of(rows: Iterable[Row[Any]]) -> Evidence:
    """From rows in the order of the log. A revision replaces its annotator's former one, even when withdrawn."""
    newest: dict[tuple[str, str], Row[Any]] = {}
    for row in rows:
        former = newest.get((row.task, row.annotator))
        if former is None or former.revision < row.revision:
            newest[row.task, row.annotator] = row
    standing = [row for row in newest.values() if not (row.late or row.withdrawn)]
    return Evidence(
        judged=[_labelled(row) for row in standing if row.role != "adjudicator" and row.weight > 0],
        decided=frozenset(row.task for row in standing if row.role == "adjudicator"),
    )


def _rows(sql: Connection, which: ColumnElement[bool], limit: int | None = None) -> dict[int, Row[Any]]:
    judgments = m.judgments.c
    columns = (
        "task",
        "annotator",
        "revision",
        "choice",
        "swapped",
        "weight",
        "role",
        "late",
        "withdrawn",
        "log_offset",
    )
    query = (
        select(*judgments[columns]).where(which, judgments.assessed).order_by(judgments.log_offset.desc()).limit(limit)
    )
    return {row.log_offset: row for row in sql.execute(query)}


def _labelled(row: Row[Any]) -> Labelled:
    return Labelled(item=row.task, annotator=row.annotator, choice=row.choice, swapped=row.swapped, weight=row.weight)


def refined(evidence: Evidence, tasks: Sequence[str]) -> tuple[Posterior | None, ...]:
    """The posterior of each task; None where an adjudicator's word stands, or nothing else was said."""
    found = anyio.run(report, "refined.refined_posteriors", evidence.judged) if evidence.judged else {}
    return tuple(None if task in evidence.decided else found.get(task) for task in tasks)

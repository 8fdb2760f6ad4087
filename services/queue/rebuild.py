"""The queue's memory from the SQL views: all of it at the start, one task later on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import groupby
from operator import attrgetter
from typing import Any, Protocol

import msgspec
import sqlalchemy
from sqlalchemy import ColumnElement, Connection, Row, and_, func, select

from services.queue.entries import Entry, Hold
from services.store import models as m
from services.store.database import snapshot
from streams.admission import TaskFacts
from streams.events import Campaign

OPEN = and_(m.tasks.c.mode == "live", m.tasks.c.status != "closed")


class ViewArchive:
    """See memory.Archive. `lag` is the engine's: events not yet applied, by reader."""

    def __init__(self, database: sqlalchemy.Engine, lag: Callable[[], Mapping[str, int]]) -> None:
        self._database = database
        self._lag = lag

    def load(self, task: str) -> Entry | None:
        """The task as the views know it, or None."""
        with self._database.connect() as sql:
            return next(entries_of(sql, m.tasks.c.task == task), None)

    def is_current(self) -> bool:
        """Whether the views have reached the end of the log."""
        return self._lag().get("views", 0) == 0


class Restorable(Protocol):
    """A queue that can be filled from the views."""

    def restore(
        self,
        entries: Iterator[Entry],
        campaigns: Collection[Campaign],
        standings: dict[str, tuple[str, str]],
        given: dict[str, int],
        bought: dict[str, int],
    ) -> None:
        """Takes over what the views say; from then on it grants."""
        ...


def restore(queue: Restorable, database: sqlalchemy.Engine) -> None:
    """Fills the queue. The views must have reached the end of the log as it was when the queue began to listen."""
    with snapshot(database) as sql:
        queue.restore(
            entries_of(sql, OPEN),
            campaigns=_campaigns(sql),
            standings=_standings(sql),
            given=_pairs(sql, select(m.assignments.c.annotator, func.count()).group_by(m.assignments.c.annotator)),
            bought=_pairs(
                sql,
                select(m.judgments.c.campaign, func.count())
                .where(m.judgments.c.revision == 1, ~m.judgments.c.late)
                .group_by(m.judgments.c.campaign),
            ),
        )


def entries_of(sql: Connection, which: ColumnElement[bool]) -> Iterator[Entry]:
    """The tasks that fit, oldest first, with their holds."""
    tasks = select(m.tasks).where(which, m.tasks.c.campaign != "").order_by(m.tasks.c.task)
    holds = _by_task(sql, select(m.assignments), m.assignments, which)
    judged = _by_task(sql, select(m.judgments), m.judgments, which)
    found = [_entry(row, holds.get(row.task, []), judged.get(row.task, [])) for row in sql.execute(tasks)]
    yield from sorted(found, key=attrgetter("order"))


def _by_task(
    sql: Connection, query: sqlalchemy.Select[Any], table: sqlalchemy.Table, which: ColumnElement[bool]
) -> dict[str, list[Row[Any]]]:
    rows = sql.execute(query.where(table.c.task.in_(select(m.tasks.c.task).where(which))).order_by(table.c.task))
    return {task: list(group) for task, group in groupby(rows, key=attrgetter("task"))}


def _entry(row: Row[Any], assignments: list[Row[Any]], judgments: list[Row[Any]]) -> Entry:
    entry = Entry(
        facts=_facts(row),
        a=(row.a["output"], row.a["position"]),
        b=(row.b["output"], row.b["position"]),
        skills=frozenset(row.skills),
        priority=row.priority,
        order=row.log_offset,
        wanted=row.slots_wanted,
        status=row.status,
    )
    for assignment in assignments:
        entry.holds[assignment.annotator] = Hold(
            annotator=assignment.annotator,
            slot=assignment.slot,
            role=assignment.role,
            swapped=assignment.swapped,
            lease_until=assignment.lease_until,
            state=assignment.kind,
        )
    for judgment in sorted(judgments, key=attrgetter("revision")):
        _judged(entry, judgment)
    return entry


def _judged(entry: Entry, judgment: Row[Any]) -> None:
    hold = entry.holds.get(judgment.annotator)
    if hold is not None:
        hold.state, hold.revision = "judged", judgment.revision
        hold.late, hold.withdrawn = judgment.late, judgment.withdrawn


def _facts(row: Row[Any]) -> TaskFacts:
    return TaskFacts(
        task=row.task,
        campaign=row.campaign,
        campaign_version=row.campaign_version,
        gold=row.gold,
        prompt_length=row.prompt_length,
        length_a=row.a["response"]["length"],
        length_b=row.b["response"]["length"],
        mode=row.mode,
        correlation=row.correlation,
    )


def _campaigns(sql: Connection) -> list[Campaign]:
    rows = sql.execute(select(m.campaigns.c.definition).order_by(m.campaigns.c.name, m.campaigns.c.version))
    newest = {row.definition["name"]: row.definition for row in rows}
    return [msgspec.convert(definition, Campaign) for definition in newest.values()]


def _standings(sql: Connection) -> dict[str, tuple[str, str]]:
    rows = sql.execute(select(m.standings.c.annotator, m.standings.c.standing, m.standings.c.reason))
    return {annotator: (standing, reason) for annotator, standing, reason in rows}


def _pairs(sql: Connection, query: sqlalchemy.Select[Any]) -> dict[str, Any]:
    return {key: value for key, value in sql.execute(query)}  # noqa: C416  (rows are no pairs to dict())

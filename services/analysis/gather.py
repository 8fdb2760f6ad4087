"""What the reports are made from: the judgments that count, with what they compared and who made them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, Select, case, select

from services.store import models as m
from streams.quality.compared import Compared
from streams.quality.decided import Decided

MOST_JUDGMENTS = 20_000
MOST_DECIDED = 20_000
BY_THE_CROWD = ("target", "cap", "recorded")  # how a verdict was reached, adjudication apart

# A record without times is stamped with the moment of its replay, which says nothing about when people judged.
UNTIMED = (m.tasks.c.mode == "recorded") & (m.judgments.c.answered_at == m.judgments.c.ingested_at)
ANSWERED_AT = case((UNTIMED, 0), else_=m.judgments.c.answered_at).label("answered_at")

Tags = dict[str, dict[str, str]]  # of items, or attributes of annotators, by id


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Judgments in the order of the log, the tags of their items and the attributes of their annotators."""

    rows: list[Compared]
    tags: Tags = field(default_factory=dict)
    attributes: Tags = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class CalibrationRound:
    """A round as it stands: its tasks, how many have closed, how many people it waits for, and the judgments so far."""

    name: str  # the day it began
    tasks: int
    closed: int
    people: int
    labels: list[tuple[str, str, str]]  # task, annotator, choice


def gather(sql: Connection, campaign: str = "", batch: str = "") -> Judged:
    """The newest MOST_JUDGMENTS judgments that count: no model's, no adjudicator's, late or withdrawn one.

    `batch`: those on its members alone (held-out ones included).
    """
    rows = list(reversed(sql.execute(_query(campaign, batch)).all()))
    return Judged(
        rows=[compared(row) for row in rows],
        tags={row.task: row.tags or {} for row in rows},
        attributes=attributes_of(sql),
    )


def newest_of(found: Judged | list[Decided]) -> int | None:
    """How many of the newest these are, where older ones were left out; None where they are all."""
    read, most = (len(found.rows), MOST_JUDGMENTS) if isinstance(found, Judged) else (len(found), MOST_DECIDED)
    return read if read == most else None


def _query(campaign: str, batch: str) -> Select[Any]:
    judgments, tasks = m.judgments.c["task", "annotator", "choice", "swapped"], m.tasks.c["tags", "a", "b"]
    query = (
        select(*judgments, ANSWERED_AT, *tasks)
        .join(m.tasks, m.tasks.c.task == m.judgments.c.task)
        .where(~m.judgments.c.withdrawn, ~m.judgments.c.late, m.judgments.c.role == "annotator")
        .order_by(m.judgments.c.log_offset.desc())
        .limit(MOST_JUDGMENTS)
    )
    if campaign:
        query = query.where(m.judgments.c.campaign == campaign)
    if batch:
        members = select(m.batch_members.c.task).where(m.batch_members.c.batch == batch)
        query = query.where(m.judgments.c.task.in_(members))
    return query


def compared(row: Row[Any]) -> Compared:
    """One row of the views."""
    a, b = row.a["response"], row.b["response"]
    return Compared(
        item=row.task,
        annotator=row.annotator,
        choice=row.choice,
        swapped=row.swapped,
        length_a=a["length"],
        length_b=b["length"],
        markdown_a=a.get("markdown", 0),
        markdown_b=b.get("markdown", 0),
        model_a=a.get("model", ""),
        model_b=b.get("model", ""),
        answered_at=row.answered_at,
    )


def attributes_of(sql: Connection) -> Tags:
    """The attributes of every annotator that has some."""
    found: Tags = defaultdict(dict)
    for annotator, name, value in sql.execute(select(m.annotator_attributes)):
        found[annotator][name] = value
    return dict(found)


def decided(sql: Connection, campaign: str = "", batch: str = "") -> list[Decided]:
    """The newest MOST_DECIDED verdicts that rest on the crowd's judgments alone, in reverse; `batch`: its members'."""
    preferences = m.preferences.c
    query = (
        select(*preferences["verdict", "p_a", "p_b", "p_tie", "reached", "judgments"], m.tasks.c.target_posterior)
        .join(m.tasks, m.tasks.c.task == preferences.task)
        .where(preferences.verdict.is_not(None), ~preferences.gold, preferences.reached.in_(BY_THE_CROWD))
        .order_by(preferences.log_offset.desc())
        .limit(MOST_DECIDED)
    )
    if campaign:
        query = query.where(preferences.campaign == campaign)
    if batch:
        query = query.where(
            preferences.task.in_(select(m.batch_members.c.task).where(m.batch_members.c.batch == batch))
        )
    return [
        Decided(
            belief={"a": row.p_a, "b": row.p_b, "tie": row.p_tie}[row.verdict],
            judgments=len(row.judgments),
            target=row.target_posterior if row.reached == "target" else None,
        )
        for row in sql.execute(query)
    ]

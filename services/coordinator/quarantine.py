"""The dry run of a quarantine: what taking back somebody's judgments since a time would do, or putting them back.

Nothing is written here. The verdicts that would change come from the very decision of the stage preferences, on the
votes less those judgments; services/coordinator/revocation.py does what a lead then decides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, Select, select

from services.coordinator.revocation import CHUNK, Judged, judgments_of
from services.store import models as m
from services.store.lives import Life, lives_of
from streams.errors import ConflictError
from streams.events import Choice, TaskStatus
from streams.stages.outcome import outcome
from streams.stages.preferences import Decision

MOST_JUDGMENTS = 1_000_000
MOST_DECIDED = 20_000  # tasks whose verdict is worked out anew: some seconds; the newest ones, the counts stay whole
EVER = 1  # ms: the `since` that takes everything back (0 takes nothing back)

Change = Literal["same", "turned", "lost", "reached", "undecided"]
Pair = tuple[str, str]


# ---------------------------------------------------------------- decide


@dataclass(frozen=True, kw_only=True)
class Effect:
    """What becomes of one task. `probability` is the verdict's; `labels` are the judgments it then still wants."""

    task: str
    campaign: str
    change: Change
    verdict: Choice | None
    probability: float
    verdict_after: Choice | None
    probability_after: float
    status: TaskStatus
    status_after: TaskStatus
    labels: int


def effect(life: Life, judgments: frozenset[str], *, undo: bool = False) -> Effect:
    """The task with and without these judgments; `undo`: those withdrawn are put back instead."""
    after_that = life.withdrawn - judgments if undo else life.withdrawn | judgments
    before = outcome(life.task, life.assessments, life.withdrawn)
    after = outcome(life.task, life.assessments, after_that)
    return Effect(
        task=life.task.task,
        campaign=life.task.campaign,
        change=change_of(before.verdict, after.verdict),
        verdict=before.verdict,
        probability=max(before.belief),
        verdict_after=after.verdict,
        probability_after=max(after.belief),
        status=before.status,
        status_after=after.status,
        labels=labels_wanted(life, after),
    )


def change_of(before: Choice | None, after: Choice | None) -> Change:
    """The change in one word; "lost" goes back to the annotators or to an adjudicator."""
    if before is None:
        return "undecided" if after is None else "reached"
    if after is None:
        return "lost"
    return "same" if before == after else "turned"


def labels_wanted(life: Life, after: Decision) -> int:
    """How many judgments the task asks for at once; gold and recorded tasks ask for none."""
    if after.status != "open" or life.task.gold is not None or life.task.mode == "recorded":
        return 0
    return max(0, after.slots_wanted - after.counted - after.lost)


@dataclass(frozen=True, kw_only=True)
class BlastRadius:
    """What rests on some judgments; ids, sorted."""

    judgments: tuple[str, ...]
    tasks: tuple[str, ...]
    preferences: tuple[str, ...]  # by task
    batches: tuple[str, ...]
    models: tuple[str, ...]  # trained on one of the batches, or going back to a model that was


def blast_radius(
    judgments: Mapping[str, str],
    preferences: Mapping[str, Sequence[str]],
    memberships: Iterable[Pair],
    models: Iterable[tuple[str, str, str]],
) -> BlastRadius:
    """What is touched when these judgments fall.

    `judgments`: judgment -> task. `preferences`: task -> the judgments its preference rests on. `memberships`:
    (batch, task). `models`: (model, batch, parent), in any order.
    """
    touched = {task for task, rests_on in preferences.items() if not judgments.keys().isdisjoint(rests_on)}
    tasks = set(judgments.values())
    batches = {batch for batch, task in memberships if task in tasks}
    return BlastRadius(
        judgments=tuple(sorted(judgments)),
        tasks=tuple(sorted(tasks)),
        preferences=tuple(sorted(touched)),
        batches=tuple(sorted(batches)),
        models=tuple(sorted(descendants(list(models), batches))),
    )


def descendants(models: Sequence[tuple[str, str, str]], batches: set[str]) -> set[str]:
    """Models of these batches and all that were trained from them; `models` as in `blast_radius`."""
    found = {model for model, batch, _ in models if batch in batches}
    while more := {model for model, _, parent in models if parent in found} - found:
        found |= more
    return found


# ---------------------------------------------------------------- gather


@dataclass(frozen=True, kw_only=True)
class Since:
    """From when on judgments are taken back (ms), and where that time comes from."""

    at: int
    alert: str = ""  # the alert that estimated it; "" where a person said it
    hypothesis: str = ""


def estimated_since(sql: Connection, annotator: str) -> Since:
    """The change-point estimate of the annotator's newest alert. ConflictError where no alert says since when."""
    alerts = m.alerts.c
    row = sql.execute(
        select(alerts.since, alerts.alert, alerts.hypothesis)
        .where(alerts.annotator == annotator, alerts.since > 0)
        .order_by(alerts.at.desc(), alerts.log_offset.desc())
        .limit(1)
    ).first()
    if row is None:
        raise ConflictError(
            f"no alert says since when annotator {annotator!r} is in doubt",
            field="since",
            mend="say since when (ms), or take back everything (`ever`)",
        )
    return Since(at=max(EVER, row.since), alert=row.alert, hypothesis=row.hypothesis)


@dataclass(frozen=True, kw_only=True)
class Touched:
    """One batch: how many of its training and held-out members are touched, and in how many the verdict changes."""

    batch: str
    campaign: str
    size: int
    members: int
    holdout: int
    changed: int


@dataclass(frozen=True, kw_only=True)
class DryRun:
    """All that a quarantine (or its undo) would touch and change, as of one moment."""

    radius: BlastRadius
    effects: tuple[Effect, ...]  # of at most MOST_DECIDED tasks
    batches: tuple[Touched, ...]
    runs: tuple[str, ...]
    models: tuple[tuple[str, str, str], ...]  # (model, campaign, batch) of every model touched


def dry_run(sql: Connection, annotator: str, since: int, *, undo: bool = False, brief: bool = False) -> DryRun:
    """What withdrawing the annotator's judgments since that time (ms) would do; nothing is changed.

    `undo`: what restoring all their withdrawn judgments would do. `brief`: no verdict is worked out. `sql` should be
    one snapshot.
    """
    doubted = judgments_of(sql, annotator, since=0 if undo else since, withdrawn=undo, limit=MOST_JUDGMENTS)
    judged = {one.judgment: one.task for one in doubted}
    tasks = sorted(set(judged.values()))
    members = m.batch_members.c
    memberships = rows_of_tasks(sql, select(members.task, members.batch, members.holdout), tasks)
    models = [(row.model, row.batch, row.parent) for row in sql.execute(select(m.models))]
    preferences = rows_of_tasks(sql, select(m.preferences.c.task, m.preferences.c.judgments), tasks)
    radius = blast_radius(
        judged, {row[0]: row[1] for row in preferences}, [(row[1], row[0]) for row in memberships], models
    )
    effects = () if brief else effects_of(sql, doubted, undo=undo)
    return DryRun(
        radius=radius,
        effects=effects,
        batches=_touched(sql, radius.batches, memberships, effects),
        runs=tuple(sorted(sql.execute(select(m.runs.c.run).where(m.runs.c.batch.in_(radius.batches))).scalars())),
        models=_named(sql, radius.models),
    )


def effects_of(sql: Connection, doubted: Sequence[Judged], *, undo: bool = False) -> tuple[Effect, ...]:
    """What becomes of the newest MOST_DECIDED of the tasks; those that change most come first."""
    judgments = frozenset(one.judgment for one in doubted)
    newest = list(dict.fromkeys(one.task for one in reversed(doubted)))[:MOST_DECIDED]
    effects = [effect(life, judgments, undo=undo) for life in lives_of(sql, newest)]
    rank = {"turned": 0, "lost": 1, "reached": 2, "same": 3, "undecided": 4}
    return tuple(sorted(effects, key=lambda one: (rank[one.change], one.probability_after - one.probability, one.task)))


def rows_of_tasks(sql: Connection, query: Select[Any], tasks: Sequence[str]) -> list[Any]:
    """The query's rows for these tasks (its first column), asked for in pieces that every database takes."""
    column = query.selected_columns[0]
    pieces = (tasks[start : start + CHUNK] for start in range(0, len(tasks), CHUNK))
    return [row for piece in pieces for row in sql.execute(query.where(column.in_(piece)))]


def _touched(
    sql: Connection, batches: Sequence[str], memberships: Sequence[Any], effects: Iterable[Effect]
) -> tuple[Touched, ...]:
    changed = {one.task for one in effects if one.change in ("turned", "lost")}
    training = Counter(batch for _, batch, holdout in memberships if not holdout)
    held_out = Counter(batch for _, batch, holdout in memberships if holdout)
    verdicts = Counter(batch for task, batch, holdout in memberships if task in changed and not holdout)
    rows = sql.execute(select(m.batches).where(m.batches.c.batch.in_(batches)).order_by(m.batches.c.at))
    return tuple(
        Touched(
            batch=row.batch,
            campaign=row.campaign,
            size=row.size,
            members=training[row.batch],
            holdout=held_out[row.batch],
            changed=verdicts[row.batch],
        )
        for row in rows
    )


def _named(sql: Connection, models: Sequence[str]) -> tuple[tuple[str, str, str], ...]:
    rows = sql.execute(select(m.models).where(m.models.c.model.in_(models)).order_by(m.models.c.at, m.models.c.model))
    return tuple((row.model, row.campaign, row.batch) for row in rows)

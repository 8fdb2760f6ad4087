"""How each event changes the SQL views: one function a type of event, each a list of upserts.

The order between topics must not matter (a rebuild folds them in another interleaving than life did), so every
column is written by the events of one topic alone. A row may be begun by any of them: columns of the others
hold their defaults until their own event comes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import Connection

from services.store import models as m
from services.store.upserts import Row, Upsert, shape_of, statement_of
from streams import events as e
from streams.engines.port import Record


class Views:
    """All views, as one reader of the log (see port.View)."""

    name = "views"
    topics: tuple[str, ...] = (
        "campaigns",
        "outputs",
        "signals",
        "tasks",
        "assignments",
        "judgments",
        "assessments",
        "agreements",
        "alerts",
        "standings",
        "appeals",
        "retractions",
        "preferences",
        "task_updates",
        "scores",
        "batches",
        "run_updates",
        "checkpoints",
        "promotions",
        "dead_letters",
    )

    def apply(self, sql: Connection, records: Sequence[Record]) -> None:
        """Folds records of one topic, in order."""
        upserts = [upsert for record in records for upsert in FOLDS[type(record.event)](record.event, record.offset)]
        if len(records) > 1:  # rows of different tables do not meet: bring equal statements together
            upserts.sort(key=lambda upsert: upsert.table.name)
        for shape, group in groupby(upserts, key=shape_of):
            statement = statement_of(shape, sql.dialect)
            sql.exec_driver_sql(statement.text, [statement.row(upsert) for upsert in group])


# ---------------------------------------------------------------- one function a type of event


def _campaign(x: e.Campaign, _: int) -> list[Upsert]:
    own = {"mode": x.mode, "definition": x, "actor": x.actor, "created_at": x.ingested_at}
    return [Upsert(table=m.campaigns, key={"name": x.name, "version": x.version}, own={}, first=own)]


def _output(x: e.Output, offset: int) -> list[Upsert]:
    own = {
        "campaign": x.campaign,
        "prompt_digest": x.prompt_digest,
        "prompt_length": x.prompt_length,
        "responses": x.responses,
        "tags": x.tags,
        "sampled": x.sampled,
        "holdout": x.holdout,
        "gold": x.gold,
        "trace": x.trace,
        "occurred_at": x.occurred_at,
        "ingested_at": x.ingested_at,
        "log_offset": offset,
    }
    return [Upsert(table=m.outputs, key={"output": x.output}, own={}, first=own)]


def _signal(x: e.Signal, _: int) -> list[Upsert]:
    own = {
        "output": x.output,
        "campaign": x.campaign,
        "kind": x.kind,
        "position": x.position,
        "value": x.value,
        "occurred_at": x.occurred_at,
    }
    return [Upsert(table=m.signals, key={"signal": x.signal}, own={}, first=own)]


def _task(x: e.Task, offset: int) -> list[Upsert]:
    own = {
        "campaign": x.campaign,
        "campaign_version": x.campaign_version,
        "prompt_digest": x.prompt_digest,
        "prompt_length": x.prompt_length,
        "a": x.a,
        "b": x.b,
        "tags": x.tags,
        "skills": x.skills,
        "priority": x.priority,
        "overlap": x.overlap,
        "target_posterior": x.target_posterior,
        "min_judgments": x.min_judgments,
        "overlap_cap": x.overlap_cap,
        "zero_tolerance": x.zero_tolerance,
        "mode": x.mode,
        "holdout": x.holdout,
        "gold": x.gold,
        "correlation": x.correlation,
        "created_at": x.ingested_at,
        "log_offset": offset,
    }
    # Until the stage says otherwise a task is open and wants its overlap.
    return [
        Upsert(table=m.tasks, key={"task": x.task}, own=own, first={"slots_wanted": x.overlap}, earliest="log_offset")
    ]


NO_TASK: Row = {"a": None, "b": None, "tags": {}, "skills": ()}
NO_JUDGMENT: Row = {"marks": {}, "flags": ()}


def _task_update(x: e.TaskUpdate, _: int) -> list[Upsert]:
    own = {
        "status": x.status,
        "slots_wanted": x.slots_wanted,
        "counted": x.judgments,
        "vetoed": x.vetoed,
        "updated_at": x.ingested_at,
    }
    return [Upsert(table=m.tasks, key={"task": x.task}, own=own, first=NO_TASK)]


def _assignment(x: e.Assignment, _: int) -> list[Upsert]:
    own = {
        "kind": x.kind,
        "slot": x.slot,
        "role": x.role,
        "swapped": x.swapped,
        "lease_until": x.lease_until,
        "reason": x.reason,
        "at": x.ingested_at,
    }
    return [Upsert(table=m.assignments, key={"task": x.task, "annotator": x.annotator}, own=own)]


def _judgment(x: e.Judgment, offset: int) -> list[Upsert]:
    own = {
        "task": x.task,
        "annotator": x.annotator,
        "campaign": x.campaign,
        "revision": x.revision,
        "choice": x.choice,
        "swapped": x.swapped,
        "strength": x.strength,
        "marks": x.marks,
        "reason_sketch": x.reason_sketch,
        "flags": x.flags,
        "role": x.role,
        "gold": x.gold,
        "length_a": x.length_a,
        "length_b": x.length_b,
        "late": x.late,
        "shown_at": x.shown_at,
        "answered_at": x.answered_at,
        "ingested_at": x.ingested_at,
        "log_offset": offset,
    }
    return [Upsert(table=m.judgments, key={"judgment": x.judgment}, own=own, earliest="log_offset")]


def _assessment(x: e.Assessment, _: int) -> list[Upsert]:
    known = x.reliability
    judged = {
        "assessed": True,
        "weight": x.weight,
        "accuracy": known.accuracy,
        "reliability": known,
        "checks": x.checks,
    }
    reliability = {
        "accuracy": known.accuracy,
        "accuracy_low": known.accuracy_low,
        "accuracy_high": known.accuracy_high,
        "side_bias": known.side_bias,
        "side_bias_low": known.side_bias_low,
        "side_bias_high": known.side_bias_high,
        "tie_rate": known.tie_rate,
        "tie_rate_low": known.tie_rate_low,
        "tie_rate_high": known.tie_rate_high,
        # What was known before it; a first revision is one more, a later one was counted then.
        "judgments": known.judgments + (x.revision == 1),
        "evidence": known.evidence,
        "last_judgment_at": x.answered_at,
    }
    return [
        Upsert(table=m.judgments, key={"judgment": x.judgment}, own=judged, first=NO_JUDGMENT),
        # Assessments of one annotator stand under many tasks' keys: the count tells which is the newest.
        Upsert(table=m.standings, key={"annotator": x.annotator}, own=reliability, newer="judgments"),
    ]


def _agreement(x: e.Agreement, _: int) -> list[Upsert]:
    own = {"agreement": None if x.withdrawn else x.probability}
    return [Upsert(table=m.judgments, key={"judgment": x.judgment}, own=own, first=NO_JUDGMENT)]


def _alert(x: e.Alert, offset: int) -> list[Upsert]:
    own = {
        "annotator": x.annotator,
        "campaign": x.campaign,
        "hypothesis": x.hypothesis,
        "evidence": x.evidence,
        "since": x.since,
        "false_alarm_rate": x.false_alarm_rate,
        "judgment": x.judgment,
        "enforced": x.enforced,
        "at": x.ingested_at,
        "log_offset": offset,
    }
    return [Upsert(table=m.alerts, key={"alert": x.alert}, own={}, first=own)]


def _standing(x: e.Standing, _: int) -> list[Upsert]:
    said = {"standing": x.standing, "since": x.since, "by": x.by, "reason": x.reason}
    now = {**said, "standing_weight": x.weight, "event": x.id}
    history = {**said, "annotator": x.annotator, "alert": x.alert, "enforced": x.enforced, "at": x.ingested_at}
    upserts = [Upsert(table=m.standing_history, key={"event": x.id}, own={}, first=history)]
    if x.enforced:
        upserts.append(Upsert(table=m.standings, key={"annotator": x.annotator}, own=now))
    return upserts


def _appeal(x: e.Appeal, offset: int) -> list[Upsert]:
    own = {"annotator": x.annotator, "standing": x.standing, "length": x.length}
    own |= {"at": x.ingested_at, "log_offset": offset}
    return [Upsert(table=m.appeals, key={"appeal": x.appeal}, own={}, first=own)]


def _retraction(x: e.Retraction, _: int) -> list[Upsert]:
    own: Row = {"withdrawn": x.withdrawn, "withdrawn_at": x.ingested_at if x.withdrawn else 0}
    return [Upsert(table=m.judgments, key={"judgment": x.judgment}, own=own, first=NO_JUDGMENT)]


def _preference(x: e.Preference, offset: int) -> list[Upsert]:
    own = {
        "campaign": x.campaign,
        "revision": x.revision,
        "verdict": x.verdict,
        "p_a": x.p_a,
        "p_b": x.p_b,
        "p_tie": x.p_tie,
        "reached": x.reached,
        "judgments": x.judgments,
        "prompt_digest": x.prompt_digest,
        "tags": x.tags,
        "holdout": x.holdout,
        "gold": x.gold,
        "at": x.ingested_at,
        "log_offset": offset,
    }
    return [Upsert(table=m.preferences, key={"task": x.task}, own=own, newer="revision")]


def _score(x: e.Score, _: int) -> list[Upsert]:
    own = {"probability": x.probability, "at": x.ingested_at}
    return [Upsert(table=m.scores, key={"task": x.task, "model": x.model}, own={}, first=own)]


def _batch(x: e.Batch, _: int) -> list[Upsert]:
    own = {
        "campaign": x.campaign,
        "size": len(x.members),
        "holdout_size": len(x.holdout),
        "definition": x,
        "reason": x.reason,
        "at": x.ingested_at,
    }
    members = [
        Upsert(
            table=m.batch_members,
            key={"batch": x.batch, "task": task},
            own={},
            first={"revision": revision, "holdout": holdout},
        )
        for holdout, group in ((False, x.members), (True, x.holdout))
        for task, revision in group
    ]
    return [Upsert(table=m.batches, key={"batch": x.batch}, own={}, first=own), *members]


def _run_update(x: e.RunUpdate, _: int) -> list[Upsert]:
    now: Row = {
        "status": x.status,
        "trainer": x.trainer,
        "parent": x.parent,
        "error": x.error,
        "updated_at": x.ingested_at,
    }
    asked: Row = {
        "campaign": x.campaign,
        "batch": x.batch,
        "base_model": x.base_model,
        "config": x.config,
        "requested_at": x.ingested_at,
        "metrics": {},
    }
    if x.status == "requested":  # a run's first event: a second copy of it must not take the run back
        return [Upsert(table=m.runs, key={"run": x.run}, own={}, first={**asked, **now})]
    if x.status != "progress":
        return [Upsert(table=m.runs, key={"run": x.run}, own=now, first=asked)]
    here: Row = {"stage": x.stage, "step": x.step, "steps": x.steps, "metrics": x.metrics}
    first = {name: value for name, value in asked.items() if name != "metrics"}
    point = {"metrics": x.metrics, "at": x.ingested_at}
    return [
        Upsert(table=m.runs, key={"run": x.run}, own={**now, **here}, first=first),
        Upsert(table=m.run_metrics, key={"run": x.run, "stage": x.stage, "step": x.step}, own=point),
    ]


def _checkpoint(x: e.Checkpoint, _: int) -> list[Upsert]:
    own = {
        "campaign": x.campaign,
        "run": x.run,
        "batch": x.batch,
        "parent": x.parent,
        "uri": x.uri,
        "report": x.report,
        "manifest": x.manifest,
        "at": x.ingested_at,
    }
    return [Upsert(table=m.models, key={"model": x.model}, own=own, first={"status": "candidate"})]


NO_MODEL: Row = {"report": {}, "manifest": {}}
STATUS = {"promoted": "champion", "rolled_back": "champion", "rejected": "rejected"}


def _promotion(x: e.Promotion, _: int) -> list[Upsert]:
    own = {
        "campaign": x.campaign,
        "model": x.model,
        "decision": x.decision,
        "previous": x.previous,
        "reasons": x.reasons,
        "override": x.override,
        "by": x.by,
        "at": x.ingested_at,
    }
    statuses = {x.model: STATUS[x.decision]}
    if x.decision != "rejected" and x.previous:
        statuses[x.previous] = "retired"
    told = {model: {"status": status} for model, status in statuses.items() if model}
    models = [Upsert(table=m.models, key={"model": one}, own=now, first=NO_MODEL) for one, now in told.items()]
    return [Upsert(table=m.promotions, key={"event": x.id}, own={}, first=own), *models]


def _dead_letter(x: e.DeadLetter, offset: int) -> list[Upsert]:
    own = {
        "topic": x.topic,
        "source_offset": x.offset,
        "key": x.key,
        "stage": x.stage,
        "reason": x.reason,
        "payload": x.payload.decode("utf-8", "backslashreplace"),
        "at": x.ingested_at,
    }
    return [Upsert(table=m.dead_letters, key={"log_offset": offset}, own=own)]


FOLDS: dict[type[e.Event], Callable[[Any, int], list[Upsert]]] = {
    e.Campaign: _campaign,
    e.Output: _output,
    e.Signal: _signal,
    e.Task: _task,
    e.TaskUpdate: _task_update,
    e.Assignment: _assignment,
    e.Judgment: _judgment,
    e.Assessment: _assessment,
    e.Agreement: _agreement,
    e.Alert: _alert,
    e.Standing: _standing,
    e.Appeal: _appeal,
    e.Retraction: _retraction,
    e.Preference: _preference,
    e.Score: _score,
    e.Batch: _batch,
    e.RunUpdate: _run_update,
    e.Checkpoint: _checkpoint,
    e.Promotion: _promotion,
    e.DeadLetter: _dead_letter,
}

"""What may be done with one task: decisions over an entry and its holds, the same in every adapter of the queue.

Each changes the entry it is given and nothing else; who calls it holds the entry alone, keeps the indexes current and
does the I/O.
"""

from __future__ import annotations

from typing import Any

import msgspec

from services.queue.entries import ADJUDICATION_SLOT, LEASED, OPEN, Entry, Hold, sides_swapped
from services.queue.port import Claim, Grant
from streams import events as e
from streams.admission import judgment_id
from streams.engines.port import Admission
from streams.errors import ConflictError, ForbiddenError, GoneError, InputError, NotFoundError, UnavailableError

MOST_LEASES = 3  # open at once, an annotator
WRITTEN_WITHIN_MS = 300_000  # a claim or skip is settled by then, or never
NEXT_TASK = "ask for your next task: POST /v1/tasks/next"

# ---------------------------------------------------------------- who may


def check_may_work(*, ready: bool, standing: str, reason: str) -> None:
    """Raises UnavailableError before the queue is ready, ForbiddenError for the suspended."""
    if not ready:
        raise UnavailableError("the queue is being rebuilt from the log: try again in a moment", retry_after=1)
    if standing == "suspended":
        because = f"; the reason given: {reason}" if reason else ""
        raise ForbiddenError(
            f"you are suspended from judging for now{because}", mend="talk to your lead, who can reinstate you"
        )


def hold_of(entry: Entry | None, task: str, annotator: str) -> tuple[Entry, Hold]:
    """The entry and the annotator's hold on it. Raises NotFoundError, ForbiddenError."""
    if entry is None:
        raise NotFoundError(f"there is no task {task!r}", field="task", mend="send the id of a task you were given")
    hold = entry.holds.get(annotator)
    if hold is None:
        raise ForbiddenError("this task was not given to you", field="task", mend=NEXT_TASK)
    return entry, hold


# ---------------------------------------------------------------- granting


def begin(entry: Entry, annotator: str, role: e.Role, lease_until: int) -> Hold:
    """A new hold on the lowest free slot; to be settled when it is written, or could not be."""
    hold = Hold(
        annotator=annotator,
        slot=ADJUDICATION_SLOT if role == "adjudicator" else entry.free_slot(),
        role=role,
        swapped=sides_swapped(entry.facts.task, annotator),
        lease_until=lease_until,
        state="granting",
    )
    entry.holds[annotator] = hold
    return hold


def settle_grant(entry: Entry, annotator: str, *, durable: bool) -> bool:
    """How the grant went; whether that changed anything. What was never shown is taken back: they may have it later.

    A grant that nobody settles is settled by the log, if it is there, or ends with its lease.
    """
    hold = entry.holds.get(annotator)
    if hold is None or hold.state != "granting":
        return False
    if durable:
        hold.state = "granted"
    else:
        del entry.holds[annotator]
    return True


def held(entry: Entry, hold: Hold, now: int) -> Grant:
    """The lease as it is. Raises GoneError when it is over."""
    if hold.lease_until < now or hold.state in ("skipped", "expired"):
        raise GoneError("your time for this task is over", field="task", mend=NEXT_TASK)
    return entry.grant(hold)


# ---------------------------------------------------------------- judging and skipping


def claim(entry: Entry, hold: Hold, revision: int, now: int) -> Claim:
    """The right to hand in that revision; reserves its slot unless it was handed in before."""
    repeated = revision <= hold.revision or (hold.state == "judging" and revision == hold.revision + 1)
    before = hold.state
    if not repeated:
        _check_revision(revision, hold, now)
        _reserve(entry, hold, now)
    return Claim(grant=entry.grant(hold), revision=revision, late=hold.late, repeated=repeated, before=before)


def _check_revision(revision: int, hold: Hold, now: int) -> None:
    if revision != hold.revision + 1:
        raise InputError(
            f"revision {revision} does not follow revision {hold.revision}",
            field="revision",
            mend=f"send revision {hold.revision + 1}",
        )
    if hold.revision and now > hold.lease_until:
        raise GoneError(
            "the time to change this judgment is over; the one you sent stands",
            field="revision",
            mend="go on with your next task",
        )


def _reserve(entry: Entry, hold: Hold, now: int) -> None:
    """A lease keeps its slot; what comes after it takes a free one, or none and is late."""
    in_time = hold.state in OPEN and now <= hold.lease_until
    if hold.revision == 0 and not in_time:
        hold.late = not entry.is_free_for(hold)
        if not hold.late and hold.role == "annotator":
            hold.slot = entry.free_slot()
    hold.state, hold.asked_at = "judging", now


def settle_claim(hold: Hold, claim: Claim, admission: Admission | None) -> bool:
    """What admission said of it; whether that changed anything."""
    if admission in ("new", "same"):
        hold.revision = max(hold.revision, claim.revision)
        hold.state = "judged"
        return True
    if claim.repeated or hold.state != "judging":
        return False
    hold.late = hold.late and hold.revision > 0
    hold.state = claim.before  # type: ignore[assignment]
    return True


def skip(entry: Entry, hold: Hold, reason: str, now: int) -> e.Assignment | None:
    """Begins to give the task back; None where there is nothing to give. Raises ConflictError for what is judged."""
    if hold.state in ("judged", "judging"):
        raise ConflictError("you have judged this task", field="task", mend="send the next revision to change it")
    if hold.state not in OPEN:
        return None
    hold.state, hold.asked_at = "skipping", now
    return assignment(entry, hold, "skipped", now, f"annotator:{hold.annotator}", reason)


def settle_skip(hold: Hold, *, durable: bool) -> bool:
    """How the skip went; whether that changed anything."""
    if hold.state != "skipping":
        return False
    hold.state = "skipped" if durable else "granted"
    return True


def expire(entry: Entry, hold: Hold, now: int) -> e.Assignment | None:
    """Ends the lease if it is over by now; None where there is nothing to tell.

    A claim or skip that nobody settles is ended as well: its process was killed, and the log has nothing of it.
    """
    if hold.state in OPEN and hold.lease_until < now:
        hold.state = "expired"
    elif hold.state in ("judging", "skipping") and hold.asked_at + WRITTEN_WITHIN_MS < now:
        hold.state = "judged" if hold.revision else "expired"
        hold.late = hold.late and hold.revision > 0
    else:
        return None
    return assignment(entry, hold, "expired", now, "queue", "") if hold.state == "expired" else None


# ---------------------------------------------------------------- what the log says


def apply(entry: Entry, event: e.Event) -> bool:
    """Takes over a committed event of that task; whether it changed anything."""
    if isinstance(event, e.TaskUpdate):
        return _apply_task_update(entry, event)
    if isinstance(event, e.Assignment):
        return _apply_assignment(entry, event)
    if isinstance(event, e.Judgment):
        return _apply_judgment(entry, event)
    return isinstance(event, e.Retraction) and _apply_retraction(entry, event)


def _apply_task_update(entry: Entry, event: e.TaskUpdate) -> bool:
    before = entry.status, entry.wanted
    entry.wanted, entry.status = event.slots_wanted, event.status
    return before != (entry.status, entry.wanted)


def _apply_assignment(entry: Entry, event: e.Assignment) -> bool:
    hold = entry.holds.get(event.annotator)
    if hold is None and event.kind == "granted":
        entry.holds[event.annotator] = _granted(entry, event)
        return True
    if hold is not None and event.kind == "granted":
        return settle_grant(entry, event.annotator, durable=True)
    if hold is None or hold.state not in LEASED or hold.state == "judging":
        return False
    hold.state = event.kind
    return True


def _granted(entry: Entry, event: e.Assignment) -> Hold:
    """A grant of a queue that was lost meanwhile; where its slot was given anew since, it is over."""
    hold = Hold(
        annotator=event.annotator,
        slot=event.slot,
        role=event.role,
        swapped=event.swapped,
        lease_until=event.lease_until,
    )
    hold.state = "granted" if entry.is_free_for(hold) else "expired"
    return hold


def _apply_judgment(entry: Entry, event: e.Judgment) -> bool:
    hold = entry.holds.get(event.annotator)
    if hold is None or event.revision <= hold.revision:
        return False
    hold.revision, hold.late, hold.withdrawn, hold.state = event.revision, event.late, False, "judged"
    return True


def _apply_retraction(entry: Entry, event: e.Retraction) -> bool:
    hold = entry.holds.get(event.annotator)
    if hold is None or event.judgment != judgment_id(event.task, event.annotator, hold.revision):
        return False  # a former revision is no matter
    changed = hold.withdrawn != event.withdrawn
    hold.withdrawn = event.withdrawn
    return changed


# ---------------------------------------------------------------- what the log is told


def assignment_of(grant: Grant, now: int) -> e.Assignment:
    """The event that makes a grant durable."""
    facts = grant.facts
    return e.Assignment(
        id=e.digest("assignment", facts.task, grant.annotator, "granted"),
        campaign=facts.campaign,
        campaign_version=facts.campaign_version,
        occurred_at=now,
        ingested_at=now,
        actor=f"annotator:{grant.annotator}",
        correlation=facts.correlation,
        task=facts.task,
        annotator=grant.annotator,
        kind="granted",
        slot=grant.slot,
        role=grant.role,
        swapped=grant.swapped,
        lease_until=grant.lease_until,
    )


def assignment(entry: Entry, hold: Hold, kind: Any, now: int, actor: str, reason: str) -> e.Assignment:
    """The event that ends a lease: skipped or expired."""
    granted = assignment_of(entry.grant(hold), now)
    identity = e.digest("assignment", granted.task, granted.annotator, kind)
    return msgspec.structs.replace(granted, id=identity, kind=kind, actor=actor, reason=reason)

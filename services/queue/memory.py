"""The assignment queue of one process: in memory, kept current by the committed records, rebuilt from the views."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from services.queue.books import QueueBooks
from services.queue.entries import Entry, Hold, sides_swapped
from services.queue.lanes import Bucket
from services.queue.port import Claim, Grant, QueueCounts, Worker
from streams import events as e
from streams.engines.port import Admission
from streams.errors import ConflictError, GoneError, InputError

MOST_LEASES = 3  # open at once, an annotator


def wanted(lease: Grant, campaign: str | None, exclude: Collection[str]) -> bool:
    """Whether an open lease is an answer to a request for a task."""
    return lease.facts.task not in exclude and campaign in (None, lease.facts.campaign)


class MemoryQueue(QueueBooks):
    """See port.AssignmentQueue. Every public method is safe from any thread."""

    # ------------------------------------------------------------ asking for a task

    def next(self, worker: Worker, now: int, campaign: str | None, exclude: Collection[str]) -> Grant | None:
        """See the port. Tasks already begun first (so that they close), then by priority, then by age."""
        with self._lock:
            self._check_may_work(worker.annotator)
            leases = self.open_leases(worker.annotator, now)
            found = self._find(worker, campaign, exclude) if len(leases) < MOST_LEASES else None
            if found is None:  # what they hold already, in another browser perhaps, comes again
                return next((lease for lease in leases if wanted(lease, campaign, exclude)), None)
            entry, role = found
            hold = Hold(
                annotator=worker.annotator,
                slot=-1 if role == "adjudicator" else entry.free_slot(),
                role=role,
                swapped=sides_swapped(entry.facts.task, worker.annotator),
                lease_until=now + 1000 * self._campaign(entry.facts.campaign).lease_seconds,
            )
            self._begin(entry, hold)
            return entry.grant(hold)

    def settle_grant(self, grant: Grant, *, durable: bool) -> None:
        """See the port."""
        if durable or grant.renewed:
            return
        with self._lock:
            entry = self._entries.get(grant.facts.task)
            hold = entry.holds.get(grant.annotator) if entry else None
            if entry is not None and hold is not None and hold.state == "granted":
                self._end(entry, hold, "expired")
                del entry.holds[grant.annotator]  # it was never shown: they may have it later
                self._withdraw(entry)
                self._place(entry)

    def _find(self, worker: Worker, campaign: str | None, exclude: Collection[str]) -> tuple[Entry, e.Role] | None:
        buckets = [
            bucket
            for (name, skills), bucket in self._buckets.items()
            if campaign in (None, name) and skills <= worker.skills
        ]
        if worker.adjudicates:
            for bucket in buckets:
                if (entry := bucket.escalated.first(worker.annotator, exclude)) is not None:
                    return entry, "adjudicator"
        buckets = [bucket for bucket in buckets if not self._is_spent(bucket.campaign)]
        entry = _most_urgent([bucket.begun(worker.annotator, exclude) for bucket in buckets])
        if entry is None:
            entry = _most_urgent([bucket.fresh.first(worker.annotator, exclude) for bucket in buckets])
        if entry is None:
            return None
        return self._gold_instead(worker, buckets, entry.facts.campaign, exclude) or entry, "annotator"

    def _gold_instead(
        self, worker: Worker, buckets: Sequence[Bucket], campaign: str, exclude: Collection[str]
    ) -> Entry | None:
        """Hidden gold in place of a task, at the campaign's rate, as a hash decides that nobody can foresee."""
        drawn = int(e.digest("gold", worker.annotator, str(self._given[worker.annotator]))[:8], 16) / 2**32
        if drawn >= self._campaign(campaign).gold_rate:
            return None
        lanes = [bucket.gold for bucket in buckets if bucket.campaign == campaign]
        return next((found for lane in lanes if (found := lane.first(worker.annotator, exclude))), None)

    def _is_spent(self, campaign: str) -> bool:
        budget = self._campaign(campaign).targets.budget
        if budget is None:
            return False
        leased = sum(
            1
            for holds in self._leases.values()
            for task in holds
            if (entry := self._entries.get(task)) and entry.facts.campaign == campaign
        )
        return self._bought[campaign] + leased >= budget

    # ------------------------------------------------------------ judging, skipping, leases

    def held(self, task: str, annotator: str, now: int) -> Grant:
        """See the port."""
        with self._lock:
            entry, hold = self._hold(task, annotator)
            if hold.lease_until < now or hold.state in ("skipped", "expired"):
                raise GoneError(
                    "your time for this task is over", field="task", mend="ask for your next task: POST /v1/tasks/next"
                )
            return entry.grant(hold)

    def open_leases(self, annotator: str, now: int) -> list[Grant]:
        """See the port."""
        with self._lock:
            holds = self._leases.get(annotator, {}).items()
            return [
                self._entries[task].grant(hold, renewed=True)
                for task, hold in holds
                if hold.state == "granted" and hold.lease_until >= now and task in self._entries
            ]

    def claim(self, task: str, annotator: str, revision: int, now: int) -> Claim:
        """See the port."""
        with self._lock:
            self._check_may_work(annotator)
            entry, hold = self._hold(task, annotator)
            repeated = revision <= hold.revision or (hold.state == "judging" and revision == hold.revision + 1)
            if not repeated:
                _check_revision(revision, hold, now)
            before = hold.state
            if not repeated:
                self._reserve(entry, hold, now)
            return Claim(grant=entry.grant(hold), revision=revision, late=hold.late, repeated=repeated, before=before)

    def settle_claim(self, claim: Claim, admission: Admission | None) -> None:
        """See the port."""
        with self._lock:
            entry, hold = self._hold(claim.grant.facts.task, claim.grant.annotator)
            if admission in ("new", "same"):
                hold.revision = max(hold.revision, claim.revision)
                self._end(entry, hold, "judged")
            elif not claim.repeated and hold.state == "judging":
                hold.late = hold.late and hold.revision > 0
                hold.state = claim.before  # type: ignore[assignment]
                self._place(entry)

    def _reserve(self, entry: Entry, hold: Hold, now: int) -> None:
        """A lease keeps its slot; what comes after it takes a free one, or none and is late."""
        in_time = hold.state == "granted" and now <= hold.lease_until
        if hold.revision == 0 and not in_time:
            hold.late = not entry.is_free_for(hold)
            if not hold.late and hold.role == "annotator":
                hold.slot = entry.free_slot()
        hold.state = "judging"
        self._place(entry)

    def skip(self, task: str, annotator: str, reason: str, now: int) -> e.Assignment | None:
        """See the port."""
        with self._lock:
            entry, hold = self._hold(task, annotator)
            if hold.state in ("judged", "judging"):
                raise ConflictError(
                    "you have judged this task", field="task", mend="send the next revision to change it"
                )
            if hold.state != "granted":
                return None
            hold.state = "skipping"
            return _assignment(entry, hold, "skipped", now, f"annotator:{annotator}", reason)

    def settle_skip(self, skipped: e.Assignment, *, durable: bool) -> None:
        """See the port."""
        with self._lock:
            entry, hold = self._hold(skipped.task, skipped.annotator)
            if hold.state != "skipping":
                return
            if durable:
                self._end(entry, hold, "skipped")
            else:
                hold.state = "granted"

    def expire(self, now: int) -> list[e.Assignment]:
        """See the port; also takes back tasks that were reopened after they had left this memory."""
        with self._lock:
            self._load_reopened()
            ended = []
            while self._expiries and self._expiries[0][0] < now:
                _, task, annotator = heapq.heappop(self._expiries)
                hold = self._leases.get(annotator, {}).get(task)
                entry = self._entries.get(task) or self._closed.get(task)
                if entry is None:
                    self._leases.get(annotator, {}).pop(task, None)  # done and forgotten: nobody waits for the slot
                elif hold is not None and hold.state == "granted" and hold.lease_until < now:
                    self._end(entry, hold, "expired")
                    ended.append(_assignment(entry, hold, "expired", now, "queue", ""))
            return ended

    # ------------------------------------------------------------ what else is asked

    def counts(self) -> QueueCounts:
        """See the port."""
        with self._lock:
            by_campaign = {name: n for (name, status), n in self._statuses.items() if status == "open" and n}
            return QueueCounts(
                open=sum(by_campaign.values()),
                leased=sum(len(holds) for holds in self._leases.values()),
                escalated=sum(n for (_, status), n in self._statuses.items() if status == "escalated"),
                by_campaign=by_campaign,
            )


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


def _most_urgent(entries: Sequence[Entry | None]) -> Entry | None:
    found = [entry for entry in entries if entry is not None]
    return min(found, key=lambda entry: (-entry.priority, entry.order), default=None)


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


def _assignment(entry: Entry, hold: Hold, kind: Any, now: int, actor: str, reason: str) -> e.Assignment:
    granted = assignment_of(entry.grant(hold), now)
    identity = e.digest("assignment", granted.task, granted.annotator, kind)
    return msgspec.structs.replace(granted, id=identity, kind=kind, actor=actor, reason=reason)

"""The assignment queue of one process: in memory, kept current by the committed records, rebuilt from the views."""

from __future__ import annotations

import heapq
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, Protocol

import msgspec

from services.queue.entries import LEASED, Entry, Hold, entry_of, sides_swapped
from services.queue.lanes import Bucket
from services.queue.port import Claim, Grant, QueueCounts, Worker
from streams import events as e
from streams.admission import judgment_id
from streams.engines.port import Admission, Record
from streams.errors import ConflictError, ForbiddenError, GoneError, InputError, NotFoundError, UnavailableError

MOST_LEASES = 3  # open at once, an annotator
CLOSED_KEPT = 10_000  # tasks that are done and still known here; older ones are read from the views


class Archive(Protocol):
    """The views, for tasks that the queue no longer holds."""

    def load(self, task: str) -> Entry | None:
        """The task as the views know it."""
        ...

    def is_current(self) -> bool:
        """Whether the views have reached the end of the log."""
        ...


class MemoryQueue:
    """See port.AssignmentQueue. Every public method is safe from any thread."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._lock = threading.RLock()
        self._entries: dict[str, Entry] = {}
        self._closed: OrderedDict[str, Entry] = OrderedDict()
        self._buckets: dict[tuple[str, frozenset[str]], Bucket] = {}
        self._campaigns: dict[str, e.Campaign] = {}
        self._standings: dict[str, str] = {}
        self._leases: dict[str, dict[str, Hold]] = {}  # annotator -> task -> hold
        self._expiries: list[tuple[int, str, str]] = []
        self._given: Counter[str] = Counter()  # grants, by annotator
        self._bought: Counter[str] = Counter()  # judgments that count, by campaign
        self._statuses: Counter[tuple[str, str]] = Counter()  # (campaign, status), gold apart
        self._reopened: dict[str, e.TaskUpdate] = {}  # of tasks no longer held, to be read from the archive
        self._waiting: list[Record] | None = []  # records that came before `restore`
        self._apply: dict[type[e.Event], Callable[[Any, int], None]] = {
            e.Campaign: self._on_campaign,
            e.Task: self._on_task,
            e.TaskUpdate: self._on_task_update,
            e.Standing: self._on_standing,
            e.Assignment: self._on_assignment,
            e.Judgment: self._on_judgment,
            e.Retraction: self._on_retraction,
        }

    # ------------------------------------------------------------ what the log says

    @property
    def ready(self) -> bool:
        """Whether `restore` was called."""
        return self._waiting is None

    def apply(self, records: Sequence[Record]) -> None:
        """See the port. Before `restore` they wait."""
        with self._lock:
            if self._waiting is not None:
                self._waiting.extend(record for record in records if type(record.event) in self._apply)
                return
            self._apply_all(records)

    def restore(
        self,
        entries: Iterator[Entry],
        campaigns: Collection[e.Campaign],
        standings: dict[str, str],
        given: dict[str, int],
        bought: dict[str, int],
    ) -> None:
        """Takes over what the views say, then what was committed since; from then on it grants."""
        with self._lock:
            self._campaigns = {campaign.name: campaign for campaign in campaigns}
            self._standings, self._given, self._bought = dict(standings), Counter(given), Counter(bought)
            for entry in entries:
                self._hold_entry(entry)
            waiting, self._waiting = self._waiting or [], None
            self._apply_all(waiting)

    def _apply_all(self, records: Sequence[Record]) -> None:
        for record in records:
            apply = self._apply.get(type(record.event))
            if apply is not None:
                apply(record.event, record.offset)

    def _on_campaign(self, event: e.Campaign, _: int) -> None:
        known = self._campaigns.get(event.name)
        if known is None or event.version >= known.version:
            self._campaigns[event.name] = event

    def _on_task(self, event: e.Task, offset: int) -> None:
        if event.mode == "live" and event.task not in self._entries and event.task not in self._closed:
            self._hold_entry(entry_of(event, offset))

    def _on_task_update(self, event: e.TaskUpdate, _: int) -> None:
        entry = self._entries.get(event.task) or self._closed.get(event.task)
        if entry is None:
            if event.status == "closed":
                self._reopened.pop(event.task, None)
            else:
                self._reopened[event.task] = event
            return
        self._set_status(entry, event.status)
        entry.wanted = event.slots_wanted
        self._place(entry)

    def _on_standing(self, event: e.Standing, _: int) -> None:
        if event.enforced:
            self._standings[event.annotator] = event.standing

    def _on_assignment(self, event: e.Assignment, _: int) -> None:
        entry = self._entries.get(event.task) or self._closed.get(event.task)
        if entry is None:
            return
        hold = entry.holds.get(event.annotator)
        if hold is None and event.kind == "granted":
            self._begin(entry, _hold_of(event))
        elif hold is not None and event.kind != "granted" and hold.state in LEASED and hold.state != "judging":
            self._end(entry, hold, event.kind)

    def _on_judgment(self, event: e.Judgment, _: int) -> None:
        if event.revision == 1 and not event.late and event.mode == "live":
            self._bought[event.campaign] += 1
        entry = self._entries.get(event.task) or self._closed.get(event.task)
        hold = entry.holds.get(event.annotator) if entry else None
        if entry is None or hold is None or event.revision <= hold.revision:
            return
        hold.revision, hold.late, hold.withdrawn = event.revision, event.late, False
        self._end(entry, hold, "judged")

    def _on_retraction(self, event: e.Retraction, _: int) -> None:
        entry = self._entries.get(event.task) or self._closed.get(event.task)
        hold = entry.holds.get(event.annotator) if entry else None
        if entry is None or hold is None:
            return
        if event.judgment == judgment_id(event.task, event.annotator, hold.revision):  # a former revision is no matter
            hold.withdrawn = event.withdrawn
            self._place(entry)

    # ------------------------------------------------------------ asking for a task

    def next(self, worker: Worker, now: int, campaign: str | None, exclude: Collection[str]) -> Grant | None:
        """See the port. Tasks already begun first (so that they close), then by priority, then by age."""
        with self._lock:
            self._check_may_work(worker.annotator)
            leases = self.open_leases(worker.annotator, now)
            if len(leases) >= MOST_LEASES:
                return next((lease for lease in leases if lease.facts.task not in exclude), None)
            found = self._find(worker, campaign, exclude)
            if found is None:
                return None
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

    def standing(self, annotator: str) -> str:
        """See the port."""
        return self._standings.get(annotator, "active")

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

    # ------------------------------------------------------------ keeping the books

    def _campaign(self, name: str) -> e.Campaign:
        return self._campaigns.get(name) or e.Campaign(name=name, version=1)

    def _check_may_work(self, annotator: str) -> None:
        if not self.ready:
            raise UnavailableError("the queue is being rebuilt from the log: try again in a moment", retry_after=1)
        if self.standing(annotator) == "suspended":
            raise ForbiddenError(
                "you are suspended from judging for now", field="", mend="talk to your lead, who can reinstate you"
            )

    def _hold(self, task: str, annotator: str) -> tuple[Entry, Hold]:
        entry = self._entries.get(task) or self._closed.get(task) or self._from_archive(task)
        if entry is None:
            raise NotFoundError(f"there is no task {task!r}", field="task", mend="send the id of a task you were given")
        hold = entry.holds.get(annotator)
        if hold is None:
            raise ForbiddenError(
                "this task was not given to you", field="task", mend="ask for your next task: POST /v1/tasks/next"
            )
        return entry, hold

    def _from_archive(self, task: str) -> Entry | None:
        entry = self._archive.load(task)
        if entry is not None:
            self._hold_entry(entry)
        return entry

    def _load_reopened(self) -> None:
        if not self._reopened or not self._archive.is_current():
            return
        updates, self._reopened = self._reopened, {}
        for task, update in updates.items():
            if task not in self._entries and self._from_archive(task) is not None:
                self._on_task_update(update, 0)

    def _hold_entry(self, entry: Entry) -> None:
        task, campaign = entry.facts.task, entry.facts.campaign
        is_done = entry.status == "closed" and not entry.is_gold
        (self._closed if is_done else self._entries)[task] = entry
        if not entry.is_gold:
            self._statuses[campaign, entry.status] += 1
        for hold in entry.holds.values():
            if hold.state == "granted":
                self._track(task, hold)
        self._place(entry)

    def _set_status(self, entry: Entry, status: e.TaskStatus) -> None:
        if entry.is_gold or entry.status == status:
            return
        task, campaign = entry.facts.task, entry.facts.campaign
        self._statuses[campaign, entry.status] -= 1
        self._statuses[campaign, status] += 1
        if status == "closed":
            self._closed[task] = self._entries.pop(task)
        elif entry.status == "closed":
            self._entries[task] = self._closed.pop(task)
        entry.status = status

    def _begin(self, entry: Entry, hold: Hold) -> None:
        entry.holds[hold.annotator] = hold
        self._given[hold.annotator] += 1
        self._track(entry.facts.task, hold)
        self._place(entry)

    def _track(self, task: str, hold: Hold) -> None:
        self._leases.setdefault(hold.annotator, {})[task] = hold
        heapq.heappush(self._expiries, (hold.lease_until, task, hold.annotator))

    def _end(self, entry: Entry, hold: Hold, state: Any) -> None:
        hold.state = state
        leases = self._leases.get(hold.annotator, {})
        leases.pop(entry.facts.task, None)
        if not leases:
            self._leases.pop(hold.annotator, None)
        self._place(entry)

    def _place(self, entry: Entry) -> None:
        """Offers the entry where it belongs now."""
        if entry.status == "closed" and not entry.is_gold:
            self._withdraw(entry)
            self._forget_oldest()
            return
        key = (entry.facts.campaign, entry.skills)
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = Bucket(entry.facts.campaign)
        lane = bucket.lane_of(entry)
        if lane is not entry.lane:
            self._withdraw(entry)
            if lane is not None:
                lane.add(entry)

    def _withdraw(self, entry: Entry) -> None:
        if entry.lane is not None:
            entry.lane.remove(entry)

    def _forget_oldest(self) -> None:
        while len(self._closed) > CLOSED_KEPT:
            _, entry = self._closed.popitem(last=False)
            self._statuses[entry.facts.campaign, "closed"] -= 1


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


def _hold_of(event: e.Assignment) -> Hold:
    return Hold(
        annotator=event.annotator,
        slot=event.slot,
        role=event.role,
        swapped=event.swapped,
        lease_until=event.lease_until,
    )


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

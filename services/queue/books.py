"""What the queue knows: tasks with their holds, leases and offers, kept current by the committed records."""

from __future__ import annotations

import heapq
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, Protocol

from services.queue import decisions
from services.queue.entries import LEASED, Entry, Hold, entry_of
from services.queue.lanes import Bucket
from streams import events as e
from streams.engines.port import Record
from streams.quality.routing import Crowd

CLOSED_KEPT = 10_000  # tasks that are done and still known here; older ones are read from the views


class Archive(Protocol):
    """The views, for tasks that the queue no longer holds."""

    def load(self, task: str) -> Entry | None:
        """The task as the views know it."""
        ...

    def is_current(self) -> bool:
        """Whether the views have reached the end of the log."""
        ...


class QueueBooks:
    """The state of a MemoryQueue. Every public method is safe from any thread."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._lock = threading.RLock()
        self._entries: dict[str, Entry] = {}
        self._closed: OrderedDict[str, Entry] = OrderedDict()
        self._buckets: dict[tuple[str, frozenset[str]], Bucket] = {}
        self._campaigns: dict[str, e.Campaign] = {}
        self._standings: dict[str, tuple[str, str]] = {}  # standing and its reason, by annotator
        self._leases: dict[str, dict[str, Hold]] = {}  # annotator -> task -> hold
        self._expiries: list[tuple[int, str, str]] = []
        self._given: Counter[str] = Counter()  # grants, by annotator
        self._bought: Counter[str] = Counter()  # judgments that count, by campaign
        self._statuses: Counter[tuple[str, str]] = Counter()  # (campaign, status), gold apart
        self._reopened: dict[str, e.TaskUpdate] = {}  # of tasks no longer held, to be read from the archive
        self._crowd = Crowd()  # learned anew after a start: each judgment tells of its annotator
        self._waiting: list[Record] | None = []  # records that came before `restore`
        self._apply: dict[type[e.Event], Callable[[Any, int], None]] = {
            e.Campaign: self._on_campaign,
            e.Task: self._on_task,
            e.TaskUpdate: self._on_task_update,
            e.Standing: self._on_standing,
            e.Assignment: self._on_hold,
            e.Judgment: self._on_judgment,
            e.Assessment: self._on_assessment,
            e.Retraction: self._on_hold,
        }

    # ------------------------------------------------------------ what the log says

    @property
    def ready(self) -> bool:
        """Whether `restore` was called."""
        return self._waiting is None

    def standing(self, annotator: str) -> str:
        """active, weighted or suspended."""
        return self._standings.get(annotator, ("active", ""))[0]

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
        standings: dict[str, tuple[str, str]],
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
        entry = self._known(event.task)
        if entry is None:
            if event.status == "closed":
                self._reopened.pop(event.task, None)
            else:
                self._reopened[event.task] = event
            return
        before = entry.status
        decisions.apply(entry, event)
        self._count(entry, before)
        self._place(entry)

    def _on_assessment(self, event: e.Assessment, _: int) -> None:
        if event.role == "annotator":
            self._crowd.learn(event.annotator, event.reliability)

    def _on_standing(self, event: e.Standing, _: int) -> None:
        if event.enforced:
            self._standings[event.annotator] = event.standing, event.reason

    def _on_judgment(self, event: e.Judgment, offset: int) -> None:
        if event.revision == 1 and not event.late and event.mode == "live":
            self._bought[event.campaign] += 1
        self._on_hold(event, offset)

    def _on_hold(self, event: e.Assignment | e.Judgment | e.Retraction, _: int) -> None:
        entry = self._known(event.task)
        if entry is None:
            return
        known = event.annotator in entry.holds
        if decisions.apply(entry, event):
            if known:
                self._changed(entry, event.annotator)
            else:
                self._begun(entry, entry.holds[event.annotator])

    # ------------------------------------------------------------ keeping the books

    def _campaign(self, name: str) -> e.Campaign:
        return self._campaigns.get(name) or e.Campaign(name=name, version=1)

    def _check_may_work(self, annotator: str) -> None:
        standing, reason = self._standings.get(annotator, ("active", ""))
        decisions.check_may_work(ready=self.ready, standing=standing, reason=reason)

    def _known(self, task: str) -> Entry | None:
        return self._entries.get(task) or self._closed.get(task)

    def _hold(self, task: str, annotator: str) -> tuple[Entry, Hold]:
        return decisions.hold_of(self._known(task) or self._from_archive(task), task, annotator)

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
        (self._closed if entry.status == "closed" else self._entries)[task] = entry
        if not entry.is_gold:
            self._statuses[campaign, entry.status] += 1
        for hold in entry.holds.values():
            if hold.state == "granted":
                self._track(task, hold)
        self._place(entry)

    def _count(self, entry: Entry, before: e.TaskStatus) -> None:
        """Follows a change of status."""
        if entry.status == before:
            return
        task, campaign = entry.facts.task, entry.facts.campaign
        if not entry.is_gold:
            self._statuses[campaign, before] -= 1
            self._statuses[campaign, entry.status] += 1
        if entry.status == "closed":
            self._closed[task] = self._entries.pop(task)
        elif before == "closed":
            self._entries[task] = self._closed.pop(task)

    def _begun(self, entry: Entry, hold: Hold) -> None:
        self._given[hold.annotator] += 1
        self._track(entry.facts.task, hold)
        self._place(entry)

    def _changed(self, entry: Entry, annotator: str) -> None:
        if entry.holds[annotator].state not in LEASED:
            self._ended(entry, annotator)
        self._place(entry)

    def _ended(self, entry: Entry, annotator: str) -> None:
        leases = self._leases.get(annotator, {})
        leases.pop(entry.facts.task, None)
        if not leases:
            self._leases.pop(annotator, None)

    def _track(self, task: str, hold: Hold) -> None:
        self._leases.setdefault(hold.annotator, {})[task] = hold
        heapq.heappush(self._expiries, (hold.lease_until, task, hold.annotator))

    def _place(self, entry: Entry) -> None:
        """Offers the entry where it belongs now."""
        if entry.status == "closed":
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
            if not entry.is_gold:
                self._statuses[entry.facts.campaign, "closed"] -= 1

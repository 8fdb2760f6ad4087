"""The assignment queue of one process: in memory, kept current by the committed records, rebuilt from the views."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Sequence

from services.queue import decisions
from services.queue.books import QueueBooks
from services.queue.decisions import MOST_LEASES
from services.queue.entries import OPEN
from services.queue.order import Terms, choose, wanted
from services.queue.port import Claim, Grant, QueueCounts, Worker
from streams import events as e
from streams.engines.port import Admission
from streams.quality.routing import Grade


class MemoryQueue(QueueBooks):
    """See port.AssignmentQueue. Every public method is safe from any thread."""

    # ------------------------------------------------------------ asking for a task

    def next(self, worker: Worker, now: int, campaign: str | None, exclude: Collection[str]) -> Grant | None:
        """See the port; order.choose decides."""
        with self._lock:
            self._check_may_work(worker.annotator)
            leases = self.open_leases(worker.annotator, now)
            offers = [
                bucket
                for (name, skills), bucket in self._buckets.items()
                if campaign in (None, name) and skills <= worker.skills
            ]
            terms = Terms(
                is_spent=self._is_spent,
                gold_rate=lambda name: self._campaign(name).gold_rate,
                given=self._given[worker.annotator],
                grade=self._crowd.asks(worker.annotator, now),
                is_refused=lambda reasons: self._crowd.is_refused(worker.annotator, reasons),
                is_left_to_better=lambda entry: self._crowd.is_left_to_better(entry.holds, now),
            )
            found = choose(worker, offers, exclude, terms) if len(leases) < MOST_LEASES else None
            if found is None:  # what they hold already, in another browser perhaps, comes again
                return next((lease for lease in leases if wanted(lease, campaign, exclude)), None)
            entry, role = found
            lease_until = now + 1000 * self._campaign(entry.facts.campaign).lease_seconds
            hold = decisions.begin(entry, worker.annotator, role, lease_until)
            self._begun(entry, hold)
            return entry.grant(hold)

    def settle_grant(self, grant: Grant, *, durable: bool) -> None:
        """See the port."""
        if grant.renewed:
            return
        with self._lock:
            entry = self._entries.get(grant.facts.task)
            if entry is not None and decisions.settle_grant(entry, grant.annotator, durable=durable) and not durable:
                self._ended(entry, grant.annotator)
                self._withdraw(entry)  # and offered again behind everybody's cursor
                self._place(entry)

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
            return decisions.held(entry, hold, now)

    def open_leases(self, annotator: str, now: int) -> list[Grant]:
        """See the port."""
        with self._lock:
            holds = self._leases.get(annotator, {}).items()
            return [
                self._entries[task].grant(hold, renewed=hold.state == "granted")
                for task, hold in holds
                if hold.state in OPEN and hold.lease_until >= now and task in self._entries
            ]

    def claim(self, task: str, annotator: str, revision: int, now: int) -> Claim:
        """See the port."""
        with self._lock:
            self._check_may_work(annotator)
            entry, hold = self._hold(task, annotator)
            claim = decisions.claim(entry, hold, revision, now)
            self._place(entry)
            return claim

    def settle_claim(self, claim: Claim, admission: Admission | None) -> None:
        """See the port."""
        with self._lock:
            entry, hold = self._hold(claim.grant.facts.task, claim.grant.annotator)
            if decisions.settle_claim(hold, claim, admission):
                self._changed(entry, hold.annotator)

    def skip(self, task: str, annotator: str, reason: str, now: int) -> e.Assignment | None:
        """See the port."""
        with self._lock:
            return decisions.skip(*self._hold(task, annotator), reason, now)

    def settle_skip(self, skipped: e.Assignment, *, durable: bool) -> None:
        """See the port."""
        with self._lock:
            entry, hold = self._hold(skipped.task, skipped.annotator)
            if decisions.settle_skip(hold, durable=durable):
                self._changed(entry, hold.annotator)

    def expire(self, now: int) -> list[e.Assignment]:
        """See the port; also takes back tasks that were reopened after they had left this memory."""
        with self._lock:
            self._load_reopened()
            ended = []
            while self._expiries and self._expiries[0][0] < now:
                _, task, annotator = heapq.heappop(self._expiries)
                hold = self._leases.get(annotator, {}).get(task)
                entry = self._known(task)
                if entry is None:
                    self._leases.get(annotator, {}).pop(task, None)  # done and forgotten: nobody waits for the slot
                elif hold is not None and (told := decisions.expire(entry, hold, now)) is not None:
                    self._changed(entry, annotator)
                    ended.append(told)
            return ended

    # ------------------------------------------------------------ what else is asked

    def grades(self, annotators: Sequence[str]) -> dict[str, Grade]:
        """See the port."""
        with self._lock:
            return self._crowd.grades(annotators)

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

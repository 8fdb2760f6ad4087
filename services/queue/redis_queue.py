"""The assignment queue of a cluster: Redis holds it, every API replica asks it, the materializer feeds it.

Redis keeps a document a task, and sorted sets derived from it. Python reads, decides by the same pure functions as the
queue in memory (decisions.py, order.py), and commit.lua writes the decision if nothing moved since it was read.
Nothing here is a truth: a Redis that was flushed, restarted or replaced is filled again from SQL. It is known by its
scripts, which `restore` alone loads and a restarted Redis forgets, so one that comes back with old contents is not
trusted either.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cache, partial
from typing import TypeVar

import msgspec
import redis
import structlog
from msgspec import UNSET

from services.queue import decisions
from services.queue.books import Archive
from services.queue.decisions import MOST_LEASES
from services.queue.entries import Entry, Hold, entry_of
from services.queue.order import Terms as Order
from services.queue.order import choose, wanted
from services.queue.port import Claim, Grant, QueueCounts, Worker
from services.queue.redis_crowd import RedisCrowd
from services.queue.redis_documents import Derived, Limits, Terms, as_json, terms_of
from services.queue.redis_store import ATTEMPTS, RedisStore, Write, outages_told, parts
from services.queue.redis_view import View
from streams import events as e
from streams.engines.port import Admission, Record
from streams.errors import UnavailableError
from streams.quality.routing import ABOUT, Grade

T = TypeVar("T")
_log = structlog.get_logger("queue")
DUE_AT_ONCE = 200  # leases that one call ends


class RedisQueue:
    """See port.AssignmentQueue. Every public method is safe from any thread and process."""

    def __init__(self, client: redis.Redis, archive: Archive, prefix: str = "prefloop") -> None:
        self._redis = RedisStore(client, prefix)
        self._archive = archive
        self._crowd = RedisCrowd(self._redis)
        self._behind = False  # a batch could not be taken over: only `restore` mends that

    # ------------------------------------------------------------ what the log says

    @property
    def ready(self) -> bool:
        """Whether Redis answers and holds all that was applied."""
        try:
            return not self._behind and bool(self._redis.token())
        except UnavailableError:
            return False

    def standing(self, annotator: str) -> str:
        """active, weighted or suspended."""
        return self._standing(annotator)[0]

    def apply(self, records: Sequence[Record]) -> None:
        """See the port. Until `restore` they are left alone: SQL, which it reads, has them already.

        Raises UnavailableError where Redis fails midway; then `ready` is False here until `restore`.
        """
        if not self.ready:
            return
        self._behind = True
        self._redis.put("campaigns", self._newest_terms(records))
        standings = [record.event for record in records if isinstance(record.event, e.Standing)]
        self._redis.put(
            "standings", {one.annotator: as_json([one.standing, one.reason]) for one in standings if one.enforced}
        )
        assessed = [record.event for record in records if isinstance(record.event, e.Assessment)]
        self._crowd.learn([(one.annotator, one.reliability) for one in assessed if one.role == "annotator"])
        by_task: dict[str, list[Record]] = {}
        for record in records:
            if isinstance(record.event, e.Task | e.TaskUpdate | e.Assignment | e.Judgment | e.Retraction):
                by_task.setdefault(record.event.task, []).append(record)
        for part in parts(by_task.items()):
            self._apply_to_tasks(dict(part))
        self._behind = False

    def restore(
        self,
        entries: Iterator[Entry],
        campaigns: Collection[e.Campaign],
        standings: dict[str, tuple[str, str]],
        given: dict[str, int],
        bought: dict[str, int],
    ) -> None:
        """Empties Redis and takes over what the views say; from then on it grants. One process at a time."""
        store = self._redis
        with store.filling() as token:
            store.put("campaigns", {one.name: as_json(terms_of(one)) for one in campaigns})
            store.put("standings", {name: as_json(standing) for name, standing in standings.items()})
            for part in parts(entries):
                store.write(token, [Write(b"", Derived(None), entry) for entry in part])
            for name, counts in (("given", given), ("bought", bought)):
                store.client.delete(store.key(name))
                store.put(name, counts)
        self._behind = False

    def shut(self) -> None:
        """Grants nothing more until `restore`. Raises UnavailableError."""
        with outages_told():
            self._redis.client.delete(self._redis.key("ready"))

    def note(self, number: int) -> None:
        """All folds before that number were applied."""
        with outages_told():
            self._redis.client.set(self._redis.key("told"), number)

    def told(self) -> int:
        """The newest number noted; 0 where there is none."""
        with outages_told():
            return int(self._redis.client.get(self._redis.key("told")) or 0)

    def _newest_terms(self, records: Sequence[Record]) -> dict[str, bytes]:
        found = [terms_of(record.event) for record in records if isinstance(record.event, e.Campaign)]
        if not found:
            return {}
        with outages_told():
            known = self._redis.client.hgetall(self._redis.key("campaigns"))
        newest = {name.decode(): msgspec.json.decode(terms, type=Terms) for name, terms in known.items()}
        for terms in found:
            if terms.name not in newest or terms.version >= newest[terms.name].version:
                newest[terms.name] = terms
        return {terms.name: as_json(newest[terms.name]) for terms in found}

    def _apply_to_tasks(self, by_task: dict[str, list[Record]]) -> None:
        """All of them in two round trips; those that moved meanwhile again, until none did."""
        while by_task:
            token, found = self._redis.read(list(by_task))
            writes = {}
            for (task, records), (document, entry) in zip(by_task.items(), found, strict=True):
                before = Derived(entry)
                decided, changed = self._folded(task, entry, records)
                if changed and decided is not None:
                    writes[task] = Write(document, before, decided)
            stored = self._redis.write(token, list(writes.values()))
            by_task = {task: by_task[task] for task, is_stored in zip(writes, stored, strict=True) if not is_stored}

    def _folded(self, task: str, entry: Entry | None, records: Sequence[Record]) -> tuple[Entry | None, bool]:
        changed = False
        for record in records:
            event = record.event
            if isinstance(event, e.Task):
                if entry is None and event.mode == "live":
                    entry, changed = entry_of(event, record.offset), True
                continue
            if entry is None and isinstance(event, e.TaskUpdate) and event.status != "closed":
                entry, changed = self._archive.load(task), True  # done and forgotten here, and now reopened
            if entry is not None:
                changed = decisions.apply(entry, event) or changed
        return entry, changed

    # ------------------------------------------------------------ asking for a task

    def next(self, worker: Worker, now: int, campaign: str | None, exclude: Collection[str]) -> Grant | None:
        """See the port; order.choose decides."""
        is_refused = cache(partial(self._crowd.is_refused, worker.annotator))  # however often it is tried
        for attempt in range(ATTEMPTS):
            view = self._look(worker, now, campaign, exclude, is_noted=attempt == 0)
            leases = view.leases(worker.annotator)
            order = self._order(view, now, is_refused)
            found = choose(worker, view.offers, exclude, order) if len(leases) < MOST_LEASES else None
            if found is None:  # what they hold already, in another browser perhaps, comes again
                return next((lease for lease in leases if wanted(lease, campaign, exclude)), None)
            entry, role = found
            before = Derived(entry)
            terms = view.terms_of(entry.facts.campaign)
            hold = decisions.begin(entry, worker.annotator, role, now + 1000 * terms.lease_seconds)
            limits = _limits(worker.annotator, now, terms, bounded=role == "annotator")
            write = Write(view.documents[entry.facts.task], before, entry, limits)
            if self._redis.write(view.token, [write]) == [True]:
                return entry.grant(hold)
        raise UnavailableError("too many ask for the same tasks at once: try again", retry_after=1)

    def _order(self, view: View, now: int, is_refused: Callable[[int], bool]) -> Order:
        return Order(
            is_spent=view.is_spent,
            gold_rate=lambda name: view.terms_of(name).gold_rate,
            given=view.given,
            grade=view.grade,
            is_refused=is_refused,
            is_left_to_better=lambda entry: self._crowd.is_left_to_better(view.bar, entry.holds, now),
        )

    def _look(
        self, worker: Worker, now: int, campaign: str | None, exclude: Collection[str], *, is_noted: bool
    ) -> View:
        ask = {
            "now": now,
            "skills": sorted(worker.skills),
            "exclude": list(exclude),
            "campaign": campaign,
            "remembered": ABOUT if is_noted else 0,
        }
        with outages_told():
            answer = self._redis.run("look", worker.annotator, as_json(ask))
        view = View(answer)
        standing, reason = _standing_of(view.standing)
        decisions.check_may_work(ready=bool(view.token), standing=standing, reason=reason)
        return view

    def settle_grant(self, grant: Grant, *, durable: bool) -> None:
        """See the port."""
        if grant.renewed:
            return
        self._settle(
            grant.facts.task,
            grant.annotator,
            lambda entry, hold: decisions.settle_grant(entry, hold.annotator, durable=durable),
        )

    # ------------------------------------------------------------ judging, skipping, leases

    def held(self, task: str, annotator: str, now: int) -> Grant:
        """See the port."""
        return self._decide(task, annotator, lambda entry, hold: decisions.held(entry, hold, now))

    def open_leases(self, annotator: str, now: int) -> list[Grant]:
        """See the port."""
        with outages_told():
            tasks = self._redis.client.zrange(self._redis.key(f"leases:{annotator}"), str(now), "+inf", byscore=True)
        _, found = self._redis.read([task.decode() for task in tasks])
        entries = [entry for _, entry in found if entry is not None]
        holds = [(entry, entry.holds[annotator]) for entry in entries if annotator in entry.holds]
        return [entry.grant(hold, renewed=hold.state == "granted") for entry, hold in holds]

    def claim(self, task: str, annotator: str, revision: int, now: int) -> Claim:
        """See the port."""
        standing, reason = self._standing(annotator)
        decisions.check_may_work(ready=True, standing=standing, reason=reason)
        return self._decide(task, annotator, lambda entry, hold: decisions.claim(entry, hold, revision, now))

    def settle_claim(self, claim: Claim, admission: Admission | None) -> None:
        """See the port."""
        facts = claim.grant.facts
        self._settle(facts.task, claim.grant.annotator, lambda _, hold: decisions.settle_claim(hold, claim, admission))

    def skip(self, task: str, annotator: str, reason: str, now: int) -> e.Assignment | None:
        """See the port."""
        return self._decide(task, annotator, lambda entry, hold: decisions.skip(entry, hold, reason, now))

    def settle_skip(self, skipped: e.Assignment, *, durable: bool) -> None:
        """See the port."""
        self._settle(skipped.task, skipped.annotator, lambda _, hold: decisions.settle_skip(hold, durable=durable))

    def expire(self, now: int) -> list[e.Assignment]:
        """See the port."""
        due = self._redis.key("due")
        with outages_told():
            names = self._redis.client.zrange(due, "-inf", f"({now}", byscore=True, offset=0, num=DUE_AT_ONCE)
        ended = []
        for name in names:
            task, annotator = msgspec.json.decode(name, type=tuple[str, str])
            told = self._redis.decide(task, self._archive.load, partial(_expired, annotator=annotator, now=now))
            if told is not None:
                ended.append(told)
        return ended

    def _decide(self, task: str, annotator: str, decision: Callable[[Entry, Hold], T]) -> T:
        def decided(entry: Entry | None) -> T:
            return decision(*decisions.hold_of(entry, task, annotator))

        return self._redis.decide(task, self._archive.load, decided)

    def _settle(self, task: str, annotator: str, decision: Callable[[Entry, Hold], bool]) -> None:
        """Without an error where Redis is lost: the log knows better already, and what waits here lapses by itself."""

        def decided(entry: Entry | None) -> bool:
            hold = entry.holds.get(annotator) if entry else None
            return entry is not None and hold is not None and decision(entry, hold)

        try:
            self._redis.decide(task, self._archive.load, decided)
        except UnavailableError as error:
            _log.warning("a decision could not be settled in Redis", task=task, annotator=annotator, error=str(error))

    # ------------------------------------------------------------ what else is asked

    def grades(self, annotators: Sequence[str]) -> dict[str, Grade]:
        """See the port."""
        return self._crowd.grades(annotators)

    def counts(self) -> QueueCounts:
        """See the port."""
        by_campaign = {name: count for name, count in self._redis.numbers("open").items() if count}
        return QueueCounts(
            open=sum(by_campaign.values()),
            leased=sum(self._redis.numbers("leased").values()),
            escalated=sum(self._redis.numbers("escalated").values()),
            by_campaign=by_campaign,
        )

    def _standing(self, annotator: str) -> tuple[str, str]:
        with outages_told():
            known = self._redis.client.hget(self._redis.key("standings"), annotator)
        return _standing_of(known)


def _standing_of(known: str | bytes | None) -> tuple[str, str]:
    """The standing and its reason."""
    return msgspec.json.decode(known, type=tuple[str, str]) if known else ("active", "")


def _limits(annotator: str, now: int, terms: Terms, *, bounded: bool) -> Limits:
    budget = terms.budget if bounded and terms.budget is not None else UNSET
    return Limits(annotator=annotator, now=now, leases=MOST_LEASES, campaign=terms.name, budget=budget)


def _expired(entry: Entry | None, *, annotator: str, now: int) -> e.Assignment | None:
    hold = entry.holds.get(annotator) if entry else None
    return decisions.expire(entry, hold, now) if entry and hold else None

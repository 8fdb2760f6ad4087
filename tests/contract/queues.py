"""The queues that the contract is for, and a desk to work at them. Another adapter joins KINDS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from services.queue.decisions import assignment_of
from services.queue.entries import Entry
from services.queue.memory import MemoryQueue
from services.queue.port import AssignmentQueue, Grant, Worker
from services.queue.redis_queue import RedisQueue
from services.queue.redis_store import connect
from streams import events as e
from streams.admission import judgment_id
from streams.engines.port import Record
from streams.quality.routing import ABOUT_MS, HEARD, LEAST_EVIDENCE
from tests.records import record
from tests.services.redis import Redis

NOW = 1_790_000_000_000
LEASE = 600_000


class EmptyArchive:
    def load(self, task: str) -> Entry | None:
        return None

    def is_current(self) -> bool:
        return True


def memory_queue() -> AssignmentQueue:
    queue = MemoryQueue(EmptyArchive())
    queue.restore(iter(()), campaigns=[], standings={}, given={}, bought={})
    return queue


def redis_queue(url: str) -> RedisQueue:
    queue = RedisQueue(connect(url), EmptyArchive())
    queue.restore(iter(()), campaigns=[], standings={}, given={}, bought={})
    return queue


KINDS = ("memory", "redis")


def fresh_queue(kind: str, request: pytest.FixtureRequest) -> AssignmentQueue:
    if kind == "memory":
        return memory_queue()
    server: Redis = request.getfixturevalue("redis_server")
    return redis_queue(server.url)


class Desk:
    """A queue, and the log in front of it: what it decides is committed and comes back as a record."""

    def __init__(self, queue: AssignmentQueue) -> None:
        self.queue = queue
        self.offset = 0

    def commit(self, *events: e.Event) -> None:
        for event in events:
            self.queue.apply([self._record(event)])

    def learn(self, accuracies: Mapping[str, float], count: int = HEARD) -> None:
        """So many assessments of each of them; long ago each of them asked once."""
        for name in accuracies:
            self.queue.next(Worker(annotator=name), NOW - 2 * ABOUT_MS, None, ())
        told = [assessed(name, accuracy) for _ in range(count) for name, accuracy in accuracies.items()]
        self.queue.apply([self._record(event) for event in told])

    def _record(self, event: e.Event) -> Record:
        self.offset += 1
        return record(event, self.offset - 1)

    def next(self, name: str, now: int = NOW, *, exclude: tuple[str, ...] = (), **worker: Any) -> Grant | None:
        grant = self.queue.next(Worker(annotator=name, **worker), now, None, exclude)
        if grant is not None and not grant.renewed:
            self.commit(assignment_of(grant, now))
            self.queue.settle_grant(grant, durable=True)
        return grant

    def given(self, name: str, now: int = NOW, **worker: Any) -> Grant:
        """As `next`, where there must be something."""
        grant = self.next(name, now, **worker)
        assert grant is not None
        return grant

    def judge(self, grant: Grant, now: int = NOW, revision: int = 1) -> bool:
        """Whether it counts."""
        claim = self.queue.claim(grant.facts.task, grant.annotator, revision, now)
        self.commit(judgment(grant, revision, late=claim.late))
        self.queue.settle_claim(claim, "same" if claim.repeated else "new")
        return not claim.late


def task(name: str, *, overlap: int = 1, **fields: Any) -> e.Task:
    side = e.Candidate(output=f"o-{name}", position=0, response=e.Response(digest="d", length=3))
    return e.Task(
        task=name, a=side, b=side, prompt_digest="p", prompt_length=3, overlap=overlap, correlation="o", **fields
    )


def judgment(grant: Grant, revision: int, *, late: bool = False) -> e.Judgment:
    return e.Judgment(
        judgment=judgment_id(grant.facts.task, grant.annotator, revision),
        task=grant.facts.task,
        annotator=grant.annotator,
        revision=revision,
        choice="a",
        role=grant.role,
        late=late,
    )


def assessed(annotator: str, accuracy: float) -> e.Assessment:
    known = e.Reliability(
        accuracy=accuracy,
        accuracy_low=0.0,
        accuracy_high=1.0,
        side_bias=0.0,
        tie_rate=0.1,
        judgments=HEARD,
        evidence=2 * LEAST_EVIDENCE,
    )
    return e.Assessment(
        judgment="j", task="none", annotator=annotator, revision=1, choice="a", swapped=False, reliability=known
    )


def name_of(grant: Grant | None) -> str | None:
    return grant.facts.task if grant else None

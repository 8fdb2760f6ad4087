"""What an assignment queue promises: it decides who judges what. It does no I/O on the log.

Whoever calls it makes each decision durable and then tells it how that went (`settle_*`), so that a slot is
freed or given only by what is in the log. The contract is tests/contract/test_queue*.py, written against this port.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from streams.admission import TaskFacts
from streams.engines.port import Admission, Record
from streams.events import Assignment, Role, Struct
from streams.quality.routing import Grade


class Worker(Struct, frozen=True, kw_only=True):
    """Who asks for a task."""

    annotator: str
    skills: frozenset[str] = frozenset()
    adjudicates: bool = False
    capped: frozenset[str] = frozenset()  # campaigns that have had their share of models' judgments
    gold_rates: Mapping[str, float] = {}  # by campaign, where theirs is not the campaign's
    unqualified: frozenset[str] = frozenset()  # campaigns that give them gold alone, until they have qualified
    barred: frozenset[str] = frozenset()  # campaigns that give them nothing


class Grant(Struct, frozen=True, kw_only=True):
    """A task that is one annotator's until `lease_until` (ms)."""

    facts: TaskFacts
    a: tuple[str, int]  # output and position of canonical a
    b: tuple[str, int]
    annotator: str
    slot: int  # 0-based; adjudication has -1
    role: Role
    swapped: bool
    lease_until: int
    revision: int = 1  # of the judgment that is to be sent next
    renewed: bool = False  # an open lease that was asked for again: already durable


class Claim(Struct, frozen=True, kw_only=True):
    """The right to hand in one revision of a judgment; to be settled."""

    grant: Grant
    revision: int
    late: bool  # its slot is gone: outside the consensus
    repeated: bool  # this revision was handed in before: nothing new may be written
    before: str  # what the hold was, to go back to


class QueueCounts(Struct, frozen=True, kw_only=True):
    """Tasks and leases right now; gold tasks, which are never done, are not counted."""

    open: int = 0
    leased: int = 0
    escalated: int = 0
    by_campaign: dict[str, int] = {}


class AssignmentQueue(Protocol):
    """Quotas are exact: leases and counted judgments of a task never exceed the slots wanted, nor one a person."""

    @property
    def ready(self) -> bool:
        """Whether it knows all that the log says."""
        ...

    def apply(self, records: Sequence[Record]) -> None:
        """Committed records, in order; those already known change nothing."""
        ...

    def next(self, worker: Worker, now: int, campaign: str | None, exclude: Collection[str]) -> Grant | None:
        """Reserves a slot, or None. ForbiddenError for the suspended, UnavailableError before it is ready."""
        ...

    def settle_grant(self, grant: Grant, *, durable: bool) -> None:
        """The grant is in the log, or could not be written and its slot is free again."""
        ...

    def held(self, task: str, annotator: str, now: int) -> Grant:
        """The annotator's lease on that task. ForbiddenError where it never was theirs, GoneError when over."""
        ...

    def open_leases(self, annotator: str, now: int) -> list[Grant]:
        """The annotator's leases, oldest first."""
        ...

    def claim(self, task: str, annotator: str, revision: int, now: int) -> Claim:
        """Reserves what the judgment needs. ForbiddenError, GoneError, NotFoundError, InputError."""
        ...

    def settle_claim(self, claim: Claim, admission: Admission | None) -> None:
        """How admission decided; None: it could not be written."""
        ...

    def skip(self, task: str, annotator: str, reason: str, now: int) -> Assignment | None:
        """The event that gives the task to others; None where there is nothing to give back."""
        ...

    def settle_skip(self, skipped: Assignment, *, durable: bool) -> None:
        """The skip is in the log (its slot is free), or could not be written (the lease goes on)."""
        ...

    def expire(self, now: int) -> list[Assignment]:
        """Leases that ended by then; their slots are free. To be written to the log."""
        ...

    def standing(self, annotator: str) -> str:
        """active, weighted or suspended."""
        ...

    def grades(self, annotators: Sequence[str]) -> dict[str, Grade]:
        """Where these annotators stand in the crowd: what they are asked for, and how often; {} until that is known."""
        ...

    def counts(self) -> QueueCounts:
        """For the dashboard."""
        ...

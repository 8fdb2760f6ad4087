"""A task as the queue knows it, and what each annotator has to do with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from services.queue.port import Grant
from streams.admission import TaskFacts, facts_of
from streams.events import Role, Task, TaskStatus, digest

if TYPE_CHECKING:
    from services.queue.lanes import Lane

State = Literal["granting", "granted", "judging", "judged", "skipping", "skipped", "expired"]
OPEN: tuple[State, ...] = ("granting", "granted")  # a grant that is being written takes its slot as well
LEASED: tuple[State, ...] = (*OPEN, "judging", "skipping")
TAKEN: tuple[State, ...] = (*LEASED, "judged")
ADJUDICATION_SLOT = -1


@dataclass(slots=True, kw_only=True)
class Hold:
    """What one annotator has, or had, of one task. Once there, the task is never given to them again."""

    annotator: str
    slot: int
    role: Role
    swapped: bool
    lease_until: int
    state: State = "granted"
    revision: int = 0  # newest judgment handed in
    late: bool = False  # that judgment is outside the consensus
    withdrawn: bool = False  # that judgment was retracted
    asked_at: int = 0  # ms: when the claim or skip began that is not settled yet

    @property
    def takes_slot(self) -> bool:
        """A lease, or a judgment in time.

        One that was withdrawn keeps its slot: the stage asks for one more (`TaskUpdate.slots_wanted`). Nobody counts
        adjudications, so that a withdrawn one gives its place free.
        """
        gone = self.late or (self.withdrawn and self.role == "adjudicator")
        return self.state in TAKEN and not gone


@dataclass(slots=True, kw_only=True)
class Entry:
    """One task: its facts, how many judgments it wants, and its holds by annotator."""

    facts: TaskFacts
    a: tuple[str, int]
    b: tuple[str, int]
    skills: frozenset[str]
    priority: int
    order: int  # age: the task's offset in the log
    wanted: int
    status: TaskStatus = "open"
    holds: dict[str, Hold] = field(default_factory=dict)
    lane: Lane | None = None  # where it is offered
    seq: int = -1  # its place there

    @property
    def is_gold(self) -> bool:
        """A quality check: no quota; the coordinator alone closes it."""
        return self.facts.gold is not None

    def used_slots(self) -> set[int]:
        """Slots leased or judged, adjudication apart."""
        return {hold.slot for hold in self.holds.values() if hold.role == "annotator" and hold.takes_slot}

    def has_room(self) -> bool:
        """Whether one more annotator may have it."""
        if self.is_gold:
            return True
        return self.status == "open" and self._taken("annotator") < self.wanted

    def needs_adjudicator(self) -> bool:
        """Escalated, and nobody has it."""
        return self.status == "escalated" and not self.is_gold and self._taken("adjudicator") == 0

    def is_free_for(self, hold: Hold) -> bool:
        """Whether a slot of that hold's role is left for a judgment that comes late."""
        return self.needs_adjudicator() if hold.role == "adjudicator" else self.has_room()

    def free_slot(self) -> int:
        """The lowest slot that nobody has."""
        used = self.used_slots()
        return next(slot for slot in range(len(used) + 1) if slot not in used)

    def grant(self, hold: Hold, *, renewed: bool = False) -> Grant:
        """The hold as it is told to the outside."""
        return Grant(
            facts=self.facts,
            a=self.a,
            b=self.b,
            annotator=hold.annotator,
            slot=hold.slot,
            role=hold.role,
            swapped=hold.swapped,
            lease_until=hold.lease_until,
            revision=hold.revision + 1,
            renewed=renewed,
        )

    def _taken(self, role: Role) -> int:
        return sum([1 for hold in self.holds.values() if hold.role == role and hold.takes_slot])


def entry_of(task: Task, order: int) -> Entry:
    """A new task in the queue."""
    return Entry(
        facts=facts_of(task),
        a=(task.a.output, task.a.position),
        b=(task.b.output, task.b.position),
        skills=frozenset(task.skills),
        priority=task.priority,
        order=order,
        wanted=task.overlap,
    )


def sides_swapped(task: str, annotator: str) -> bool:
    """Which response is on the left: fair over tasks and annotators, and the same whenever it is asked."""
    return int(digest("sides", task, annotator)[0], 16) % 2 == 1

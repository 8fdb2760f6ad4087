"""The stages assessments and preferences over dictionaries, with the time spent in their steps."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field

import msgspec

from streams.events import Alert, Candidate, Choice, Event, Judgment, Preference, Response, Task, TaskUpdate, digest
from streams.topology import TOPOLOGY

FED = ("judgments", "agreements", "standings", "tasks", "assessments", "retractions")
STAGES = {topic: stage for stage in TOPOLOGY.stages.values() for topic in stage.inputs if topic in FED}


@dataclass
class Run:
    """The two stages over dictionaries, with the time spent in their steps."""

    states: dict[tuple[str, str], object] = field(default_factory=dict)
    preferences: dict[str, Preference] = field(default_factory=dict)
    updates: dict[str, TaskUpdate] = field(default_factory=dict)
    alerts: list[Alert] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    events: Counter[str] = field(default_factory=Counter)

    def push(self, event: Event) -> None:
        """The event and all that follows from it."""
        waiting = [event]
        for event in waiting:  # grows while it is walked
            topic = TOPOLOGY.by_event[type(event)]
            self.events[topic.name] += 1
            self.note(event)
            if topic.name not in STAGES:
                continue
            stage = STAGES[topic.name]
            at = stage.name, topic.key(event)
            event = msgspec.structs.replace(event, id=str(self.events.total()))
            begin = time.process_time()
            self.states[at], said = stage.step(self.states.get(at), event)
            self.seconds[stage.name] += time.process_time() - begin
            waiting += said

    def note(self, event: Event) -> None:
        """Keeps the newest preference and update of a task, and all alerts."""
        match event:
            case Preference():
                self.preferences[event.task] = event
            case TaskUpdate():
                self.updates[event.task] = event
            case Alert():
                self.alerts.append(event)


def task_of(item: str, **fields: object) -> Task:
    """A task without texts."""
    a, b = (Candidate(output=item, position=i, response=Response(digest="d" * 32, length=300)) for i in (0, 1))
    return msgspec.convert(
        {"type": "Task", "task": item, "a": a, "b": b, "prompt_digest": "p" * 32, "prompt_length": 9, **fields},
        Task,
        from_attributes=True,
    )


def judgment_of(item: str, who: str, label: Choice, **fields: object) -> Judgment:
    """A judgment."""
    name = digest("judgment", item, who, "1")
    return msgspec.convert(
        {"type": "Judgment", "judgment": name, "task": item, "annotator": who, "choice": label, **fields}, Judgment
    )

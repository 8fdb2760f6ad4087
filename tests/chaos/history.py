"""The history checker: what a deployment said yes to, against what its log and views hold afterwards. Pure."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import msgspec

from streams.codecs import encode
from streams.engines.port import Record
from streams.events import Assessment, Assignment, Event, Judgment, Output, Task

E = Any
ViewRow = tuple[str, tuple[Any, ...]]  # table, row
SHOWN = 3  # examples a violation names


class Acknowledged:
    """What the deployment has said yes to, from all threads."""

    def __init__(self) -> None:
        self.outputs: set[str] = set()
        self.judgments: set[str] = set()
        self._grown = threading.Condition()

    def __len__(self) -> int:
        return len(self.outputs) + len(self.judgments)

    def add(self, kind: set[str], identity: str) -> None:
        """Adds one to `outputs` or `judgments`."""
        with self._grown:
            kind.add(identity)
            self._grown.notify_all()

    def wait_for(self, count: int, seconds: float) -> bool:
        """Whether so many are acknowledged in all within that time."""
        with self._grown:
            return self._grown.wait_for(lambda: len(self) >= count, timeout=seconds)


@dataclass(frozen=True, kw_only=True)
class Found:
    """What is there at the end. `repeats` says whether the log may hold an event twice (then with equal content)."""

    records: Mapping[str, Sequence[Record]]  # by topic, whole
    views: Sequence[ViewRow]
    rebuilt: Sequence[ViewRow]  # the views, folded from the log once more
    quota: int  # judgments a task may have
    repeats: bool = False
    events: dict[str, list[Event]] = field(init=False)  # by topic, the first of each id

    def __post_init__(self) -> None:
        object.__setattr__(self, "events", {topic: _first_of_each(rows) for topic, rows in self.records.items()})


def violations(acknowledged: Acknowledged, found: Found) -> list[str]:
    """Every promise that was broken, in words; [] where all were kept."""
    broken = chain(
        _copies(found),
        _lost("output", acknowledged.outputs, {event.output for event in _of(found, "outputs", Output)}),
        _lost("judgment", acknowledged.judgments, {event.judgment for event in _of(found, "judgments", Judgment)}),
        _tasks(found),
        _quotas(found),
        _unscored(found),
        _views(found),
    )
    return list(broken)


def _copies(found: Found) -> Iterable[str]:
    """An event is in the log once; where the log may repeat it, its copies say the same."""
    for topic, records in found.records.items():
        contents: dict[str, list[bytes]] = defaultdict(list)
        for record in records:
            contents[record.event.id].append(_content(record.event))
        doubled = [identity for identity, copies in contents.items() if len(copies) > 1]
        differing = [identity for identity in doubled if len(set(contents[identity])) > 1]
        yield from _told(differing, f"{topic}: copies of one id that differ")
        if not found.repeats:
            yield from _told(doubled, f"{topic}: ids that are there twice")


def _content(event: Event) -> bytes:
    """Without the times: a repeated request is stamped anew."""
    times = {"ingested_at": 0, "occurred_at": 0} | ({"answered_at": 0} if isinstance(event, Judgment) else {})
    return encode(msgspec.structs.replace(event, **times))


def _lost(kind: str, acknowledged: set[str], there: set[str]) -> Iterable[str]:
    return _told(sorted(acknowledged - there), f"{kind}s that were acknowledged and are not there")


def _tasks(found: Found) -> Iterable[str]:
    """One task an output, as the load sends outputs of two responses."""
    made = {event.a.output for event in _of(found, "tasks", Task)}
    yield from _told(sorted({e.output for e in _of(found, "outputs", Output)} - made), "outputs without a task")
    twice = _repeated(event.task for event in _of(found, "tasks", Task))
    yield from _told(twice, "tasks that were made twice")


def _quotas(found: Found) -> Iterable[str]:
    judgments = _of(found, "judgments", Judgment)
    firsts = [event for event in judgments if event.revision == 1]
    counted = Counter(event.task for event in firsts if not event.late)
    yield from _told([task for task, n in counted.items() if n > found.quota], "tasks judged beyond their quota")
    yield from _told(_repeated((e.task, e.annotator) for e in firsts), "tasks judged twice by one annotator")
    open_to: dict[str, set[str]] = defaultdict(set)
    ended: dict[str, set[str]] = defaultdict(set)
    for event in _of(found, "assignments", Assignment):
        (open_to if event.kind == "granted" else ended)[event.task].add(event.annotator)
    for event in (event for event in firsts if event.late):
        ended[event.task].add(event.annotator)
    over = [task for task, people in open_to.items() if len(people - ended[task]) > found.quota]
    yield from _told(over, "tasks granted beyond their quota")


def _unscored(found: Found) -> Iterable[str]:
    """Every judgment went through the stages."""
    scored = {event.judgment for event in _of(found, "assessments", Assessment)}
    missing = [event.judgment for event in _of(found, "judgments", Judgment) if event.judgment not in scored]
    yield from _told(missing, "judgments without an assessment")


def _views(found: Found) -> Iterable[str]:
    kept, folded = set(map(repr, found.views)), set(map(repr, found.rebuilt))
    yield from _told(sorted(kept - folded), "rows of views that a rebuild does not give")
    yield from _told(sorted(folded - kept), "rows that only a rebuild gives")
    if len(found.views) != len(kept):
        yield "views: a row is there twice"


def _first_of_each(records: Sequence[Record]) -> list[Event]:
    firsts: dict[str, Event] = {}
    for record in records:
        firsts.setdefault(record.event.id, record.event)
    return list(firsts.values())


def _of(found: Found, topic: str, kind: type[E]) -> list[E]:
    return [event for event in found.events.get(topic, ()) if isinstance(event, kind)]


def _repeated(things: Iterable[Any]) -> list[Any]:
    return [thing for thing, count in Counter(things).items() if count > 1]


def _told(bad: Sequence[Any], what: str) -> list[str]:
    return [f"{len(bad)} {what}, such as {', '.join(map(str, bad[:SHOWN]))}"] if bad else []

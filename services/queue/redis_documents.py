"""A task as Redis holds it: one document, and what is derived from it. Pure: what changed is a difference of two."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from services.queue.decisions import WRITTEN_WITHIN_MS
from services.queue.entries import LEASED, OPEN, Entry, Hold
from services.queue.order import Kind
from streams.admission import TaskFacts
from streams.events import Campaign, TaskStatus

CLOSED_KEPT_MS = 86_400_000  # how long a task that is done stays here; older ones are read from the views


class Terms(Struct, frozen=True, kw_only=True):
    """What the queue needs to know of a campaign."""

    name: str
    version: int
    lease_seconds: int
    gold_rate: float
    budget: int | None = None


class _Document(Struct, array_like=True):
    facts: TaskFacts
    a: tuple[str, int]
    b: tuple[str, int]
    skills: list[str]
    priority: int
    order: int
    wanted: int
    status: TaskStatus
    holds: list[Hold]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Document).decode


def document_of(entry: Entry) -> bytes:
    """The entry as it is stored."""
    return _encode(
        _Document(
            entry.facts,
            entry.a,
            entry.b,
            sorted(entry.skills),
            entry.priority,
            entry.order,
            entry.wanted,
            entry.status,
            list(entry.holds.values()),
        )
    )


def entry_from(document: bytes) -> Entry:
    """The entry that was stored."""
    found = _decode(document)
    return Entry(
        facts=found.facts,
        a=found.a,
        b=found.b,
        skills=frozenset(found.skills),
        priority=found.priority,
        order=found.order,
        wanted=found.wanted,
        status=found.status,
        holds={hold.annotator: hold for hold in found.holds},
    )


def terms_of(campaign: Campaign) -> Terms:
    """What the queue keeps of it."""
    return Terms(
        name=campaign.name,
        version=campaign.version,
        lease_seconds=campaign.lease_seconds,
        gold_rate=campaign.gold_rate,
        budget=campaign.targets.budget,
    )


# ---------------------------------------------------------------- what is derived


def bucket_of(entry: Entry) -> str:
    """The campaign and the skills it wants, as a key."""
    return msgspec.json.encode([entry.facts.campaign, *sorted(entry.skills)]).decode()


def kind_of(entry: Entry) -> Kind | None:
    """As what the entry is to be offered now."""
    if entry.is_gold:
        return None if entry.status == "closed" else "gold"
    if entry.needs_adjudicator():
        return "escalated"
    if not entry.has_room():
        return None
    return "begun" if entry.holds else "fresh"


class Lease(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A hold that takes a slot for a time."""

    annotator: str
    due: str  # its name in the list of what ends
    at: int  # ms: when it ends
    lease_until: int | None = None  # ms; None while a judgment or a skip of it is written


class _Offer(Struct, frozen=True, kw_only=True):
    place: str
    bucket: str
    priority: int
    score: int | UnsetType = UNSET  # unset: behind all others

    @property
    def lane(self) -> str:
        return f"{self.place}:{self.bucket}"


class Limits(Struct, frozen=True, kw_only=True):
    """What must still hold when a grant is written."""

    annotator: str
    now: int
    leases: int
    campaign: str
    budget: int | UnsetType = UNSET


class _Count(Struct, frozen=True, kw_only=True):
    name: str
    field: str
    by: int


class Change(Struct, frozen=True, kw_only=True):
    """What commit.lua does besides storing the document."""

    withdrawn: str | UnsetType = UNSET
    offered: _Offer | UnsetType = UNSET
    joined: list[str]
    left: list[str]
    ended: list[Lease]
    begun: list[Lease]
    counts: list[_Count]
    keep_ms: int | UnsetType = UNSET
    limits: Limits | UnsetType = UNSET


class Derived:
    """Everything that is derived from an entry; of None nothing is."""

    def __init__(self, entry: Entry | None) -> None:
        self.offer = _offer_of(entry) if entry else None
        self.holders = set(entry.holds) if entry else set()
        self.leases = {lease.due: lease for lease in _leases_of(entry)} if entry else {}
        self.counts = _counts_of(entry) if entry else Counter()
        self.is_done = entry is not None and entry.status == "closed" and not entry.is_gold


def change_between(before: Derived, after: Derived, limits: Limits | UnsetType = UNSET) -> Change:
    """What turns the one into the other."""
    left = sorted(before.holders - after.holders)
    moves = before.offer != after.offer or bool(left)  # who gave it back may have it again: behind all cursors
    return Change(
        withdrawn=before.offer.lane if before.offer and moves else UNSET,
        offered=after.offer if after.offer and moves else UNSET,
        joined=sorted(after.holders - before.holders),
        left=left,
        ended=[lease for due, lease in before.leases.items() if after.leases.get(due) != lease],
        begun=[lease for due, lease in after.leases.items() if before.leases.get(due) != lease],
        counts=_differences(before, after),
        keep_ms=CLOSED_KEPT_MS if after.is_done else UNSET,
        limits=limits,
    )


def _offer_of(entry: Entry) -> _Offer | None:
    kind = kind_of(entry)
    if kind is None:
        return None
    priority = entry.priority if kind in ("fresh", "begun") else 0
    score = entry.order if kind == "fresh" else UNSET
    return _Offer(place=f"{kind}:{priority}", bucket=bucket_of(entry), priority=priority, score=score)


def _leases_of(entry: Entry) -> Sequence[Lease]:
    return [_lease(entry, hold) for hold in entry.holds.values() if hold.state in LEASED]


def _lease(entry: Entry, hold: Hold) -> Lease:
    due = msgspec.json.encode([entry.facts.task, hold.annotator]).decode()
    if hold.state in OPEN:
        return Lease(annotator=hold.annotator, due=due, at=hold.lease_until, lease_until=hold.lease_until)
    return Lease(annotator=hold.annotator, due=due, at=hold.asked_at + WRITTEN_WITHIN_MS)


def _counts_of(entry: Entry) -> Counter[tuple[str, str]]:
    campaign = entry.facts.campaign
    counts: Counter[tuple[str, str]] = Counter()
    if not entry.is_gold and entry.status != "closed":
        counts[entry.status, campaign] = 1
    counts["leased", campaign] = sum(1 for hold in entry.holds.values() if hold.state in LEASED)
    counts["bought", campaign] = sum(1 for hold in entry.holds.values() if hold.revision and not hold.late)
    return counts


def _differences(before: Derived, after: Derived) -> list[_Count]:
    steps: dict[tuple[str, str], int] = {
        key: after.counts[key] - before.counts[key] for key in {**before.counts, **after.counts}
    }
    steps |= {("given", annotator): 1 for annotator in after.holders - before.holders}
    return [_Count(name=name, field=field, by=by) for (name, field), by in steps.items() if by]


def as_json(value: Any) -> bytes:
    """For the scripts."""
    return msgspec.json.encode(value)

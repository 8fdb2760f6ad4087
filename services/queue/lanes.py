"""Ordered offers. Nobody looks twice at the same offer, so that asking stays cheap however long a lane is."""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections.abc import Collection

from services.queue.entries import Entry
from services.queue.order import Kind

COMPACTED_FROM = 64  # withdrawn offers that are not worth tidying up


class Lane:
    """Offers in the order they came. Each annotator has a cursor: what is before it they had already."""

    def __init__(self) -> None:
        self._seqs: list[int] = []
        self._entries: list[Entry | None] = []  # None: withdrawn
        self._cursors: dict[str, int] = {}
        self._next = 0
        self._withdrawn = 0

    def add(self, entry: Entry) -> None:
        """Offers the entry, last."""
        entry.lane, entry.seq = self, self._next
        self._seqs.append(self._next)
        self._entries.append(entry)
        self._next += 1

    def remove(self, entry: Entry) -> None:
        """Withdraws the offer."""
        self._entries[bisect_left(self._seqs, entry.seq)] = None
        entry.lane, entry.seq = None, -1
        self._withdrawn += 1
        if self._withdrawn > COMPACTED_FROM and self._withdrawn * 2 > len(self._entries):
            self._compact()

    def first(self, annotator: str, exclude: Collection[str]) -> Entry | None:
        """The first offer that the annotator never had; amortised O(1)."""
        entries, end = self._entries, len(self._entries)
        at = bisect_left(self._seqs, self._cursors.get(annotator, 0))
        while at < end and ((entry := entries[at]) is None or annotator in entry.holds):
            at += 1
        self._cursors[annotator] = self._seqs[at] if at < end else self._next
        for index in range(at, end):  # the cursor does not move over what is only excluded for now
            entry = entries[index]
            if entry is not None and annotator not in entry.holds and entry.facts.task not in exclude:
                return entry
        return None

    def _compact(self) -> None:
        kept = [(seq, entry) for seq, entry in zip(self._seqs, self._entries, strict=True) if entry is not None]
        self._seqs, self._entries = [seq for seq, _ in kept], [entry for _, entry in kept]
        self._withdrawn = 0


class FreshLane(Lane):
    """Tasks that nobody had yet, by priority and age; anybody may have the first."""

    def __init__(self) -> None:
        super().__init__()
        self._heap: list[tuple[int, int, int, Entry]] = []

    def add(self, entry: Entry) -> None:
        """Offers the entry at its place."""
        entry.lane, entry.seq = self, self._next
        heapq.heappush(self._heap, (-entry.priority, entry.order, self._next, entry))
        self._next += 1

    def remove(self, entry: Entry) -> None:
        """Withdraws the offer; the heap forgets it when it comes up."""
        entry.lane, entry.seq = None, -1

    def first(self, annotator: str, exclude: Collection[str]) -> Entry | None:
        """The most urgent one; O(log n)."""
        set_aside = []
        found = None
        while self._heap and found is None:
            _, _, seq, entry = self._heap[0]
            if entry.lane is not self or entry.seq != seq:
                heapq.heappop(self._heap)
            elif entry.facts.task in exclude:
                set_aside.append(heapq.heappop(self._heap))
            else:
                found = entry
        for item in set_aside:
            heapq.heappush(self._heap, item)
        return found


class Bucket:
    """The lanes of one campaign and one set of skills."""

    def __init__(self, campaign: str) -> None:
        self.campaign = campaign
        self.fresh = FreshLane()
        self.gold = Lane()
        self.escalated = Lane()
        self._begun: dict[int, Lane] = {}

    def lane_of(self, entry: Entry) -> Lane | None:
        """Where the entry is to be offered now."""
        if entry.is_gold:
            return self.gold
        if entry.needs_adjudicator():
            return self.escalated
        if not entry.has_room():
            return None
        if not entry.holds:
            return self.fresh
        return self._begun.setdefault(entry.priority, Lane())

    def first(self, kind: Kind, annotator: str, exclude: Collection[str]) -> Entry | None:
        """See order.Offers."""
        if kind == "begun":
            return self._first_begun(annotator, exclude)
        lane: Lane = getattr(self, kind)
        return lane.first(annotator, exclude)

    def _first_begun(self, annotator: str, exclude: Collection[str]) -> Entry | None:
        for priority in sorted(self._begun, reverse=True):
            entry = self._begun[priority].first(annotator, exclude)
            if entry is not None:
                return entry
        return None

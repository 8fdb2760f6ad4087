"""Live numbers, counted as records are committed: totals, rates over the last seconds, the last hour in intervals."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from typing import Any

from streams.engines.port import Record
from streams.events import DeadLetter

RATE_SECONDS = 10
INTERVAL_MS = 10_000
INTERVALS = 360  # one hour
ONLINE_MS = 120_000
ERRORS_KEPT = 50
LONGEST_MESSAGE = 500  # characters
HISTORY_TOPICS = ("outputs", "judgments", "preferences")


class LiveCounts:
    """Counts of events by topic. Thread-safe."""

    def __init__(self, started_at: int) -> None:
        self.started_at = started_at
        self._errors: deque[dict[str, Any]] = deque(maxlen=ERRORS_KEPT)
        self._errors_by_place: Counter[str] = Counter()
        self._totals: Counter[str] = Counter()
        self._seconds: deque[tuple[int, Counter[str]]] = deque(maxlen=RATE_SECONDS + 1)
        self._intervals: deque[tuple[int, Counter[str]]] = deque(maxlen=INTERVALS)
        self._seen: dict[str, int] = {}
        self._lock = threading.Lock()

    def load(self, ends: dict[str, int]) -> None:
        """Events that were in the log before counting began, by topic."""
        with self._lock:
            self._totals.update(ends)

    def add(self, records: Sequence[Record], now: int) -> None:
        """Counts committed records."""
        self._count(Counter([record.topic for record in records]), now)
        self.tell_letters(records, now)

    def tell_letters(self, records: Sequence[Record], now: int) -> None:
        """Counts the dead letters among them as errors."""
        for record in records:
            if isinstance(record.event, DeadLetter):
                self.error(now, record.event.stage or "admission", record.event.reason)

    def reach(self, totals: Mapping[str, int], now: int) -> None:
        """Counts up to these totals, where another process counts the records."""
        with self._lock:
            fresh = Counter({topic: total - self._totals[topic] for topic, total in totals.items()})
        self._count(+fresh, now)

    def error(self, now: int, where: str, message: str) -> None:
        """Remembers what went wrong; the same again only moves its time, so that it hides nothing else."""
        with self._lock:
            self._errors_by_place[where] += 1
            newest = self._errors[-1] if self._errors else None
            message = message[:LONGEST_MESSAGE]
            if newest and (newest["where"], newest["message"]) == (where, message):
                self._errors.pop()
            self._errors.append({"at": now, "where": where, "message": message})

    def newest_errors(self) -> list[dict[str, Any]]:
        """What went wrong, oldest first."""
        with self._lock:
            return list(self._errors)

    def errors_by_place(self) -> dict[str, int]:
        """How often something went wrong since the start, by where."""
        with self._lock:
            return dict(self._errors_by_place)

    def seen(self, annotator: str, now: int) -> None:
        """The annotator is here."""
        self._seen[annotator] = now

    def online(self, now: int) -> int:
        """Annotators heard of in the last two minutes."""
        return sum(1 for at in list(self._seen.values()) if now - at < ONLINE_MS)

    def totals(self) -> dict[str, int]:
        """Events by topic."""
        with self._lock:
            return dict(self._totals)

    def topics(self, names: Sequence[str], now: int) -> dict[str, dict[str, float]]:
        """Events and rate a second over the last ten full seconds, by topic."""
        with self._lock:
            first, last = now // 1000 * 1000 - RATE_SECONDS * 1000, now // 1000 * 1000
            recent: Counter[str] = Counter()
            for at, counts in self._seconds:
                if first <= at < last:
                    recent.update(counts)
            return {
                name: {"events": self._totals[name], "rate": round(recent[name] / RATE_SECONDS, 2)} for name in names
            }

    def history(self) -> list[dict[str, int]]:
        """One point an interval, oldest first."""
        with self._lock:
            return [{"at": at, **{topic: counts[topic] for topic in HISTORY_TOPICS}} for at, counts in self._intervals]

    def _count(self, counts: Counter[str], now: int) -> None:
        with self._lock:
            self._totals.update(counts)
            _bin(self._seconds, now // 1000 * 1000).update(counts)
            history = _bin(self._intervals, now // INTERVAL_MS * INTERVAL_MS)
            history.update({topic: counts[topic] for topic in HISTORY_TOPICS})


def _bin(bins: deque[tuple[int, Counter[str]]], at: int) -> Counter[str]:
    if not bins or bins[-1][0] < at:
        bins.append((at, Counter()))
    return bins[-1][1]

"""What the router knows of the annotators, kept in Redis for all replicas; the decisions are those of routing.py."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from services.queue.redis_documents import as_json
from services.queue.redis_store import RedisStore, outages_told
from streams.events import Reliability
from streams.quality.routing import ABOUT, Bar, Grade, about, bar_of, is_refused

_known = msgspec.json.Decoder(Reliability)
_bar = msgspec.json.Decoder(Bar)


def bar_from(stored: str | bytes | None) -> Bar:
    """The bar as it was stored."""
    return _bar.decode(stored) if stored else Bar()


def known_from(stored: str | bytes | None) -> Reliability | None:
    """What is known of an annotator, as it was stored."""
    return _known.decode(stored) if stored else None


class RedisCrowd:
    """As streams.quality.routing.Crowd. One process learns, all of them ask; look.lua notes who asked."""

    def __init__(self, store: RedisStore) -> None:
        self._store = store

    def learn(self, assessed: Collection[tuple[str, Reliability]]) -> None:
        """Takes over what assessments say of their annotators, and finds the bar anew. Raises UnavailableError."""
        if not assessed:
            return
        self._store.put("known", {annotator: as_json(known) for annotator, known in assessed})
        with outages_told():
            heard = bar_from(self._store.client.get(self._store.key("bar"))).heard + len(assessed)
            bar = bar_of(self._known_of([annotator for annotator, _ in self._asked()]), heard)
            self._store.client.set(self._store.key("bar"), as_json(bar))

    def grades(self, annotators: Sequence[str]) -> dict[str, Grade]:
        """Where these annotators stand in the crowd; {} until that is known. Raises UnavailableError."""
        with outages_told():
            bar = bar_from(self._store.client.get(self._store.key("bar")))
            return bar.told(dict(zip(annotators, self._known_of(annotators), strict=True)))

    def is_refused(self, annotator: str, reasons: int) -> bool:
        """Whether this request finds nothing, where so many reasons speak against it. Raises UnavailableError."""
        with outages_told():
            request: int = self._store.client.hincrby(self._store.key("refused"), annotator, 1)
        return is_refused(request, reasons)

    def is_left_to_better(self, bar: Bar, holders: Collection[str], now: int) -> bool:
        """Whether one of the better annotators is about who has not had the task with these holders."""
        with outages_told():
            names = about(self._asked(), holders, now)
            return any(bar.grade(known) == "better" for known in self._known_of(list(names)))

    def _asked(self) -> list[tuple[str, int]]:
        """The last requests: annotator, when (ms); see look.lua."""
        asked = self._store.client.lrange(self._store.key("asked"), 0, ABOUT - 1)
        return [msgspec.json.decode(one, type=tuple[str, int]) for one in asked]

    def _known_of(self, annotators: Sequence[str]) -> list[Reliability | None]:
        """What is known of each."""
        stored = self._store.client.hmget(self._store.key("known"), annotators) if annotators else []
        return [known_from(one) for one in stored]

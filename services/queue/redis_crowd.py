"""What the router knows of the annotators, kept in Redis for all replicas; the decisions are those of routing.py."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from services.queue.redis_documents import as_json
from services.queue.redis_store import RedisStore, outages_told
from streams.events import Reliability
from streams.quality.routing import ABOUT, Bar, about, is_refused

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
        """Takes over what assessments say of their annotators, in their order. Raises UnavailableError.

        Those that come again move the bar again, by a step: it trembles anyway.
        """
        if not assessed:
            return
        with outages_told():
            bar = bar_from(self._store.client.get(self._store.key("bar")))
            for _, known in assessed:
                bar = bar.moved(known.accuracy)
            self._store.client.set(self._store.key("bar"), as_json(bar))
        self._store.put("known", {annotator: as_json(known) for annotator, known in assessed})

    def is_refused(self, annotator: str) -> bool:
        """Whether this request of somebody who is asked seldom is not met. Raises UnavailableError."""
        with outages_told():
            return is_refused(self._store.client.hincrby(self._store.key("refused"), annotator, 1))

    def is_left_to_better(self, bar: Bar, holders: Collection[str], now: int) -> bool:
        """Whether one of the better annotators is about who has not had the task with these holders."""
        with outages_told():
            asked = self._store.client.lrange(self._store.key("asked"), 0, ABOUT - 1)
            names = about([msgspec.json.decode(one, type=tuple[str, int]) for one in asked], holders, now)
            known = self._store.client.hmget(self._store.key("known"), list(names)) if names else []
        return any(bar.grade(known_from(one)) == "better" for one in known)

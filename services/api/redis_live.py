"""Live numbers that the processes of a cluster share through Redis: who is here, and what went wrong anywhere.

They are for looking at, and no truth: a Redis that was lost begins again at nothing, and an outage of it costs numbers,
never a request. Events are counted by the materializer in SQL; see LiveCounts.reach.
"""

from __future__ import annotations

from typing import Any

import msgspec
import redis

from services.api.live import ERRORS_KEPT, LONGEST_MESSAGE, ONLINE_MS, LiveCounts
from services.api.redis_extras import Extras

SEEN_AGAIN_MS = 10_000  # an annotator at work is noted no more often than this


class RedisLive(LiveCounts):
    """See LiveCounts; what annotators and errors concern is that of all processes."""

    def __init__(self, client: redis.Redis, started_at: int, prefix: str = "prefloop") -> None:
        super().__init__(started_at)
        self._redis: Any = client  # redis-py types every answer as perhaps awaitable
        self._keys = f"{{{prefix}}}live:"
        self._extras = Extras("live numbers are missing")

    def error(self, now: int, where: str, message: str) -> None:
        """Remembers what went wrong; the same again only moves its time, so that it hides nothing else."""
        super().error(now, where, message)
        told = {"at": now, "where": where, "message": message[:LONGEST_MESSAGE]}
        self._extras.attempt(lambda: self._tell(told), None)

    def newest_errors(self) -> list[dict[str, Any]]:
        """Of all processes, oldest first; of this one while Redis does not answer."""
        kept = self._extras.attempt(lambda: list(self._redis.lrange(self._keys + "errors", 0, -1)), None)
        return super().newest_errors() if kept is None else [msgspec.json.decode(one) for one in kept]

    def seen(self, annotator: str, now: int) -> None:
        """The annotator is here."""
        if now - self._seen.get(annotator, 0) >= SEEN_AGAIN_MS:
            super().seen(annotator, now)
            self._extras.attempt(lambda: self._redis.zadd(self._keys + "seen", {annotator: now}), None)

    def online(self, now: int) -> int:
        """Annotators heard of in the last two minutes, by any replica."""
        since = now - ONLINE_MS + 1
        found = self._extras.attempt(lambda: int(self._redis.zcount(self._keys + "seen", since, "+inf")), None)
        return super().online(now) if found is None else found

    def _tell(self, told: dict[str, Any]) -> None:
        key = self._keys + "errors"
        newest = self._redis.lindex(key, -1)
        same = newest and {**msgspec.json.decode(newest), "at": 0} == {**told, "at": 0}
        pipe = self._redis.pipeline()
        if same:
            pipe.rpop(key)
        pipe.rpush(key, msgspec.json.encode(told))
        pipe.ltrim(key, -ERRORS_KEPT, -1)
        pipe.execute()

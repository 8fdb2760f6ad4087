"""How often a key may ask: so many requests a minute, evenly or at once, and no more.

The generic cell rate algorithm (ITU-T I.371, "virtual scheduling"): one number a caller, the time at which all that
was used is earned back. In memory for one process, in Redis where several replicas share the allowance.
"""

from __future__ import annotations

import math
import threading
from typing import Protocol

from services.settings import Settings

MINUTE_MS = 60_000
FORGOTTEN_FROM = 10_000  # callers, of whom those with nothing used are forgotten


class Rates(Protocol):
    """A limit of requests."""

    def take(self, caller: str, now: int) -> int:
        """0 where the caller may ask now, else the milliseconds until they may."""
        ...


def next_free(free: float, now: float, each: float, burst: float) -> tuple[float, float]:
    """The new time at which all is earned back, and how long to wait (0: it may pass). All in ms.

    `each` is what a request uses, `burst` how much may be used at once.
    """
    free = max(free, now)
    wait = free + each - now - burst
    return (free, wait) if wait > 0 else (free + each, 0.0)


class MemoryRates:
    """Of one process."""

    def __init__(self, per_minute: int) -> None:
        self._each = MINUTE_MS / per_minute
        self._free: dict[str, float] = {}
        self._lock = threading.Lock()

    def take(self, caller: str, now: int) -> int:
        """See Rates."""
        with self._lock:
            self._free[caller], wait = next_free(self._free.get(caller, 0.0), now, self._each, MINUTE_MS)
            if len(self._free) > FORGOTTEN_FROM:
                self._free = {name: free for name, free in self._free.items() if free > now}
        return math.ceil(wait)


def rates_of(settings: Settings) -> Rates | None:
    """The limit that the settings ask for; None where they ask for none."""
    if not settings.requests_per_minute:
        return None
    if settings.is_cluster:
        from services.api.redis_rates import RedisRates  # redis: 14 MB that one machine does without
        from services.queue.redis_store import connect

        prefix = settings.kafka_prefix.rstrip(".")
        return RedisRates(connect(settings.redis_url), settings.requests_per_minute, prefix)
    return MemoryRates(settings.requests_per_minute)

"""A limit of requests that all replicas share, in Redis. See rates.py for the algorithm."""

from __future__ import annotations

from importlib import resources
from typing import Any

import redis

from services.api.rates import MINUTE_MS
from services.api.redis_extras import Extras


class RedisRates:
    """Shared by all replicas. Where Redis does not answer nobody is limited: it is there to protect, not to stop."""

    def __init__(self, client: redis.Redis, per_minute: int, prefix: str = "prefloop") -> None:
        self._each = MINUTE_MS / per_minute
        self._prefix = f"{{{prefix}}}rate:"
        script = resources.files("services.api").joinpath("rates.lua").read_text(encoding="utf-8")
        self._extras = Extras("requests are not limited")
        self._script: Any = client.register_script(script)

    def take(self, caller: str, now: int) -> int:
        """See Rates."""
        spent = {"keys": [self._prefix + caller], "args": [now, self._each, MINUTE_MS]}
        return self._extras.attempt(lambda: int(self._script(**spent)), 0)

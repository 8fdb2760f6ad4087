"""Redis where it is asked for what a request can do without: live numbers, limits of requests."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import structlog

from services.queue.redis_store import outages_told
from streams.errors import UnavailableError

T = TypeVar("T")
LEFT_ALONE_S = 5.0  # after an outage, so that no request waits for a server that hangs
_log = structlog.get_logger("redis")


class Extras:
    """Attempts that are given up in an outage, and not made again for a while."""

    def __init__(self, missing: str) -> None:
        """`missing` says in the log what nobody gets meanwhile."""
        self._missing = missing
        self._away_until = 0.0

    def attempt(self, act: Callable[[], T], otherwise: T) -> T:
        """What `act` returns, or `otherwise` in an outage."""
        if time.monotonic() < self._away_until:
            return otherwise
        try:
            with outages_told():
                return act()
        except UnavailableError as error:
            self._away_until = time.monotonic() + LEFT_ALONE_S
            _log.warning(self._missing, error=str(error))
            return otherwise

"""Warnings that are logged once, so that an outage does not fill the log of the application."""

from __future__ import annotations

import logging

MOST_KEYS = 256
_logger = logging.getLogger("prefloop_sdk")


class Notices:
    """Says each thing once, until it is over."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def warn(self, key: str, message: str) -> None:
        """Logs a warning the first time this key comes."""
        if key not in self._said and len(self._said) < MOST_KEYS:
            self._said.add(key)
            _logger.warning("%s", message)

    def over(self, key: str, message: str) -> None:
        """Logs that what was warned of is over; next time it is warned of again."""
        if key in self._said:
            self._said.discard(key)
            _logger.info("%s", message)

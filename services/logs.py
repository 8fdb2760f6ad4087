"""Structured logs: one JSON object a line, on standard error, each with the process it comes from."""

from __future__ import annotations

import io
import logging
import sys
from contextlib import suppress
from typing import TextIO, cast

import structlog
from structlog.typing import EventDict, WrappedLogger


class StandardError(io.TextIOBase):
    """Standard error of the moment. A line that it does not take is lost: a log on a full disk must stop no work."""

    def write(self, text: str) -> int:
        """See io.TextIOBase."""
        with suppress(OSError):
            sys.stderr.write(text)
        return len(text)

    def flush(self) -> None:
        """See io.TextIOBase."""
        with suppress(OSError):
            sys.stderr.flush()


def log_to_stderr(level: str, process: str) -> None:
    """`process` is what the operator calls it: up, api, worker, materializer, coordinator, intake, trainer."""

    def named(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
        return {"process": process, **line}

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            named,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, StandardError())),
        cache_logger_on_first_use=False,
    )

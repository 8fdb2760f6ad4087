"""Structured logs: one JSON object a line, on standard error, each with the process it comes from."""

from __future__ import annotations

import logging
import sys

import structlog
from structlog.typing import EventDict, WrappedLogger


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
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )

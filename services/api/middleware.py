"""Around every request: an id, a line in the log, metrics. Pure ASGI: it is the hot path."""

from __future__ import annotations

import itertools
import secrets
import time

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api.metrics import Metrics

SLOW_SECONDS = 1.0
_log = structlog.get_logger("access")


class Observed:
    """Wraps the app. A request's id is in its log lines, in 500 answers, and in the header X-Request-Id."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics
        self._prefix = secrets.token_hex(4)
        self._numbers = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = f"{self._prefix}-{next(self._numbers)}"
        scope["prefloop.request_id"] = request_id
        structlog.contextvars.bind_contextvars(request_id=request_id)
        begin = time.perf_counter()
        status = 500

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *_headers(request_id)]
            await send(message)

        try:
            await self._app(scope, receive, observed)
        finally:
            self._note(scope, status, time.perf_counter() - begin)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = scope.get("prefloop.path", "other")
        self._metrics.observe(scope["method"], route, status, seconds)
        if status >= 400 or seconds > SLOW_SECONDS:  # what went well is in the metrics
            ms = round(seconds * 1000, 1)
            _log.info("request", method=scope["method"], path=route, status=status, ms=ms, **_why(scope))


def _why(scope: Scope) -> dict[str, str]:
    """Code and field of a refusal. Not its message, which may quote what somebody wrote."""
    refused = scope.get("prefloop.refused")
    return {"code": refused.code, "field": refused.field} if refused else {}


def _headers(request_id: str) -> list[tuple[bytes, bytes]]:
    return [(b"x-request-id", request_id.encode()), (b"x-content-type-options", b"nosniff")]

"""Endpoints as values: path, types and examples in one place, registered with roles checked and errors answered."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import structlog
from fastapi import FastAPI
from sqlalchemy.exc import DataError, OperationalError, SQLAlchemyError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from services.api.auth import Caller
from services.api.context import HELD_SLASH, Call, Context
from services.api.errors import Refusal, TooManyError, input_answer, outage_answer, unexpected_answer
from services.api.middleware import Observed
from services.api.roles import PUBLIC, TABLE, Roles
from streams.errors import ForbiddenError, InputError, UnavailableError

NOBODY = Caller(key_id="", role="annotator")
_log = structlog.get_logger("api")


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One route. `body` is the request's struct; `answers` maps a status to an example of its body."""

    method: str
    path: str
    answer: Callable[[Call], Awaitable[Response]]
    summary: str
    tag: str
    body: Any = None
    example: Any = None
    answers: dict[int, Any] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)  # name -> description
    streams: bool = False  # also answers NDJSON
    takes_batches: bool = False  # {"outputs": [...]} and NDJSON too
    media_type: str = "application/json"


class Door:
    """The ASGI side of an endpoint: who may pass, and every error answered.

    A plain route and not a FastAPI operation: bodies are decoded by msgspec and the OpenAPI document is our own
    (services/api/openapi.py), so what FastAPI would do around a function is only time.
    """

    def __init__(self, context: Context, endpoint: Endpoint, roles: Roles) -> None:
        self._answer = _guarded(context, endpoint, roles)
        self._path = endpoint.path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        scope["prefloop.path"] = self._path  # the template, for metrics and log
        response = await self._answer(Request(scope, receive, send))
        if isinstance(response, Refusal):
            scope["prefloop.refused"] = response.error
        await response(scope, receive, send)


class App(FastAPI):
    """FastAPI, with a short way past its middleware for endpoints whose path is fixed: one look-up finds them."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.doors: dict[tuple[str, str], ASGIApp] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if b"%2F" in scope.get("raw_path", b"").upper():
            scope["path"] = one_part_each(scope["raw_path"])
        door = self.doors.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        scope["app"] = self
        await (door or super().__call__)(scope, receive, send)


def one_part_each(raw_path: bytes) -> str:
    """The path, encoded slashes as HELD_SLASH: ids hold slashes, and servers decode before routes are matched."""
    return unquote(raw_path.decode("ascii").replace("%2F", HELD_SLASH).replace("%2f", HELD_SLASH))


def register(app: App, context: Context, endpoint: Endpoint) -> None:
    """Adds the endpoint. Raises KeyError where the role table does not know it."""
    door = Door(context, endpoint, TABLE[endpoint.method, endpoint.path])
    if not path_names(endpoint.path):
        app.doors[endpoint.method, endpoint.path] = Observed(door, context.metrics)
    app.router.routes.append(Route(endpoint.path, door, methods=[endpoint.method], name=endpoint.answer.__name__))


def path_names(path: str) -> list[str]:
    """The names of the parts of a path."""
    return re.findall(r"{(\w+)}", path)


def _guarded(context: Context, endpoint: Endpoint, roles: Roles) -> Callable[[Request], Awaitable[Response]]:
    async def guarded(request: Request) -> Response:
        try:
            caller = await _allowed(context, request, roles)
            return await endpoint.answer(Call(request, context, caller))
        except InputError as error:
            return input_answer(error)
        except TooManyError as error:
            return outage_answer(error)
        except UnavailableError as error:
            await context.note(endpoint.path, str(error))
            return outage_answer(error)
        except DataError as error:
            return input_answer(_unfit(error))
        except SQLAlchemyError as error:
            return await _outage(context, endpoint, error)
        except Exception as error:
            await context.note(endpoint.path, f"{type(error).__name__}: {error}")
            request_id = request.scope.get("prefloop.request_id", "")
            _log.error("unexpected", path=endpoint.path, exc_info=True)
            return unexpected_answer(request_id)

    return guarded


async def _allowed(context: Context, request: Request, roles: Roles) -> Caller:
    """Who calls. Raises UnauthorizedError, ForbiddenError, TooManyError."""
    if roles is PUBLIC:
        return NOBODY
    caller = await context.caller(request.headers.get("authorization", ""))
    if caller.role not in roles:
        raise ForbiddenError(
            f"the role {caller.role} may not do this",
            mend=f"use a key with one of the roles: {', '.join(sorted(roles))}",
        )
    await context.check_rate(caller.key_id)
    if caller.annotator:
        await context.ask(lambda: context.live.seen(caller.annotator, context.clock()))
    return caller


def _unfit(error: DataError) -> InputError:
    """PostgreSQL takes no NUL and no number beyond a column's, not even to look for it."""
    return InputError(f"a value cannot be looked for: {error.orig}", mend="send no NUL, and no huge numbers")


async def _outage(context: Context, endpoint: Endpoint, error: SQLAlchemyError) -> Response:
    await context.note(endpoint.path, str(error))
    away = isinstance(error, OperationalError)  # everybody's requests meet it: one line each says enough
    _log.error("database", path=endpoint.path, error=str(error), exc_info=not away)
    outage = UnavailableError("the database could not be used")
    outage.__cause__ = error
    return outage_answer(outage)

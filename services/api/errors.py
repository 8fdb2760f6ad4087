"""Error families as HTTP answers; every body says what to do."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import msgspec
from starlette.responses import Response

from streams.errors import (
    ConflictError,
    ForbiddenError,
    GoneError,
    InputError,
    NotFoundError,
    UnavailableError,
)


class BodyError(InputError):
    """The body is not JSON, or not UTF-8."""


class UnauthorizedError(InputError):
    """No key, or none that is in force."""


class TooLargeError(InputError):
    """More than a request may hold."""


class TooManyError(UnavailableError):
    """The caller asks more often than the limit allows."""


class ErrorBody(msgspec.Struct, kw_only=True):
    """What is wrong, where, and what to do."""

    code: str
    message: str
    field: str
    mend: str


class ErrorAnswer(msgspec.Struct, kw_only=True):
    """The body of every 4xx and 5xx."""

    error: ErrorBody


FAMILIES: tuple[tuple[type[InputError], int, str], ...] = (
    (BodyError, 400, "bad_request"),
    (UnauthorizedError, 401, "unauthorized"),
    (ForbiddenError, 403, "forbidden"),
    (NotFoundError, 404, "not_found"),
    (ConflictError, 409, "conflict"),
    (GoneError, 410, "gone"),
    (TooLargeError, 413, "too_large"),
    (InputError, 422, "invalid"),
)
CODES = {404: "not_found", 405: "bad_request"}
SEE_DOCS = "see /docs for what there is"


def body_of(error: InputError) -> tuple[int, ErrorBody]:
    """Status and body for an error of the input."""
    status, code = next((status, code) for family, status, code in FAMILIES if isinstance(error, family))
    mend = error.mend or SEE_DOCS
    return status, ErrorBody(code=code, message=str(error), field=error.field, mend=mend)


class Refusal(Response):
    """The error as a response; `error` is for the log."""

    def __init__(self, status: int, error: ErrorBody, headers: dict[str, str] | None) -> None:
        super().__init__(msgspec.json.encode(ErrorAnswer(error=error)), status, headers, media_type="application/json")
        self.error = error


def answer(status: int, body: ErrorBody, headers: dict[str, str] | None = None) -> Response:
    """The error as a response."""
    return Refusal(status, body, headers)


def input_answer(error: InputError) -> Response:
    """4xx."""
    status, body = body_of(error)
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return answer(status, body, headers)


def outage_answer(error: UnavailableError) -> Response:
    """503, 429 for who asks too often, 507 where the disk is full; nothing was acknowledged."""
    full = any("disk is full" in str(cause) for cause in _causes(error) if isinstance(cause, sqlite3.OperationalError))
    status, code = (507, "storage_full") if full else _outage(error)
    retry_after = max(error.retry_after, 30 if full else 1)
    mend = f"{'free space on the disk of the data folder, then ' if full else ''}try again in {retry_after} s"
    body = ErrorBody(code=code, message=str(error), field="", mend=mend)
    return answer(status, body, {"Retry-After": str(retry_after)})


def _outage(error: UnavailableError) -> tuple[int, str]:
    return (429, "too_many") if isinstance(error, TooManyError) else (503, "unavailable")


def unexpected_answer(request_id: str) -> Response:
    """500: a bug here. The reason is in the log, under the request's id."""
    message = "something went wrong on our side; it is in the service's log"
    mend = f"try again; if it stays, report it with the request id {request_id}"
    return answer(500, ErrorBody(code="unexpected", message=message, field="", mend=mend))


def http_answer(status: int, path: str, headers: dict[str, str] | None = None) -> Response:
    """What the router itself refuses: an unknown path or method."""
    message = f"{path} does not take this method" if status == 405 else f"there is nothing at {path}"
    body = ErrorBody(code=CODES.get(status, "bad_request"), message=message, field="", mend=SEE_DOCS)
    return answer(status, body, headers)


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = getattr(cause, "orig", None) or cause.__cause__

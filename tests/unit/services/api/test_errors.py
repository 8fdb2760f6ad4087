"""Error families as answers."""

from __future__ import annotations

import json
import sqlite3

import pytest
from sqlalchemy.exc import OperationalError
from starlette.responses import Response

from services.api import errors
from services.api.errors import BodyError, TooLargeError, UnauthorizedError, input_answer, outage_answer
from streams.errors import ConflictError, ForbiddenError, GoneError, InputError, NotFoundError, UnavailableError

FULL = sqlite3.OperationalError("database or disk is full")


def error_of(answer: Response) -> dict[str, str]:
    error: dict[str, str] = json.loads(bytes(answer.body))["error"]
    return error


@pytest.mark.parametrize(
    ("family", "status", "code"),
    [
        (BodyError, 400, "bad_request"),
        (UnauthorizedError, 401, "unauthorized"),
        (ForbiddenError, 403, "forbidden"),
        (NotFoundError, 404, "not_found"),
        (ConflictError, 409, "conflict"),
        (GoneError, 410, "gone"),
        (TooLargeError, 413, "too_large"),
        (InputError, 422, "invalid"),
    ],
)
def test_every_family_has_its_status(family: type[InputError], status: int, code: str) -> None:
    answer = input_answer(family("it is wrong", field="f", mend="mend it"))
    assert answer.status_code == status
    assert error_of(answer) == {"code": code, "message": "it is wrong", "field": "f", "mend": "mend it"}
    assert ("www-authenticate" in answer.headers) == (status == 401)


def test_no_error_is_without_a_mend() -> None:
    assert error_of(input_answer(InputError("wrong")))["mend"] == errors.SEE_DOCS


def caused(cause: Exception) -> UnavailableError:
    error = UnavailableError("not written", retry_after=2)
    error.__cause__ = cause
    return error


@pytest.mark.parametrize("cause", [FULL, OperationalError("INSERT", {}, FULL), caused(FULL)])
def test_a_full_disk_is_found_however_deep(cause: Exception) -> None:
    answer = outage_answer(caused(cause))
    assert (answer.status_code, answer.headers["retry-after"]) == (507, "30")


def test_any_other_outage_is_503() -> None:
    answer = outage_answer(caused(sqlite3.OperationalError("database is locked")))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")


def test_a_wrong_method_and_a_wrong_path() -> None:
    assert error_of(errors.http_answer(405, "/v1/me"))["code"] == "bad_request"
    assert "nothing at /x" in error_of(errors.http_answer(404, "/x"))["message"]

"""The API's client: what docs/api.md says, over HTTP, with a person's key. No Streamlit in here."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import Any

import httpx

from streams.errors import PrefloopError, UnavailableError

# How `python -m dashboard` tells its pages the service and, where wanted, a key.
SERVER_VARIABLE, KEY_VARIABLE = "PREFLOOP_DASHBOARD_SERVER", "PREFLOOP_DASHBOARD_KEY"
TIMEOUT = httpx.Timeout(5.0, connect=1.5)  # seconds; a page waits for the answer
REPORT, REPORT_TIMEOUT = "/v1/quality/", httpx.Timeout(30.0, connect=1.5)  # statistics over 20,000 judgments
ACTION_TIMEOUT = httpx.Timeout(60.0, connect=1.5)  # a large batch is weighed again when it is cut: ten seconds and more
ELSEWHERE = "something else may answer there: name the service's address (PREFLOOP_SERVER)"
OUTAGES = (502, 503, 504, 507)


class RefusedError(PrefloopError):
    """The service said no: `status`, `code` and `mend` are its error body's (docs/api.md, Errors)."""

    def __init__(self, status: int, code: str, message: str, mend: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.mend = mend


def refusal(response: httpx.Response) -> PrefloopError:
    """The error that a 4xx or 5xx response stands for."""
    status = response.status_code
    try:
        error = response.json()["error"]
        refused = RefusedError(status, error["code"], error["message"], error.get("mend") or "")
    except (ValueError, KeyError, TypeError):
        refused = None
    if status in OUTAGES:
        return UnavailableError(f"the service answers {status} for now{f': {refused}' if refused else ''}")
    return refused or RefusedError(status, "unknown", f"HTTP {status} from {response.url.path}", ELSEWHERE)


def _json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError as error:
        told = f"no JSON from {response.url.path}"
        raise RefusedError(response.status_code, "unknown", told, ELSEWHERE) from error


@dataclass(frozen=True)
class Client:
    """One service; safe to share between threads. Every call names the key it acts with."""

    http: httpx.Client

    def get(self, key: str, path: str, **query: str | int) -> Any:
        """The JSON at `path` (RefusedError for a 4xx or 5xx, UnavailableError where the service cannot be reached)."""
        patience = REPORT_TIMEOUT if path.startswith(REPORT) else TIMEOUT
        return _json(self._send("GET", key, path, patience, params=query))

    def post(self, key: str, path: str, body: dict[str, Any]) -> Any:
        """What the service answers to `body`; errors as for `get`."""
        response = self._send("POST", key, path, ACTION_TIMEOUT, json=body)
        return _json(response) if response.content else {}

    def put(self, key: str, path: str, body: dict[str, Any]) -> Any:
        """What the service answers to `body`; errors as for `get`."""
        return _json(self._send("PUT", key, path, ACTION_TIMEOUT, json=body))

    def delete(self, key: str, path: str) -> None:
        """Errors as for `get`."""
        self._send("DELETE", key, path, ACTION_TIMEOUT)

    def pages(self, key: str, path: str, name: str, identity: str, most: int = 5_000) -> list[dict[str, Any]]:
        """The list `name` of `path`, all its pages up to `most` rows; `identity` is the field that `after` names."""
        rows: list[dict[str, Any]] = []
        query: dict[str, str | int] = {"limit": 1_000}
        while len(rows) < most:
            page = self.get(key, path, **query)[name]
            rows += page
            if len(page) < 1_000:
                break
            query["after"] = page[-1][identity]
        return rows[:most]

    def lines(self, key: str, path: str) -> Generator[str, None, None]:
        """The lines of the NDJSON at `path`, as they come; errors as for `get`."""
        headers = {**_headers(key), "Accept": "application/x-ndjson"}
        try:
            with self.http.stream("GET", path, headers=headers) as response:
                if response.is_error:
                    response.read()
                    raise refusal(response)
                yield from filter(None, _lines(response.iter_bytes()))
        except httpx.TransportError as error:
            raise self._unreachable(error) from error

    def first_lines(self, key: str, path: str, lines: int) -> list[dict[str, Any]]:
        """The first `lines` rows of the NDJSON at `path`; the rest is not read."""
        with closing(self.lines(key, path)) as rows:
            return [json.loads(line) for line in islice(rows, lines)]

    def healthy(self, path: str) -> bool:
        """Whether `/healthz` or `/readyz` says yes."""
        try:
            return self.http.get(path).is_success
        except httpx.TransportError:
            return False

    def _send(self, method: str, key: str, path: str, patience: httpx.Timeout, **content: Any) -> httpx.Response:
        try:
            request = self.http.build_request(method, path, headers=_headers(key), timeout=patience, **content)
            response = self.http.send(request)
        except httpx.ReadTimeout as error:
            mend = "it is busy: try again" if method == "GET" else "look what became of it before you ask again"
            late = f"the service has not answered {method} {path} within {patience.read:.0f} s: {mend}"
            raise UnavailableError(late) from error
        except httpx.TransportError as error:
            raise self._unreachable(error) from error
        if response.is_error:
            raise refusal(response)
        return response

    def _unreachable(self, error: httpx.TransportError) -> UnavailableError:
        where = str(self.http.base_url).rstrip("/")
        mend = "start it (`prefloop up`), or name its address (PREFLOOP_SERVER)"
        return UnavailableError(f"the service cannot be reached at {where} ({error}): {mend}")


def _lines(pieces: Iterable[bytes]) -> Iterator[str]:
    """By newline alone: httpx would also cut at characters that JSON leaves bare in a text, such as U+2028."""
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        yield from (line.decode() for line in lines)
    yield rest.decode()


def _headers(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def connect(server: str) -> Client:
    """The client of the service at the base URL `server`, with a pool of connections."""
    return Client(httpx.Client(base_url=server, timeout=TIMEOUT))

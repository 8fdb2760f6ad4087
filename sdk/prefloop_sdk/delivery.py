"""Entries over HTTP: what was taken, what can never be taken, and what is worth another try."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from email.utils import parsedate_to_datetime
from itertools import groupby
from typing import Any, NamedTuple

import httpx

from prefloop_sdk.entries import Entry

PERMANENT = {"bad_request", "not_found", "conflict", "gone", "too_large", "invalid"}  # codes of docs/api.md
MOST_RETRY_AFTER = 300.0  # seconds; a service that asks for more is asked again after this
MENDS = {
    401: "the key is unknown: give Prefloop(key=...) a key that is valid",
    403: "the key may not send outputs: it needs the role producer",
    404: "there is no prefloop at this address: check Prefloop(url=...)",
}


class ServiceAwayError(Exception):
    """Nothing is lost, try again; not before `retry_after` seconds, where the service said so."""

    def __init__(self, reason: str, retry_after: float = 0.0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after


class Tally(NamedTuple):
    """What became of some entries; `faults` are words for the first of those rejected."""

    sent: int = 0
    duplicates: int = 0
    rejected: int = 0
    faults: tuple[str, ...] = ()

    def plus(self, other: Tally) -> Tally:
        """Both together."""
        return Tally(
            self.sent + other.sent,
            self.duplicates + other.duplicates,
            self.rejected + other.rejected,
            (self.faults + other.faults)[:10],
        )


class Delivery:
    """Speaks to the service. Used by one thread at a time."""

    def __init__(self, url: str, key: str, timeout: float) -> None:
        self._base = f"{url.rstrip('/')}/v1"
        self._headers = {"Authorization": f"Bearer {key}", "User-Agent": "prefloop-sdk/0.1.0"}
        self._timeout = timeout
        self._http: httpx.Client | None = None

    def send(self, entries: Iterable[Entry]) -> Tally:
        """Sends them in order. Raises ServiceAwayError; then some of them may have been taken, and are known again."""
        tally = Tally()
        for kind, group in groupby(entries, key=lambda entry: entry.kind):
            bodies = [entry.body for entry in group]
            if kind == "o":
                tally = tally.plus(self._send_outputs(bodies))
            else:
                for body in bodies:
                    tally = tally.plus(self._send_signal(body))
        return tally

    def forget(self) -> None:
        """Drops connections without a word, after a fork: they are the parent's."""
        self._http = None

    def close(self) -> None:
        """Closes the connections."""
        if self._http is not None:
            self._http.close()

    def _send_outputs(self, bodies: Sequence[bytes]) -> Tally:
        answer = self._post("/outputs", b"\n".join(bodies), "application/x-ndjson")
        if answer.is_success:
            return _batch_tally(answer, len(bodies))
        if len(bodies) == 1:
            return Tally(rejected=1, faults=(_fault(answer),))
        middle = len(bodies) // 2  # the request as a whole was refused: find the one that spoils it
        return self._send_outputs(bodies[:middle]).plus(self._send_outputs(bodies[middle:]))

    def _send_signal(self, body: bytes) -> Tally:
        answer = self._post("/signals", body, "application/json")
        if not answer.is_success:
            return Tally(rejected=1, faults=(_fault(answer),))
        _json_of(answer)
        return Tally(sent=1) if answer.status_code == 201 else Tally(duplicates=1)

    def _post(self, path: str, content: bytes, content_type: str) -> httpx.Response:
        """The answer, a success or a refusal for good; everything else raises ServiceAwayError."""
        if self._http is None:
            self._http = httpx.Client(headers=self._headers, timeout=self._timeout)
        try:
            answer = self._http.post(self._base + path, content=content, headers={"Content-Type": content_type})
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ServiceAwayError(f"{type(error).__name__}: {error}") from error
        if answer.is_success or _is_permanent(answer):
            return answer
        mend = MENDS.get(answer.status_code, "")
        raise ServiceAwayError(f"HTTP {answer.status_code} {mend}".strip(), _retry_after(answer))


def _is_permanent(answer: httpx.Response) -> bool:
    """A refusal of the content itself, by prefloop or (too large) by a proxy before it."""
    return answer.status_code == 413 or (answer.is_client_error and _error_of(answer).get("code") in PERMANENT)


def _error_of(answer: httpx.Response) -> dict[str, Any]:
    """The error of docs/api.md in the answer, {} where somebody else answered."""
    try:
        error = answer.json()["error"]
    except (ValueError, LookupError, TypeError):
        return {}
    return error if isinstance(error, dict) else {}


def _fault(answer: httpx.Response) -> str:
    error = _error_of(answer)
    return f"{error.get('message') or f'HTTP {answer.status_code}'} ({error.get('mend') or 'no mend given'})"


def _json_of(answer: httpx.Response) -> dict[str, Any]:
    """The answer's object; a page of somebody in between (a proxy, a sign-in) is no acknowledgement."""
    try:
        found = answer.json()
    except ValueError as error:
        raise ServiceAwayError("the answer is not JSON: is something else at this address?") from error
    if not isinstance(found, dict):
        raise ServiceAwayError("the answer is no object: is something else at this address?")
    return found


def _batch_tally(answer: httpx.Response, count: int) -> Tally:
    found = _json_of(answer)
    try:
        tally = Tally(int(found["accepted"]), int(found["duplicates"]), int(found["rejected"]))
        faults = tuple(f"{e['id']}: {e['message']} ({e['mend']})" for e in found["errors"][:10])
    except (LookupError, TypeError, ValueError) as error:
        raise ServiceAwayError("the answer is not prefloop's: is something else at this address?") from error
    if tally.sent + tally.duplicates + tally.rejected != count:
        raise ServiceAwayError(f"{count} outputs were sent, the answer counts others: {tally[:3]}")
    return tally._replace(faults=faults)


def _retry_after(answer: httpx.Response) -> float:
    """Seconds, from either form of the header (RFC 9110, 10.2.3); 0 where there is none that can be read."""
    value = answer.headers.get("retry-after", "")
    try:
        seconds = float(value) if value.isdigit() else parsedate_to_datetime(value).timestamp() - time.time()
    except (TypeError, ValueError):
        return 0.0
    return min(max(seconds, 0.0), MOST_RETRY_AFTER)

"""Who looks, and what they see: the person's key, and answers of the service shared for a moment between viewers.

Answers are cached for two seconds by role (everyone of a role sees the same), so the service is asked no more often
for thirty viewers than for one. A person's key is checked again every ten seconds. The last answer is kept with its
time, so that a page goes on showing something while the service is away.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from dashboard import palette, wording
from dashboard.client import KEY_VARIABLE, SERVER_VARIABLE, Client, RefusedError, connect
from streams.errors import UnavailableError

SHARED_S, IDENTITY_S = 2, 10  # how long an answer and an identity are kept
UNAUTHORIZED, FORBIDDEN = 401, 403

Answer = tuple[int, Any]  # when it was fetched (ms), what


@dataclass(frozen=True)
class Watched:
    """The newest answer there is: `at` in ms; `away` where it could not be refreshed, `refused` where it may not be."""

    value: Any = None
    at: int = 0
    away: bool = False
    refused: RefusedError | None = None

    @property
    def as_of(self) -> int:
        """When the service worked a report out, ms; 0 for what is always as it is now."""
        return int(self.value.get("as_of", 0)) if isinstance(self.value, dict) else 0

    @property
    def newest(self) -> int:
        """How many of the newest a report is of, where it leaves older ones out; 0 where it is of all."""
        return int(self.value.get("newest") or 0) if isinstance(self.value, dict) else 0


def now() -> int:
    """The dashboard's clock, ms."""
    return int(time.time() * 1000)


def server() -> str:
    """The service's base URL."""
    return os.environ.get(SERVER_VARIABLE, "http://127.0.0.1:8080")


def public_url() -> str:
    """How people reach the service, for what they are to copy: not always how the dashboard does."""
    return os.environ.get("PREFLOOP_PUBLIC_URL", "").rstrip("/") or server()


def pasted(command: str) -> str:
    """The command as it works in any terminal: it begins with which service is meant, and a place for the key."""
    return f"export PREFLOOP_SERVER={public_url()}\nexport PREFLOOP_KEY=plk_...  # your key\n{command}"


@st.cache_resource(show_spinner=False)
def _connection(address: str) -> Client:
    return connect(address)


def client() -> Client:
    """The connection to the service, one a process."""
    found: Client = _connection(server())
    return found


def colours() -> palette.Palette:
    """For the theme that this viewer's browser shows."""
    return palette.palette(st.context.theme.type)


def zone() -> ZoneInfo | None:
    """This viewer's time zone, where the browser tells it."""
    try:
        return ZoneInfo(st.context.timezone) if st.context.timezone else None
    except (ZoneInfoNotFoundError, ValueError):
        return None


# ---------------------------------------------------------------- the person's key


def key() -> str:
    """The key this session acts with; "" when signed out."""
    if "key" not in st.session_state:
        st.session_state["key"] = os.environ.get(KEY_VARIABLE, "")
    found: str = st.session_state["key"]
    return found


def sign_in(secret: str) -> None:
    """Act with this key from now on (RefusedError, UnavailableError: still signed out)."""
    _identity(server(), secret)
    st.session_state["key"] = secret


def sign_out(reason: str = "") -> None:
    """Forget the key and everything seen with it."""
    st.session_state.clear()
    st.session_state["key"] = ""
    st.session_state["signed_out"] = reason


@st.cache_data(ttl=IDENTITY_S, max_entries=1_000, show_spinner=False)
def _identity(address: str, secret: str) -> dict[str, Any]:
    found: dict[str, Any] = _connection(address).get(secret, "/v1/me")
    return found


def identity() -> Watched:
    """Whose key it is: the answer of /v1/me. A key that is not known any more signs out."""
    try:
        return _remember("identity", (now(), _identity(server(), key())))
    except UnavailableError:
        return _remembered("identity")
    except RefusedError as error:
        sign_out(f"{error}. {error.mend}")
        st.rerun()
    raise AssertionError("st.rerun() ends this run")


def role() -> str:
    """The role of this session's key; "" while it is not known."""
    return str((identity().value or {}).get("role", ""))


# ---------------------------------------------------------------- watching and acting


@st.cache_data(ttl=SHARED_S, max_entries=500, show_spinner=False)
def _answer(address: str, role: str, path: str, query: tuple[tuple[str, str | int], ...], _secret: str) -> Answer:
    return now(), _connection(address).get(_secret, path, **dict(query))


@st.cache_data(ttl=SHARED_S, max_entries=50, show_spinner=False)
def _listing(address: str, role: str, path: str, name: str, identity: str, _secret: str) -> Answer:
    return now(), _connection(address).pages(_secret, path, name, identity)


@st.cache_data(ttl=300, max_entries=50, show_spinner=False)
def _lines(address: str, role: str, path: str, lines: int, _secret: str) -> Answer:
    return now(), _connection(address).first_lines(_secret, path, lines)


def part(name: str) -> str:
    """A name as one part of a path: the ids of recorded annotators have a slash in them."""
    return quote(name, safe="")


def watch(path: str, **query: str | int) -> Watched:
    """The answer of a GET, at most two seconds old, or the last one there was."""
    asked = tuple(sorted(query.items()))
    return _watched(f"{path}?{asked}", lambda: _answer(server(), role(), path, asked, key()))


def watch_all(path: str, name: str, identity: str) -> Watched:
    """All pages of a list (up to 5,000 rows); the value is the list."""
    return _watched(path, lambda: _listing(server(), role(), path, name, identity, key()))


def watch_people() -> Watched:
    """All annotators, with names that tell them apart."""
    found = watch_all("/v1/annotators", "annotators", "annotator")
    return replace(found, value=wording.told_apart(found.value)) if found.value else found


def watch_lines(path: str, lines: int) -> Watched:
    """The first rows of an NDJSON answer that never changes; the value is the list."""
    return _watched(f"{path}#{lines}", lambda: _lines(server(), role(), path, lines, key()))


def _watched(name: str, fetch: Any) -> Watched:
    try:
        return _remember(name, fetch())
    except UnavailableError:
        return _remembered(name)
    except RefusedError as error:
        if error.status == UNAUTHORIZED:
            sign_out(str(error))
            st.rerun()
        return Watched(refused=error, at=now())


def _remember(name: str, answer: Answer) -> Watched:
    st.session_state.setdefault("seen", {})[name] = answer
    return Watched(value=answer[1], at=answer[0])


def _remembered(name: str) -> Watched:
    at, value = st.session_state.get("seen", {}).get(name, (0, None))
    return Watched(value=value, at=at, away=True)


def act(path: str, body: dict[str, Any], done: str) -> str:
    """POST as this person. Returns "" and lets the pages look anew, or says what went wrong and what to do."""
    try:
        client().post(key(), path, body)
    except RefusedError as error:
        return f"{error} {error.mend}".strip()
    except UnavailableError:
        return "The service cannot be reached right now; nothing was changed. Try again in a moment."
    _answer.clear()
    _listing.clear()
    st.session_state["done"] = done
    return ""

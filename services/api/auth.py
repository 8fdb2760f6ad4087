"""Keys: made once, shown once, kept as a hash, and looked up in microseconds."""

from __future__ import annotations

import hashlib
import hmac
import math
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import msgspec
import sqlalchemy
from sqlalchemy import Connection, Row, bindparam, insert, select, update

from services.api.errors import UnauthorizedError
from services.api.roles import Role
from services.store import models as m

PREFIX = "plk"
JUDGING: tuple[Role, ...] = ("annotator", "adjudicator", "model")  # who have an id of their own in the log
MEND = "send a key in force: `Authorization: Bearer plk_...`; an admin makes keys with POST /v1/keys"


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """Who a request comes from."""

    key_id: str
    role: Role
    annotator: str = ""  # the opaque id in the log, for those who judge
    name: str = ""
    skills: frozenset[str] = frozenset()

    @property
    def actor(self) -> str:
        """As it stands in the envelope of events."""
        return f"annotator:{self.annotator}" if self.role in JUDGING else f"key:{self.key_id}"


@dataclass(frozen=True, kw_only=True, slots=True)
class NewKey:
    """A key before it is stored. `key` is told to its owner, once, and never stored or logged."""

    caller: Caller
    key: str
    secret_hash: str


def make_key(role: Role, name: str, *, annotator: str = "", skills: Sequence[str] = (), key: str = "") -> NewKey:
    """A new random key, or the given one (of the form plk_<id>_<secret>)."""
    key_id, secret = parse_key(key) if key else (secrets.token_hex(6), secrets.token_urlsafe(24))
    caller = Caller(key_id=key_id, role=role, annotator=annotator, name=name, skills=frozenset(skills))
    return NewKey(caller=caller, key=f"{PREFIX}_{key_id}_{secret}", secret_hash=hash_secret(secret))


def store_key(sql: Connection, new: NewKey, now: int) -> None:
    """Writes the key, and the annotator it belongs to, inside the writer's transaction."""
    caller = new.caller
    row = {"key_id": caller.key_id, "secret_hash": new.secret_hash, "role": caller.role, "annotator": caller.annotator}
    sql.execute(insert(m.keys).values(**row, name=caller.name, created_at=now, revoked_at=0))
    if caller.annotator:
        person = {"annotator": caller.annotator, "name": caller.name, "skills": sorted(caller.skills)}
        sql.execute(insert(m.annotators).values(**person, created_at=now))


def revoke_key(sql: Connection, key_id: str, now: int) -> bool:
    """False where there is no such key in force."""
    in_force = (m.keys.c.key_id == key_id, m.keys.c.revoked_at == 0)
    return sql.execute(update(m.keys).where(*in_force).values(revoked_at=now)).rowcount > 0


def new_annotator_id() -> str:
    """An opaque id: nothing in the log tells who the person is."""
    return f"an_{secrets.token_hex(8)}"


def parse_key(key: str) -> tuple[str, str]:
    """(id, secret). Raises UnauthorizedError."""
    prefix, _, rest = key.partition("_")
    key_id, _, secret = rest.partition("_")
    if prefix != PREFIX or not key_id or not secret:
        raise UnauthorizedError("this is no prefloop key: they look like plk_<id>_<secret>", mend=MEND)
    return key_id, secret


def hash_secret(secret: str) -> str:
    """SHA-256: the secrets are random and long, so that a slow hash would add nothing."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


_IN_FORCE = (  # made once: it is the first thing asked of every key, by many at the same moment when work begins
    select(m.keys, m.annotators.c.skills)
    .outerjoin(m.annotators, m.keys.c.annotator == m.annotators.c.annotator)
    .where(m.keys.c.key_id == bindparam("asked"), m.keys.c.revoked_at == 0)
)

Known = tuple[str, Caller, float]  # hash of the secret, caller, until when that is believed


class Keyring:
    """The keys in force, read once each, or once in a while."""

    def __init__(
        self,
        database: sqlalchemy.Engine,
        *,
        fresh_s: float = math.inf,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        """`fresh_s`: for so long a key is believed without a look; where other processes revoke keys too."""
        self._database = database
        self._fresh_s = fresh_s
        self._timer = timer
        self._known: dict[str, Known] = {}
        self._lock = threading.Lock()

    def caller(self, authorization: str) -> Caller:
        """Who sent this Authorization header; may read the database. Raises UnauthorizedError."""
        if (recalled := self.recalled(authorization)) is not None:
            return recalled
        key_id, secret = _sent(authorization)
        return _proven(self._read(key_id), secret)

    def recalled(self, authorization: str) -> Caller | None:
        """The same from memory; None where the database has to be asked. Raises UnauthorizedError."""
        key_id, secret = _sent(authorization)
        known = self._known.get(key_id)
        return None if known is None or known[2] < self._timer() else _proven(known, secret)

    def forget(self, key_id: str) -> None:
        """The key was revoked."""
        with self._lock:
            self._known.pop(key_id, None)

    def _read(self, key_id: str) -> Known | None:
        with self._lock, self._database.connect() as sql:
            row = sql.execute(_IN_FORCE, {"asked": key_id}).first()
            if row is None:
                return None
            self._known[key_id] = row.secret_hash, _caller_of(row), self._timer() + self._fresh_s
            return self._known[key_id]


def _sent(authorization: str) -> tuple[str, str]:
    scheme, _, key = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise UnauthorizedError("no key was sent", mend=MEND)
    return parse_key(key.strip())


def _proven(known: Known | None, secret: str) -> Caller:
    if known is None or not hmac.compare_digest(known[0], hash_secret(secret)):
        raise UnauthorizedError("this key is not in force: it is unknown or was revoked", mend=MEND)
    return known[1]


def _caller_of(row: Row[Any]) -> Caller:
    skills = row.skills if row.skills is not None else ()
    role = cast(Role, msgspec.convert(row.role, Role))
    return Caller(key_id=row.key_id, role=role, annotator=row.annotator, name=row.name, skills=frozenset(skills))

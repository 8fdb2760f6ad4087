"""The admission index of a cluster: which ids were taken, and by which content, in PostgreSQL.

SQL is committed before Kafka acknowledges, so a crash may leave an id admitted whose event never came into the log. A
row is therefore `confirmed` only after the acknowledgement; until then the same content is told "new" and appended
(again): receivers drop a double, nothing is lost.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import Connection, Engine, text

from services.store.database import outages, transaction
from streams.engines.port import Admission
from streams.errors import InputError

T = TypeVar("T")
Claim = tuple[str, str]  # identity and content hash

# The identity of these is a place in the log, and who claims it has read the log up to there. So where a claim was
# never confirmed and is older than any append that may still be on its way, its event is not in the log: the place is
# free. Without this a crash between the two commits would stop all cuts, claims or promotions of a campaign for ever.
PLACES = frozenset({"batch", "promotion", "claim"})
GIVEN_UP_MS = 180_000  # well over the producer's delivery timeout

INSERT = text(
    "INSERT INTO admissions (kind, identity, content_hash, confirmed, at)"
    " SELECT :kind, claim.identity, claim.content_hash, false, :now"
    " FROM unnest(CAST(:identities AS text[]), CAST(:hashes AS text[])) AS claim (identity, content_hash)"
    " ORDER BY claim.identity"  # everybody locks in one order: no deadlocks
    " ON CONFLICT DO NOTHING RETURNING identity"
)
SELECT = text(
    "SELECT identity, content_hash, confirmed, at FROM admissions"
    " WHERE kind = :kind AND identity = ANY(CAST(:identities AS text[]))"
)
TAKE_OVER = text(
    "UPDATE admissions SET content_hash = :hash, at = :now"
    " WHERE kind = :kind AND identity = :identity AND NOT confirmed AND at < :given_up"
)
CONFIRM = text(
    "UPDATE admissions SET confirmed = true"
    " FROM unnest(CAST(:kinds AS text[]), CAST(:identities AS text[])) AS done (kind, identity)"
    " WHERE admissions.kind = done.kind AND admissions.identity = done.identity AND NOT confirmed"
)


def now_ms() -> int:
    """Milliseconds since 1970 UTC."""
    return time.time_ns() // 1_000_000


class PostgresAdmissions:
    """See kafka_log.AdmissionStore. `database` is in autocommit (database.open_postgres)."""

    def __init__(self, database: Engine, clock: Callable[[], int] = now_ms) -> None:
        self._database = database
        self._clock = clock

    @contextmanager
    def batch(self) -> Iterator[PostgresBatch]:
        """One transaction. Raises UnavailableError in an outage, with nothing taken."""
        with outages(), self._database.connect() as sql, transaction(sql):
            yield PostgresBatch(sql, self._clock())


class PostgresBatch:
    """See kafka_log.AdmissionBatch."""

    def __init__(self, sql: Connection, now: int) -> None:
        self.sql = sql
        self._now = now
        self._taken: dict[tuple[str, str], str] = {}  # in this batch: to be appended with it, and no second time

    def admit(self, kind: str, identity: str, content_hash: str) -> Admission:
        """See port.Transaction; also "new" for the same content that was never confirmed."""
        return self.admit_all(kind, [(identity, content_hash)])[0]

    def admit_all(self, kind: str, claims: Sequence[Claim]) -> list[Admission]:
        """Each in order, in one or two round trips. Raises InputError for an id that PostgreSQL cannot hold."""
        for identity, content_hash in claims:
            if "\0" in identity + content_hash:
                raise InputError(f"the id of this {kind} holds a NUL character", field="id", mend="remove it")
        asked = dict(reversed(claims))  # the first of an id counts
        fresh = {identity: one for identity, one in asked.items() if (kind, identity) not in self._taken}
        admitted = self._admitted(kind, fresh) if fresh else {}
        return [self._answer(kind, claim, admitted) for claim in claims]

    def attempt(self, work: Callable[[], T]) -> T:
        """Runs `work`; what it wrote is undone when it raises, and the batch goes on."""
        taken = dict(self._taken)
        self.sql.exec_driver_sql("SAVEPOINT work")
        try:
            result = work()
        except BaseException:
            self._taken = taken
            if not self.sql.invalidated:
                self.sql.exec_driver_sql("ROLLBACK TO SAVEPOINT work")
            raise
        self.sql.exec_driver_sql("RELEASE SAVEPOINT work")
        return result

    def confirm(self, claims: Sequence[tuple[str, str]]) -> None:
        """The log has acknowledged the events of these (kind, identity)."""
        if claims:
            kinds, identities = zip(*sorted(claims), strict=True)
            self.sql.execute(CONFIRM, {"kinds": list(kinds), "identities": list(identities)})

    def _answer(self, kind: str, claim: Claim, admitted: dict[str, Admission]) -> Admission:
        identity, content_hash = claim
        if (first := self._taken.get((kind, identity))) is not None:
            return "same" if first == content_hash else "other"
        answer = admitted[identity]
        if answer == "new":
            self._taken[kind, identity] = content_hash
        return answer

    def _admitted(self, kind: str, asked: dict[str, str]) -> dict[str, Admission]:
        """The answer for each id. The insert waits for whoever is admitting the same id right now."""
        values = {"kind": kind, "identities": list(asked), "hashes": list(asked.values()), "now": self._now}
        answers: dict[str, Admission] = dict.fromkeys(self.sql.execute(INSERT, values).scalars(), "new")
        known = [identity for identity in asked if identity not in answers]
        if known:
            for row in self.sql.execute(SELECT, {"kind": kind, "identities": known}):
                answers[row.identity] = self._known(kind, row.identity, asked[row.identity], row)
        return answers

    def _known(self, kind: str, identity: str, content_hash: str, row: object) -> Admission:
        first, confirmed = row.content_hash, row.confirmed  # type: ignore[attr-defined]
        if first == content_hash:
            return "same" if confirmed else "new"
        return "new" if not confirmed and self._took_over(kind, identity, content_hash) else "other"

    def _took_over(self, kind: str, identity: str, content_hash: str) -> bool:
        if kind not in PLACES:
            return False
        values = {"kind": kind, "identity": identity, "hash": content_hash, "now": self._now}
        return self.sql.execute(TAKE_OVER, {**values, "given_up": self._now - GIVEN_UP_MS}).rowcount > 0

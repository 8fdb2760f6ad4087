"""An admission store for the contract suite: SQLite, with the same promises as the cluster's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, create_engine, text

from streams.engines.kafka_log import AdmissionBatch, Claim
from streams.engines.port import Admission

T = TypeVar("T")


class SqliteAdmissions:
    """See kafka_log.AdmissionStore."""

    def __init__(self, file: Path) -> None:
        self._engine = create_engine(f"sqlite:///{file}", connect_args={"check_same_thread": False})
        with self._engine.begin() as sql:
            sql.execute(
                text(
                    "CREATE TABLE IF NOT EXISTS admissions (kind TEXT, identity TEXT, content_hash TEXT,"
                    " confirmed BOOLEAN, PRIMARY KEY (kind, identity))"
                )
            )

    @contextmanager
    def batch(self) -> Iterator[AdmissionBatch]:
        """One transaction."""
        with self._engine.begin() as sql:
            yield SqliteBatch(sql)

    def close(self) -> None:
        """Closes the file."""
        self._engine.dispose()


class SqliteBatch:
    """See kafka_log.AdmissionBatch."""

    def __init__(self, sql: Connection) -> None:
        self.sql = sql

    def attempt(self, work: Callable[[], T]) -> T:
        """In a savepoint."""
        with self.sql.begin_nested():
            return work()

    def admit(self, kind: str, identity: str, content_hash: str) -> Admission:
        """New, same or other."""
        found = self.sql.execute(
            text("SELECT content_hash, confirmed FROM admissions WHERE kind = :kind AND identity = :identity"),
            {"kind": kind, "identity": identity},
        ).one_or_none()
        if found is None:
            self.sql.execute(
                text("INSERT INTO admissions VALUES (:kind, :identity, :content_hash, false)"),
                {"kind": kind, "identity": identity, "content_hash": content_hash},
            )
            return "new"
        if found.content_hash != content_hash:
            return "other"
        return "same" if found.confirmed else "new"

    def admit_all(self, kind: str, claims: Sequence[tuple[str, str]]) -> list[Admission]:
        """One by one."""
        return [self.admit(kind, identity, content_hash) for identity, content_hash in claims]

    def confirm(self, claims: Sequence[Claim]) -> None:
        """Marks them."""
        for kind, identity in claims:
            self.sql.execute(
                text("UPDATE admissions SET confirmed = true WHERE kind = :kind AND identity = :identity"),
                {"kind": kind, "identity": identity},
            )

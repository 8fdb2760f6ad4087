"""Opening PostgreSQL, and what differs between the two databases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import msgspec
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import DBAPIError

from streams.engines.sqlite_log import as_json
from streams.errors import UnavailableError

POOL = 8  # connections a process keeps; as many again in a rush
CONNECT_S = 10
SNAPSHOTS = {"sqlite": "BEGIN", "postgresql": "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"}


def open_postgres(url: str) -> Engine:
    """An engine in autocommit: each read is a statement of its own; who needs more says BEGIN (`transaction`)."""
    return create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        json_serializer=as_json,
        json_deserializer=msgspec.json.decode,
        hide_parameters=True,  # errors go into logs; texts and hashes of keys do not
        pool_size=POOL,
        max_overflow=POOL,
        pool_pre_ping=True,  # a server that was started anew is met with a new connection
        connect_args={"connect_timeout": CONNECT_S, "application_name": "prefloop"},
    )


@contextmanager
def snapshot(database: Engine) -> Iterator[Connection]:
    """A connection whose reads all see the views at one moment; SQLAlchemy leaves that to us in autocommit."""
    with database.connect() as sql:
        sql.exec_driver_sql(SNAPSHOTS[sql.dialect.name])
        try:
            yield sql
        finally:
            sql.exec_driver_sql("ROLLBACK")


@contextmanager
def transaction(sql: Connection) -> Iterator[Connection]:
    """Commits at the end, undoes all on an error; on a connection in autocommit."""
    sql.exec_driver_sql("BEGIN")
    try:
        yield sql
    except BaseException:
        if not sql.invalidated:
            sql.exec_driver_sql("ROLLBACK")
        raise
    sql.exec_driver_sql("COMMIT")


@contextmanager
def outages() -> Iterator[None]:
    """What the driver raises for an outage as UnavailableError; errors of the statement pass through."""
    try:
        yield
    except DBAPIError as error:
        if not is_outage(error):
            raise
        raise UnavailableError(f"PostgreSQL does not answer ({error.orig}): is it running?") from error


def is_outage(error: DBAPIError) -> bool:
    """Whether it is the server or the way to it, and not the statement: SQLSTATE 08, 53, 57, 58, or none at all."""
    state = getattr(error.orig, "sqlstate", None)
    return error.connection_invalidated or state is None or state[:2] in ("08", "40", "53", "57", "58")


# A machine that dies and a network that is cut say no goodbye: without these the server would keep the lock of whoever
# was there until its system's own probes, two hours later by default.
NOTICE_DEATH = "SET tcp_keepalives_idle TO 4; SET tcp_keepalives_interval TO 2; SET tcp_keepalives_count TO 3"


class Advisory:
    """A PostgreSQL advisory lock on a connection of its own: one holder in the whole cluster, freed by its death."""

    def __init__(self, database: Engine, name: str) -> None:
        self._database = database
        self._name = name
        self._connection: Connection | None = None

    def acquire(self) -> bool:
        """False while another process holds it. Raises UnavailableError."""
        query = text("SELECT pg_try_advisory_lock(hashtextextended(:name, 0))")
        with outages():
            connection = self._database.connect()
            connection.exec_driver_sql(NOTICE_DEATH)
            if connection.execute(query, {"name": f"prefloop {self._name}"}).scalar():
                self._connection = connection
                return True
        connection.close()
        return False

    def is_held(self) -> bool:
        """Whether the connection that holds it still lives: without it another may have the lock."""
        if self._connection is None:
            return False
        try:
            self._connection.exec_driver_sql("SELECT 1")
        except DBAPIError:  # used again, it would silently connect anew, without the lock
            self._connection.close()
            self._connection = None
            return False
        return True

    def release(self) -> None:
        """Lets the next one in."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        with suppress(DBAPIError):  # a connection that died has freed it already
            connection.exec_driver_sql("SELECT pg_advisory_unlock_all()")
        connection.close()

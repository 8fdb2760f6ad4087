"""The log of one machine: a table a topic in one SQLite file, WAL, durable at every commit."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import DatabaseError

from streams.codecs import decode, encode
from streams.engines.port import Admission, Record
from streams.engines.rows import insert
from streams.errors import DecodeError, SettingsError, UnavailableError
from streams.events import Event
from streams.topology import Topic, Topology

ASKED_AT_ONCE = 256  # ids of one query
T = TypeVar("T")
FILE_NAME = "prefloop.sqlite3"
CACHE_KIB = 8_192  # a connection's page cache: the hot index pages, small beside the 150 MB budget; 16 MB gain nothing
TAIL = 1_024  # records of each topic kept in memory
CHECKPOINT_BYTES = 16 * 1024 * 1024  # of WAL, from which on the checkpointer copies it into the database file
BACKSTOP_PAGES = 131_072  # 512 MiB of WAL: the writer checkpoints itself where the checkpointer cannot keep up
LOOK = 1.0  # seconds between the checkpointer's looks


def as_json(value: Any) -> str:
    """JSON for the JSON columns; knows the event structs."""
    return msgspec.json.encode(value).decode()


def connect(path: Path, *, writer: bool) -> Engine:
    """A SQLAlchemy engine on the file; all but the one writer's are read-only."""
    engine = create_engine(
        f"sqlite:///{path}",
        json_serializer=as_json,
        json_deserializer=msgspec.json.decode,
        hide_parameters=True,  # errors go into logs; texts and hashes of keys do not
        connect_args={"isolation_level": None, "check_same_thread": False, "timeout": 30},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA cache_size=-{CACHE_KIB if writer else 2_048}")
        connection.execute("PRAGMA temp_store=MEMORY")
        if writer:
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute(f"PRAGMA wal_autocheckpoint={BACKSTOP_PAGES}")
        else:
            connection.execute("PRAGMA query_only=ON")

    return engine


def require_log(folder: Path) -> None:
    """Raises SettingsError where the folder has no log: for those who would else make one by a slip in its name."""
    if not (folder / FILE_NAME).exists():
        raise SettingsError(
            f"there is no log in {folder}: name the folder that `prefloop up` works on (--data, PREFLOOP_DATA)"
        )


class FolderLock:
    """One process writes a data folder, which is made where it is absent; the second is told who holds it."""

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = (folder / "lock").open("a+")
        except OSError as error:
            raise SettingsError(
                f"the data folder {folder} cannot be used ({error.strerror}): give this user the right to write it, or"
                " choose another with --data or PREFLOOP_DATA"
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.seek(0)
            holder = self._file.read().strip() or "unknown"
            self._file.close()
            raise UnavailableError(
                f"another prefloop (process {holder}) works on {folder}: stop it first, or choose another --data"
            ) from error
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()

    def release(self) -> None:
        """Lets the next one in."""
        self._file.close()


class Checkpointer:
    """Copies the WAL into the database file beside the writer, so that no commit waits for it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._run, name="checkpointer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread."""
        self._leaving.set()
        self._thread.join()

    def _run(self) -> None:
        wal = self._path.with_name(f"{self._path.name}-wal")
        connection = sqlite3.connect(self._path, isolation_level=None, timeout=30)
        connection.execute("PRAGMA synchronous=FULL")
        while not self._leaving.wait(LOOK):
            if wal.exists() and wal.stat().st_size > CHECKPOINT_BYTES:
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        connection.close()


class SqliteTransaction:
    """Collects appends and flushes them in bulk; see port.Transaction."""

    def __init__(self, log: SqliteLog) -> None:
        self.sql = log.connection
        self.raw = log.raw
        self.appended: list[Record] = []
        self._log = log
        self._rows: dict[str, list[tuple[int, str, bytes]]] = {}
        self._flushed = 0  # of `appended`

    def append(self, event: Event) -> int:
        """Appends to the topic of the event's type; its offset."""
        topic = self._log.topology.by_event[type(event)]
        offset = self._log.ends[topic.name]
        self._log.ends[topic.name] = offset + 1
        key = topic.key(event)
        self._rows.setdefault(topic.name, []).append((offset, key, encode(event)))
        self.appended.append(Record(topic=topic.name, partition=0, offset=offset, key=key, event=event))
        return offset

    def records(
        self, topic: str, start: int, most: int, undecodable: Callable[[SqliteTransaction, str, int, DecodeError], None]
    ) -> tuple[list[Record], int]:
        """Up to `most` records from `start` on, and the offset to go on from; the tail comes from memory."""
        self.flush()
        tail = self._log.tails.get(topic)
        if tail and tail[0].offset <= start:
            skip = start - tail[0].offset
            found = list(islice(tail, skip, skip + most))
            return found, found[-1].offset + 1
        return self._stored_records(topic, start, most, undecodable)

    def _stored_records(
        self, topic: str, start: int, most: int, undecodable: Callable[[SqliteTransaction, str, int, DecodeError], None]
    ) -> tuple[list[Record], int]:
        found, event_type = [], self._log.topology.topics[topic].event
        rows = rows_of(self.raw, topic, start, most)
        for offset, key, payload in rows:
            try:
                event = decode(payload, event_type)
            except DecodeError as error:
                undecodable(self, topic, offset, error)
            else:
                found.append(Record(topic=topic, partition=0, offset=offset, key=key, event=event))
        return found, rows[-1][0] + 1 if rows else self._log.ends[topic]

    def stored(self, topic: str, offset: int) -> tuple[str, bytes]:
        """Key and bytes of one record, as they are."""
        self.flush()
        query = f"SELECT key, payload FROM log_{topic} WHERE log_offset = ?"
        key, payload = self.raw.execute(query, (offset,)).fetchone()
        return key, payload

    def admit(self, kind: str, identity: str, content_hash: str) -> Admission:
        """Claims the id for this content; see port.Transaction."""
        added = self.raw.execute(
            "INSERT INTO admissions (kind, identity, content_hash) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            (kind, identity, content_hash),
        ).rowcount
        if added:
            return "new"
        first = self.raw.execute(
            "SELECT content_hash FROM admissions WHERE kind = ? AND identity = ?", (kind, identity)
        ).fetchone()
        return "same" if first[0] == content_hash else "other"

    def admit_all(self, kind: str, claims: Sequence[tuple[str, str]]) -> list[Admission]:
        """Claims many ids of one kind; see port.Transaction."""
        known = self._admitted(kind, [identity for identity, _ in claims])
        new: dict[str, str] = {}
        admissions: list[Admission] = []
        for identity, content_hash in claims:
            first = known.get(identity)
            if first is None:
                known[identity] = new[identity] = content_hash
            admissions.append("new" if first is None else "same" if first == content_hash else "other")
        rows = [(kind, identity, content_hash) for identity, content_hash in new.items()]
        insert(self.raw, "INSERT INTO admissions (kind, identity, content_hash)", rows)
        return admissions

    def _admitted(self, kind: str, identities: Sequence[str]) -> dict[str, str]:
        """Content hash by id, of those that are there."""
        found: dict[str, str] = {}
        for start in range(0, len(identities), ASKED_AT_ONCE):
            piece = identities[start : start + ASKED_AT_ONCE]
            marks = ",".join("?" * len(piece))
            query = f"SELECT identity, content_hash FROM admissions WHERE kind = ? AND identity IN ({marks})"
            found.update(self.raw.execute(query, (kind, *piece)).fetchall())
        return found

    def flush(self) -> None:
        """Writes the collected rows."""
        for topic, rows in self._rows.items():
            compacted = self._log.topology.topics[topic].compacted
            verb = "INSERT OR REPLACE" if compacted else "INSERT"  # a compacted topic keeps the newest of a key
            insert(self.raw, f"{verb} INTO log_{topic} (log_offset, key, payload)", rows)
        self._rows = {}
        for record in islice(self.appended, self._flushed, None):
            if record.topic in self._log.tails:
                self._log.tails[record.topic].append(record)
        self._flushed = len(self.appended)

    def attempt(self, work: Callable[[SqliteTransaction], T]) -> T:
        """Runs `work`; what it wrote is undone when it raises."""
        self.flush()
        mark, ends = len(self.appended), dict(self._log.ends)
        self.raw.execute("SAVEPOINT work")
        try:
            result = work(self)
            self.flush()
        except BaseException:
            self._rows = {}
            del self.appended[mark:]
            self._log.ends.update(ends)
            if self.raw.in_transaction:  # a full disk has already rolled everything back
                self.raw.execute("ROLLBACK TO work")
                self.raw.execute("RELEASE work")
            raise
        self.raw.execute("RELEASE work")
        return result


class SqliteLog:
    """Tables, offsets and reads of the log; the one writer is the embedded engine."""

    def __init__(self, folder: Path, topology: Topology) -> None:
        self.topology = topology
        self._lock = FolderLock(folder)
        self.path = folder / FILE_NAME
        self.writer = connect(self.path, writer=True)
        self.database = connect(self.path, writer=False)  # for reads, from any thread
        try:
            self.connection = self.writer.connect().execution_options(
                isolation_level="AUTOCOMMIT"
            )  # we say BEGIN ourselves
            self._create()
        except DatabaseError as error:
            self._lock.release()
            raise SettingsError(
                f"{self.path} cannot be used ({error.orig}): see that there is room and that this user may write it, or"
                " restore the newest backup (docs/operations.md)"
            ) from error
        self.ends: dict[str, int] = {}  # offset after the last record of each topic, as the writer sees it
        self.tails: dict[str, deque[Record]] = {}  # the newest records of each topic, for who reads on at its end
        self.reload()
        self._readers = threading.local()
        self._checkpointer = Checkpointer(self.path)

    def reload(self) -> None:
        """Back to what is durable."""
        self.ends.update({name: self._stored_end(name) for name in self.topology.topics})
        self.tails = {t.name: deque(maxlen=TAIL) for t in self.topology.topics.values() if not t.compacted}

    def _create(self) -> None:
        raw = self.raw
        for topic in self.topology.topics.values():
            raw.execute(_table_of(topic))
        raw.execute(
            "CREATE TABLE IF NOT EXISTS engine_states (stage TEXT, key TEXT, payload BLOB NOT NULL,"
            " PRIMARY KEY (stage, key)) WITHOUT ROWID"
        )
        raw.execute(
            "CREATE TABLE IF NOT EXISTS engine_offsets (consumer TEXT, topic TEXT, next_offset INTEGER NOT NULL,"
            " PRIMARY KEY (consumer, topic)) WITHOUT ROWID"
        )
        raw.execute(
            "CREATE TABLE IF NOT EXISTS admissions (kind TEXT NOT NULL, identity TEXT NOT NULL,"
            " content_hash TEXT NOT NULL, PRIMARY KEY (kind, identity)) WITHOUT ROWID"
        )

    @property
    def raw(self) -> sqlite3.Connection:
        """The writer's sqlite3 connection."""
        return self.connection.connection.driver_connection  # type: ignore[return-value]

    def _stored_end(self, topic: str) -> int:
        (last,) = self.raw.execute(f"SELECT max(log_offset) FROM log_{topic}").fetchone()
        return 0 if last is None else int(last) + 1

    def end(self, topic: str) -> int:
        """The offset after the last durable record."""
        (last,) = self.reader.execute(f"SELECT max(log_offset) FROM log_{topic}").fetchone()
        return 0 if last is None else int(last) + 1

    @property
    def reader(self) -> sqlite3.Connection:
        """This thread's read-only sqlite3 connection."""
        if not hasattr(self._readers, "connection"):
            self._readers.connection = self.database.connect()
        return self._readers.connection.connection.driver_connection  # type: ignore[no-any-return]

    def read(self, topic: str, start: int = 0, limit: int = 1000) -> Sequence[Record]:
        """Durable records from offset `start` on, in order."""
        event_type = self.topology.topics[topic].event
        return [
            Record(topic=topic, partition=0, offset=offset, key=key, event=decode(payload, event_type))
            for offset, key, payload in rows_of(self.reader, topic, start, limit)
        ]

    def newest(self, topic: str, key: str) -> Event | None:
        """The newest event of that key in a compacted topic, or None."""
        row = self.reader.execute(f"SELECT payload FROM log_{topic} WHERE key = ?", (key,)).fetchone()
        return decode(row[0], self.topology.topics[topic].event) if row else None

    def totals(self) -> dict[str, int]:
        """Events by topic."""
        return {name: self.end(name) for name in self.topology.topics}

    def close(self) -> None:
        """Closes the file and lets the next process in."""
        self._checkpointer.stop()
        self.connection.close()
        self.writer.dispose()
        self.database.dispose()
        self._lock.release()


def rows_of(connection: sqlite3.Connection, topic: str, start: int, limit: int) -> list[tuple[int, str, bytes]]:
    """(offset, key, payload) from `start` on."""
    return connection.execute(
        f"SELECT log_offset, key, payload FROM log_{topic} WHERE log_offset >= ? ORDER BY log_offset LIMIT ?",
        (start, limit),
    ).fetchall()


def _table_of(topic: Topic) -> str:
    unique = " UNIQUE" if topic.compacted else ""
    return (
        f"CREATE TABLE IF NOT EXISTS log_{topic.name}"
        f" (log_offset INTEGER PRIMARY KEY, key TEXT NOT NULL{unique}, payload BLOB NOT NULL)"
    )

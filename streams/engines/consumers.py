"""Who reads the log inside the embedded engine: the stages, and the views."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

import msgspec
import structlog
from sqlalchemy.exc import OperationalError as SqlOperationalError

from streams.engines.port import Record, View
from streams.engines.rows import insert
from streams.engines.sqlite_log import SqliteLog, SqliteTransaction
from streams.engines.stamp import dead_letter, stamp_all
from streams.topology import Stage

TURN = 32  # events of one topic that a consumer applies before the next turn: a millisecond of work
STATES_CACHED = 8_192
_log = structlog.get_logger("engine")


class Consumer:
    """A place in each of some topics, kept in the transaction that applies the events."""

    def __init__(self, log: SqliteLog, name: str, topics: Sequence[str]) -> None:
        self.name = name
        self.topics = tuple(topics)
        self._log = log
        self._next: dict[str, int] = {}
        self._moved: dict[str, None] = {}  # topics whose place is not saved yet
        self.reload()

    def reload(self) -> None:
        """Back to what is committed."""
        stored = dict(
            self._log.raw.execute("SELECT topic, next_offset FROM engine_offsets WHERE consumer = ?", (self.name,))
        )
        self._next = {topic: stored.get(topic, 0) for topic in self.topics}
        self._moved.clear()

    def lag(self) -> int:
        """Events not yet applied."""
        return sum(self._log.ends[topic] - start for topic, start in self._next.items())

    def turn(self, transaction: SqliteTransaction, topic: str, most: int) -> bool:
        """Applies up to `most` events of the topic; True where there were any."""
        start = self._next[topic]
        if start >= self._log.ends[topic]:
            return False
        records, place = transaction.records(topic, start, most, self.bury)
        self._apply(transaction, records)
        self._next[topic] = place
        self._moved[topic] = None
        return True

    def save(self, transaction: SqliteTransaction) -> None:
        """Writes what changed since the last commit."""
        transaction.raw.executemany(
            "INSERT OR REPLACE INTO engine_offsets VALUES (?, ?, ?)",
            [(self.name, topic, self._next[topic]) for topic in self._moved],
        )
        self._moved.clear()

    def _apply(self, transaction: SqliteTransaction, records: Sequence[Record]) -> None:
        raise NotImplementedError

    def bury(self, transaction: SqliteTransaction, topic: str, offset: int, error: Exception) -> None:
        """A dead letter with the bytes, their place and the reason."""
        _log.error("dead letter", consumer=self.name, topic=topic, offset=offset, error=repr(error))
        if topic == "dead_letters":
            return  # its own dead letter would be another: the log line above is what is left
        key, payload = transaction.stored(topic, offset)
        letter = dead_letter(self.name, topic, (0, offset), key, payload, error)
        transaction.append(letter)


class StageConsumer(Consumer):
    """Runs one stage's step; state, outputs and offset go into one transaction."""

    def __init__(self, log: SqliteLog, stage: Stage, fault: Callable[[str], None]) -> None:
        self._stage = stage
        self._fault = fault
        self._encode = msgspec.json.Encoder().encode
        self._decode = msgspec.json.Decoder(stage.state).decode
        self._cache: dict[str, object | None] = {}
        self._touched: dict[str, None] = {}  # keys whose state is not saved yet
        super().__init__(log, stage.name, stage.inputs)

    def reload(self) -> None:
        """Back to what is committed."""
        super().reload()
        self._cache.clear()
        self._touched.clear()

    def stored_state(self, connection: sqlite3.Connection, key: str) -> object | None:
        """The state of that key in the file."""
        row = connection.execute(
            "SELECT payload FROM engine_states WHERE stage = ? AND key = ?", (self.name, key)
        ).fetchone()
        return self._decode(row[0]) if row else None

    def save(self, transaction: SqliteTransaction) -> None:
        """Writes the states and places that changed since the last commit."""
        super().save(transaction)
        states = {key: self._cache[key] for key in self._touched}
        kept = [(self.name, key, self._encode(state)) for key, state in states.items() if state is not None]
        gone = [(self.name, key) for key, state in states.items() if state is None]
        insert(transaction.raw, "INSERT OR REPLACE INTO engine_states (stage, key, payload)", kept)
        transaction.raw.executemany("DELETE FROM engine_states WHERE stage = ? AND key = ?", gone)
        self._touched.clear()
        if len(self._cache) > STATES_CACHED:
            self._cache.clear()

    def _apply(self, transaction: SqliteTransaction, records: Sequence[Record]) -> None:
        for record in records:
            self._fault("before_step")
            try:
                state, outputs = self._stage.step(self._state(transaction, record.key), record.event)
                stamped = stamp_all(outputs, self._stage, record, self._log.topology.by_event)
            except Exception as error:
                self.bury(transaction, record.topic, record.offset, error)
                continue
            for _, output in stamped:
                transaction.append(output)
                self._fault("after_output")
            self._cache[record.key] = state
            self._touched[record.key] = None
            self._fault("after_state")

    def _state(self, transaction: SqliteTransaction, key: str) -> object | None:
        if key not in self._cache:
            self._cache[key] = self.stored_state(transaction.raw, key)
        return self._cache[key]


class ViewConsumer(Consumer):
    """Folds events into SQL tables."""

    def __init__(self, log: SqliteLog, view: View) -> None:
        self._view = view
        super().__init__(log, view.name, view.topics)

    def _apply(self, transaction: SqliteTransaction, records: Sequence[Record]) -> None:
        if not self._fold(transaction, records) and len(records) > 1:
            for record in records:  # one of them cannot be folded: find it
                self._fold(transaction, [record])

    def _fold(self, transaction: SqliteTransaction, records: Sequence[Record]) -> bool:
        """Folds them all, or none and False; a lone one that fails goes to the dead letters."""
        transaction.raw.execute("SAVEPOINT fold")
        try:
            self._view.apply(transaction.sql, records)
        except (sqlite3.OperationalError, SqlOperationalError):
            raise  # the storage, not the event
        except Exception as error:
            transaction.raw.execute("ROLLBACK TO fold")
            if len(records) == 1:
                self.bury(transaction, records[0].topic, records[0].offset, error)
            return False
        finally:
            if transaction.raw.in_transaction:
                transaction.raw.execute("RELEASE fold")
        return True

"""Who reads the log inside the embedded engine: the stages, and the views."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence

import msgspec
import structlog
from sqlalchemy.exc import OperationalError as SqlOperationalError

from streams.codecs import decode
from streams.engines.port import Record, View
from streams.engines.sqlite_log import SqliteLog, SqliteTransaction, rows_of
from streams.engines.stamp import stamp
from streams.errors import DecodeError
from streams.events import DeadLetter, Event
from streams.topology import Stage

TURN = 64  # events of one topic that a consumer applies before the next turn: a few milliseconds of work
STATES_CACHED = 8_192
_log = structlog.get_logger("engine")


class Consumer:
    """A place in each of some topics, kept in the transaction that applies the events."""

    def __init__(self, log: SqliteLog, name: str, topics: Sequence[str]) -> None:
        self.name = name
        self.topics = tuple(topics)
        self._log = log
        self._next: dict[str, int] = {}
        self.reload()

    def reload(self) -> None:
        """Back to the committed places."""
        stored = dict(
            self._log.raw.execute("SELECT topic, next_offset FROM engine_offsets WHERE consumer = ?", (self.name,))
        )
        self._next = {topic: stored.get(topic, 0) for topic in self.topics}

    def lag(self) -> int:
        """Events not yet applied."""
        return sum(self._log.ends[topic] - start for topic, start in self._next.items())

    def turn(self, transaction: SqliteTransaction, topic: str) -> bool:
        """Applies some events of the topic; True where there were any."""
        start = self._next[topic]
        if start >= self._log.ends[topic]:
            return False
        transaction.flush()
        rows = rows_of(transaction.raw, topic, start, TURN)
        self._apply(transaction, topic, rows)
        self._advance(transaction, topic, rows[-1][0] + 1 if rows else self._log.ends[topic])
        return True

    def _advance(self, transaction: SqliteTransaction, topic: str, place: int) -> None:
        self._next[topic] = place
        transaction.raw.execute(
            "INSERT INTO engine_offsets VALUES (?, ?, ?)"
            " ON CONFLICT (consumer, topic) DO UPDATE SET next_offset = excluded.next_offset",
            (self.name, topic, place),
        )

    def _apply(self, transaction: SqliteTransaction, topic: str, rows: Sequence[tuple[int, str, bytes]]) -> None:
        raise NotImplementedError

    def _records(
        self, transaction: SqliteTransaction, topic: str, rows: Sequence[tuple[int, str, bytes]]
    ) -> Iterator[tuple[Record, bytes]]:
        """The rows as records; what cannot be decoded goes to the dead letters."""
        event_type = self._log.topology.topics[topic].event
        for offset, key, payload in rows:
            try:
                event = decode(payload, event_type)
            except DecodeError as error:
                self.bury(transaction, topic, offset, key, payload, error)
            else:
                yield Record(topic=topic, partition=0, offset=offset, key=key, event=event), payload

    def bury(
        self, transaction: SqliteTransaction, topic: str, offset: int, key: str, payload: bytes, error: Exception
    ) -> None:
        """A dead letter with the bytes, their place and the reason."""
        _log.error("dead letter", consumer=self.name, topic=topic, offset=offset, error=repr(error))
        if topic == "dead_letters":
            return  # its own dead letter would be another: the log line above is what is left
        reason = f"{type(error).__name__}: {error}"[:2000]
        letter = DeadLetter(
            topic=topic, partition=0, offset=offset, key=key, stage=self.name, reason=reason, payload=payload
        )
        transaction.append(letter)


class StageConsumer(Consumer):
    """Runs one stage's step; state, outputs and offset go into one transaction."""

    def __init__(self, log: SqliteLog, stage: Stage, fault: Callable[[str], None]) -> None:
        self._stage = stage
        self._fault = fault
        self._encode = msgspec.json.Encoder().encode
        self._decode = msgspec.json.Decoder(stage.state).decode
        self._cache: dict[str, object | None] = {}
        super().__init__(log, stage.name, stage.inputs)

    def reload(self) -> None:
        """Back to what is committed."""
        super().reload()
        self._cache.clear()

    def stored_state(self, connection: sqlite3.Connection, key: str) -> object | None:
        """The state of that key in the file."""
        row = connection.execute(
            "SELECT payload FROM engine_states WHERE stage = ? AND key = ?", (self.name, key)
        ).fetchone()
        return self._decode(row[0]) if row else None

    def _apply(self, transaction: SqliteTransaction, topic: str, rows: Sequence[tuple[int, str, bytes]]) -> None:
        touched: dict[str, None] = {}
        for record, payload in self._records(transaction, topic, rows):
            self._fault("before_step")
            try:
                state, outputs = self._stage.step(self._state(transaction, record.key), record.event)
                stamped = self._stamped(record, outputs)
            except Exception as error:
                self.bury(transaction, topic, record.offset, record.key, payload, error)
                continue
            for output in stamped:
                transaction.append(output)
                self._fault("after_output")
            self._cache[record.key] = state
            touched[record.key] = None
            self._fault("after_state")
        self._store(transaction, touched)

    def _state(self, transaction: SqliteTransaction, key: str) -> object | None:
        if key not in self._cache:
            self._cache[key] = self.stored_state(transaction.raw, key)
        return self._cache[key]

    def _stamped(self, record: Record, outputs: Sequence[Event]) -> list[Event]:
        """Outputs with ids; a step that writes to a topic that is not declared is a bug and must not pass."""
        by_event = self._log.topology.by_event
        stamped = []
        for ordinal, output in enumerate(outputs):
            topic = by_event[type(output)].name
            if topic not in self._stage.outputs:
                raise TypeError(f"stage {self.name} wrote to {topic}, which its row of the topology does not name")
            stamped.append(stamp(output, self.name, record, topic, ordinal))
        return stamped

    def _store(self, transaction: SqliteTransaction, keys: dict[str, None]) -> None:
        kept = [(self.name, key, self._encode(self._cache[key])) for key in keys if self._cache[key] is not None]
        gone = [(self.name, key) for key in keys if self._cache[key] is None]
        transaction.raw.executemany("INSERT OR REPLACE INTO engine_states VALUES (?, ?, ?)", kept)
        transaction.raw.executemany("DELETE FROM engine_states WHERE stage = ? AND key = ?", gone)
        if len(self._cache) > STATES_CACHED:
            self._cache.clear()


class ViewConsumer(Consumer):
    """Folds events into SQL tables."""

    def __init__(self, log: SqliteLog, view: View) -> None:
        self._view = view
        super().__init__(log, view.name, view.topics)

    def _apply(self, transaction: SqliteTransaction, topic: str, rows: Sequence[tuple[int, str, bytes]]) -> None:
        records = list(self._records(transaction, topic, rows))
        if not self._fold(transaction, [record for record, _ in records]):
            for record, payload in records:  # one of them cannot be folded: find it
                self._fold(transaction, [record], payload)

    def _fold(self, transaction: SqliteTransaction, records: Sequence[Record], payload: bytes = b"") -> bool:
        """Folds them all, or none and False; a lone one that fails goes to the dead letters."""
        transaction.raw.execute("SAVEPOINT fold")
        try:
            self._view.apply(transaction.sql, records)
        except (sqlite3.OperationalError, SqlOperationalError):
            raise  # the storage, not the event
        except Exception as error:
            transaction.raw.execute("ROLLBACK TO fold")
            if len(records) == 1:
                record = records[0]
                self.bury(transaction, record.topic, record.offset, record.key, payload, error)
            return False
        finally:
            if transaction.raw.in_transaction:
                transaction.raw.execute("RELEASE fold")
        return True

"""Folds Kafka messages into PostgreSQL: rows and places in one transaction, each event once.

A message is dropped as a double where its origin is not newer than the last one folded from the same source (see
streams.engines.guarded): workers that crash send what they sent before. Rows that people's events make keep the first
copy by themselves (services/store/projection.py). What a view calls `log_offset` is here the number of the fold: one
order over all partitions, in which a reader that goes on from the last number it saw misses nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, NamedTuple

import msgspec
import structlog
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from services.store.cluster_tables import COUNTED, KEPT, MIGRATED, REACHED
from services.store.database import is_outage, outages, transaction
from services.store.projection import Views
from streams.engines.guarded import OWN, Place, source_of
from streams.engines.kafka_topics import Layout
from streams.engines.port import Record
from streams.engines.stamp import dead_letter
from streams.errors import DecodeError, UnavailableError
from streams.events import DeadLetter

COUNTER = ("", 0)  # the place whose offset is the number of the next fold
BY_OFFSET = "dead_letters"  # is named by its place in the log, to be replayed
_log = structlog.get_logger("materializer")

Partition = tuple[str, int]  # Kafka topic without prefix, and partition

SAVE_PLACE = (
    "INSERT INTO engine_offsets (consumer, topic, partition, next_offset) VALUES (%s, %s, %s, %s)"
    " ON CONFLICT (consumer, topic, partition) DO UPDATE SET next_offset = excluded.next_offset"
)
SAVE_COUNT = SAVE_PLACE + " + engine_offsets.next_offset"
SAVE_ORIGIN = (
    "INSERT INTO engine_origins (consumer, topic, partition, source, source_offset, ordinal)"
    " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (consumer, topic, partition, source)"
    " DO UPDATE SET source_offset = excluded.source_offset, ordinal = excluded.ordinal"
)
SAVE_TEXT = "INSERT INTO texts VALUES (%s, %s) ON CONFLICT (owner) DO UPDATE SET payload = excluded.payload"
KEEP = "INSERT INTO kept_events (topic, number, key, payload) VALUES (%s, %s, %s, %s)"


class Message(NamedTuple):
    """As Kafka delivers it; the topic is without prefix, a tombstone has no payload."""

    topic: str
    partition: int
    offset: int
    key: bytes
    payload: bytes


class StaleError(UnavailableError):
    """Another process has folded since: what is in hand here is out of date."""


@dataclass
class Folded:
    """What came of some messages."""

    number: int  # of the next fold
    entries: list[tuple[Record, Message]] = field(default_factory=list)  # as they were folded, in order
    letters: list[DeadLetter] = field(default_factory=list)
    doubles: int = 0
    counts: Counter[str] = field(default_factory=Counter)  # events by topic, words too
    places: dict[Partition, int] = field(default_factory=dict)
    reached: dict[str, int] = field(default_factory=dict)  # by topic, as `log_offset` counts
    origins: dict[tuple[Partition, str], Place] = field(default_factory=dict)
    texts: dict[str, bytes] = field(default_factory=dict)  # the newest by owner; b"" erases

    @property
    def records(self) -> list[Record]:
        """What was folded, without words."""
        return [record for record, _ in self.entries]


class Folding:
    """Where the folding stands, as PostgreSQL has it; `reload` before the first `fold`."""

    def __init__(self, database: Engine, layout: Layout, views: Views | None = None) -> None:
        self._database = database
        self._layout = layout
        self._views = views or Views()
        self.places: dict[Partition, int] = {}
        self._migrated: dict[Partition, int] = {}
        self._origins: dict[tuple[Partition, str], Place] = {}
        self._number = 1

    @property
    def number(self) -> int:
        """Of the next fold."""
        return self._number

    def reload(self) -> None:
        """Back to what is committed."""
        with outages(), self._database.connect() as sql:
            rows = list(sql.execute(text("SELECT consumer, topic, partition, next_offset FROM engine_offsets")))
            own = text(
                "SELECT topic, partition, source, source_offset, ordinal FROM engine_origins WHERE consumer = :name"
            )
            origins = {((r[0], r[1]), r[2]): (r[3], r[4]) for r in sql.execute(own, {"name": Views.name})}
        places = {(row.topic, row.partition): row.next_offset for row in rows if row.consumer == Views.name}
        self._number = places.pop(COUNTER, 1)
        self._migrated = {(row.topic, row.partition): row.next_offset for row in rows if row.consumer == MIGRATED}
        self.places, self._origins = places, origins

    def fold(
        self,
        messages: Sequence[Message],
        bury: Callable[[list[DeadLetter]], None],
        tell: Callable[[Folded], None] = lambda _: None,
    ) -> Folded:
        """Folds them all in one transaction. `bury` makes letters durable in the log before it is committed.

        `tell` hears of it just before the commit: who is told in time is never behind SQL, whatever is killed when.
        Raises UnavailableError in an outage and StaleError where another process has folded: then nothing was.
        """
        folded = Folded(self._number)
        with outages(), self._database.connect() as sql, transaction(sql):
            self._fence(sql)
            for message in messages:
                self._take(folded, message)
            self._apply(sql, folded)
            _save(sql, folded)
            if folded.letters:
                bury(folded.letters)
            tell(folded)
        self.places |= folded.places
        self._origins |= folded.origins
        self._number = folded.number
        return folded

    def _fence(self, sql: Connection) -> None:
        """Locks the counter: a process that lost its place at the table and does not know it must not go on."""
        first = [(Views.name, *COUNTER, self._number)]
        sql.exec_driver_sql(SAVE_PLACE.partition(" DO UPDATE")[0] + " DO NOTHING", first)
        found = sql.execute(
            text("SELECT next_offset FROM engine_offsets WHERE consumer = :name AND topic = '' FOR UPDATE"),
            {"name": Views.name},
        ).scalar_one()
        if found != self._number:
            raise StaleError("another materializer has folded meanwhile: going on from where it stands")

    # ------------------------------------------------------------ what is to be folded

    def _take(self, folded: Folded, message: Message) -> None:
        partition = (message.topic, message.partition)
        if message.offset < folded.places.get(partition, self.places.get(partition, 0)):
            return
        folded.places[partition] = message.offset + 1
        if message.topic == "texts" and not message.payload:
            folded.texts[_owner(message)] = b""
            return
        try:
            record = self._layout.record(*message)
        except DecodeError as error:
            self._bury(folded, message.topic, message, error)
            return
        self._note_place(folded, record)
        if self._is_double(folded, partition, record):
            folded.doubles += 1
            return
        folded.counts[record.topic] += 1
        if record.topic == "texts":
            folded.texts[_owner(message)] = message.payload
        else:
            folded.entries.append((msgspec.structs.replace(record, offset=_numbered(folded, record)), message))

    def _note_place(self, folded: Folded, record: Record) -> None:
        """Topics that share one partition have one end, which the log tells of each of them."""
        home = self._layout.home(record.topic)
        if home.single:
            folded.reached |= dict.fromkeys(home.topics, record.offset + 1)
        else:
            folded.reached[record.topic] = folded.number + 1

    def _is_double(self, folded: Folded, partition: Partition, record: Record) -> bool:
        """What a migration brought has origins of another log, and came once."""
        source, place = source_of(record)
        if source == OWN or record.offset < self._migrated.get(partition, 0):
            return False
        known = folded.origins.get((partition, source)) or self._origins.get((partition, source), (-1, -1))
        if place <= known:
            return True
        folded.origins[partition, source] = place
        return False

    # ------------------------------------------------------------ folding

    def _apply(self, sql: Connection, folded: Folded) -> None:
        """Topic by topic: the order between topics does not matter to a view, and equal statements come together."""
        refused: set[int] = set()
        for topic, group in groupby(sorted(folded.entries, key=_topic_of), key=_topic_of):
            entries = list(group)
            if len(entries) > 1 and self._attempt(sql, [record for record, _ in entries]) is None:
                continue
            for record, message in entries:  # one of them cannot be folded: find it
                if error := self._attempt(sql, [record]):
                    refused.add(record.offset)
                    self._bury(folded, topic, message, error)
        folded.entries = [entry for entry in folded.entries if entry[0].offset not in refused]
        kept = [(r.topic, r.offset, _storable(r.key), m.payload) for r, m in folded.entries if r.topic in KEPT]
        _many(sql, KEEP, kept)

    def _attempt(self, sql: Connection, records: Sequence[Record]) -> Exception | None:
        """Folds them all, or none and why."""
        sql.exec_driver_sql("SAVEPOINT fold")
        try:
            if records[0].topic in self._views.topics:
                self._views.apply(sql, records)
        except DBAPIError as error:
            if is_outage(error):
                raise
            failure: Exception = error
        except Exception as error:
            failure = error
        else:
            sql.exec_driver_sql("RELEASE SAVEPOINT fold")
            return None
        sql.exec_driver_sql("ROLLBACK TO SAVEPOINT fold")
        return failure

    def _bury(self, folded: Folded, topic: str, message: Message, error: Exception) -> None:
        _log.error("dead letter", topic=topic, partition=message.partition, offset=message.offset, error=repr(error))
        if topic == "dead_letters":
            return  # its own dead letter would be another: the log line above is what is left
        key = message.key.decode(errors="replace")
        place = (message.partition, message.offset)
        folded.letters.append(dead_letter(Views.name, topic, place, key, message.payload, error))


def _numbered(folded: Folded, record: Record) -> int:
    number = folded.number
    folded.number += 1
    return record.offset if record.topic == BY_OFFSET else number


def _topic_of(entry: tuple[Record, Message]) -> str:
    return entry[0].topic


def _owner(message: Message) -> str:
    return _storable(message.key.decode(errors="replace"))


def _save(sql: Connection, folded: Folded) -> None:
    _many(sql, SAVE_TEXT, [(owner, payload) for owner, payload in folded.texts.items() if payload])
    _many(sql, "DELETE FROM texts WHERE owner = %s", [(owner,) for owner, one in folded.texts.items() if not one])
    _many(sql, SAVE_PLACE, [(Views.name, *place, offset) for place, offset in folded.places.items()])
    _many(sql, SAVE_PLACE, [(Views.name, *COUNTER, folded.number)])
    _many(sql, SAVE_PLACE, [(REACHED, topic, 0, place) for topic, place in folded.reached.items()])
    _many(sql, SAVE_COUNT, [(COUNTED, topic, 0, count) for topic, count in folded.counts.items()])
    origins = [(Views.name, *partition, source, *place) for (partition, source), place in folded.origins.items()]
    _many(sql, SAVE_ORIGIN, origins)


def _many(sql: Connection, statement: str, rows: list[tuple[Any, ...]]) -> None:
    if rows:
        sql.exec_driver_sql(statement, rows)


def _storable(key: str) -> str:
    return key.replace("\0", "\ufffd")

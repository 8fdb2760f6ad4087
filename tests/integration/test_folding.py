"""Folding Kafka's messages into a real PostgreSQL: once each, whatever is sent again, killed, or broken."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
import pytest
import sqlalchemy
from sqlalchemy import select, text

from services.cluster.rebuild import empty_views
from services.materializer.folding import Folding, Message, StaleError
from services.materializer.materializer import LOCK
from services.store import cluster_tables as c
from services.store import models as m
from services.store.cluster_tables import MIGRATED
from services.store.database import Advisory, open_postgres
from services.store.postgres_schema import migrate
from services.store.schema import rows_of_views
from streams import events as e
from streams.codecs import encode
from streams.engines.kafka_topics import Layout, make_layout
from streams.errors import UnavailableError
from tests.records import records
from tests.unit.services.store.test_projection import LIFE, folded

LAYOUT = make_layout(partitions=4)


@pytest.fixture
def database(database_url: str) -> Iterator[sqlalchemy.Engine]:
    engine = open_postgres(database_url)
    migrate(engine)
    yield engine
    engine.dispose()


class Sent:
    """Messages as Kafka would number them."""

    def __init__(self, layout: Layout = LAYOUT) -> None:
        self._layout = layout
        self._ends: dict[tuple[str, int], int] = {}

    def __call__(self, *events: e.Event) -> list[Message]:
        return [self.message(event) for event in events]

    def message(self, event: e.Event) -> Message:
        topic = self._layout.topology.by_event[type(event)]
        name, key, partition = self._layout.place(topic.name, topic.key(event))
        return self.raw(name.removeprefix(self._layout.prefix), partition, key, encode(event))

    def raw(self, topic: str, partition: int, key: bytes, payload: bytes) -> Message:
        offset = self._ends.get((topic, partition), 0)
        self._ends[topic, partition] = offset + 1
        return Message(topic, partition, offset, key, payload)


def opened(database: sqlalchemy.Engine) -> Folding:
    folding = Folding(database, LAYOUT)
    folding.reload()
    return folding


def no_letters(letters: Sequence[e.DeadLetter]) -> None:
    assert letters == [], letters[0].reason


def values(database: sqlalchemy.Engine, column: sqlalchemy.Column[object]) -> list[object]:
    with database.connect() as sql:
        return list(sql.execute(select(column).order_by(column)).scalars())


def without_numbers(rows: Sequence[tuple[str, tuple[object, ...]]]) -> list[str]:
    """The rows of the views, without log_offset: it counts folds here and places there."""
    numbers = {table.name: [n for n, column in enumerate(table.c) if column.name == "log_offset"] for table in m.VIEWS}
    return sorted(repr((name, [_plain(v) for n, v in enumerate(row) if n not in numbers[name]])) for name, row in rows)


def _plain(value: object) -> object:
    """SQLite keeps no sign of zero."""
    return value + 0.0 if isinstance(value, float) else value


@pytest.mark.parametrize("size", [1, 3, 100])
def test_a_life_leaves_the_rows_that_one_machine_has(database: sqlalchemy.Engine, size: int) -> None:
    folding, messages = opened(database), Sent()(*LIFE)
    for start in range(0, len(messages), size):
        folding.fold(messages[start : start + size], no_letters)
    with database.connect() as sql:
        found = without_numbers(list(rows_of_views(sql)))
    assert found == without_numbers(folded([[record] for record in records(*LIFE)]))


def test_after_a_kill_it_goes_on_where_it_committed(database: sqlalchemy.Engine) -> None:
    messages = Sent()(*LIFE)
    first = opened(database).fold(messages[:10], no_letters)
    again = opened(database).fold(messages, no_letters)
    assert len(first.entries) + len(again.entries) == len(messages)
    assert again.number == len(messages) + 1
    assert opened(database).fold(messages, no_letters).entries == []


def test_what_fails_before_the_commit_is_folded_by_the_next_try(database: sqlalchemy.Engine) -> None:
    def fail(_: Sequence[e.DeadLetter]) -> None:
        raise InterruptedError

    folding, sent = opened(database), Sent()
    messages = [sent.raw("outputs", 0, b"k", b"no event"), *sent(*LIFE)]
    with pytest.raises(InterruptedError):
        folding.fold(messages, fail)
    assert values(database, m.outputs.c.output) == []
    assert len(folding.fold(messages, lambda letters: None).entries) == len(LIFE)


def test_two_processes_never_fold_the_same(database: sqlalchemy.Engine) -> None:
    """The lock's holder may be cut off and not know it."""
    sent = Sent()
    first, second = opened(database), opened(database)
    first.fold(sent(*LIFE[:3]), no_letters)
    with pytest.raises(StaleError):
        second.fold(sent(*LIFE[3:5]), no_letters)
    second.reload()
    second.fold(sent(*LIFE[5:7]), no_letters)


def test_views_that_were_emptied_come_back_equal(database: sqlalchemy.Engine) -> None:
    messages = Sent()(*LIFE, e.Text(id="w", owner="o1", reason="r"))
    opened(database).fold(messages, no_letters)
    with database.connect() as sql:
        before = [*rows_of_views(sql), *values(database, c.texts.c.owner)]
    empty_views(database)
    with database.connect() as sql:
        assert list(rows_of_views(sql)) == values(database, c.texts.c.owner) == []
    opened(database).fold(messages, no_letters)
    with database.connect() as sql:
        assert [*rows_of_views(sql), *values(database, c.texts.c.owner)] == before


def test_views_are_not_emptied_under_a_materializer(database: sqlalchemy.Engine) -> None:
    lock = Advisory(database, LOCK)
    assert lock.acquire()
    with pytest.raises(UnavailableError, match="stop it first"):
        empty_views(database)
    lock.release()


def derived(task: str, number: int, offset: int, status: e.TaskStatus = "open") -> e.TaskUpdate:
    origin = e.Origin(topic="assessments", partition=2, offset=offset, ordinal=0)
    return e.TaskUpdate(
        id=f"{task}/{number}", task=task, status=status, slots_wanted=3, judgments=number, actor="stage:preferences",
        origin=origin,
    )  # fmt: skip


def test_what_a_worker_sends_again_after_a_crash_is_folded_once(database: sqlalchemy.Engine) -> None:
    """Copies come late, one by one: a task that is closed must not be opened again by one."""
    folding, sent = opened(database), Sent()
    told = [derived("t1", 1, 10), derived("t1", 2, 11, "closed")]
    assert len(folding.fold(sent(*told), no_letters).entries) == 2
    assert folding.fold(sent(*told[:1]), no_letters).doubles == 1
    other = opened(database)  # the guard survives a restart
    assert other.fold(sent(*told), no_letters).doubles == 2
    assert values(database, m.tasks.c.status) == ["closed"]
    assert len(other.fold(sent(derived("t1", 3, 12)), no_letters).entries) == 1


def test_what_a_migration_brought_is_not_measured_by_the_origins_of_this_log(database: sqlalchemy.Engine) -> None:
    """Its origins are places of a log that is no more, in another order."""
    sent = Sent()
    brought = sent(derived("t1", 2, 900), derived("t1", 3, 4))
    with database.connect() as sql:
        row = {"consumer": MIGRATED, "topic": "by-task", "partition": brought[0].partition, "next_offset": 2}
        sql.execute(c.engine_offsets.insert().values(row))
    folding = opened(database)
    assert len(folding.fold(brought, no_letters).entries) == 2
    assert len(folding.fold(sent(derived("t1", 4, 5, "closed")), no_letters).entries) == 1
    assert values(database, m.tasks.c.status) == ["closed"]


def test_what_cannot_be_read_or_folded_becomes_a_dead_letter_and_the_rest_goes_on(database: sqlalchemy.Engine) -> None:
    letters: list[e.DeadLetter] = []
    sent = Sent()
    signal = e.Signal(id="1", signal="s1", output="o1", kind="retry")
    huge = msgspec.structs.replace(signal, signal="s2", position=2**63)  # more than a column holds
    unread = sent.raw("by-task", 1, b"k\xff", b'{"type":"Nothing"}')
    messages = [*sent(signal, huge), unread, *sent(msgspec.structs.replace(signal, signal="s3"))]
    done = opened(database).fold(messages, letters.extend)
    assert values(database, m.signals.c.signal) == ["s1", "s3"]
    assert [(one.topic, one.partition, one.offset) for one in letters] == [
        ("by-task", 1, 0),
        ("signals", messages[1].partition, messages[1].offset),
    ]
    assert letters[1].payload == encode(huge)
    assert len(done.records) == 2


def test_words_are_the_newest_of_their_owner_and_a_tombstone_erases_them(database: sqlalchemy.Engine) -> None:
    sent, folding = Sent(), opened(database)
    words = [e.Text(id=str(n), owner=owner, reason=str(n)) for n, owner in enumerate(("o1", "o2", "o1"))]
    folding.fold(sent(*words), no_letters)
    assert values(database, c.texts.c.payload) == sorted([encode(words[1]), encode(words[2])])
    place = LAYOUT.place("texts", "o1")
    folding.fold([sent.raw("texts", place[2], b"o1", b"")], no_letters)
    assert values(database, c.texts.c.owner) == ["o2"]


def test_every_revision_of_a_preference_can_be_read_in_the_order_of_folding(database: sqlalchemy.Engine) -> None:
    opened(database).fold(Sent()(*LIFE), no_letters)
    with database.connect() as sql:
        kept = sql.execute(
            text("SELECT payload FROM kept_events WHERE topic = 'preferences' ORDER BY number")
        ).scalars()
        assert [bytes(one) for one in kept] == [encode(LIFE[8]), encode(LIFE[9])]

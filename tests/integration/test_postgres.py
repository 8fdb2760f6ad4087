"""The views on a real PostgreSQL: the same rows as on SQLite, and a schema that the migrations make."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy import select

from services.cluster.composition import exclusive
from services.store import models as m
from services.store.database import Advisory, open_postgres, snapshot, transaction
from services.store.postgres_schema import differences, migrate, require_current
from services.store.projection import Views
from services.store.schema import rows_of_views
from streams import events as e
from streams.engines.port import Record
from streams.errors import UnavailableError
from tests.records import records
from tests.services.postgres import Postgres
from tests.unit.services.store.test_projection import LIFE, folded


@contextmanager
def opened(url: str) -> Iterator[sqlalchemy.Engine]:
    engine = open_postgres(url)
    yield engine
    engine.dispose()


@pytest.fixture
def database(database_url: str) -> Iterator[sqlalchemy.Engine]:
    with opened(database_url) as engine:
        migrate(engine)
        yield engine


def rows(database: sqlalchemy.Engine) -> list[tuple[str, tuple[object, ...]]]:
    with database.connect() as sql:
        return sorted(rows_of_views(sql), key=repr)


def fold(database: sqlalchemy.Engine, *events: e.Event) -> None:
    with database.connect() as sql, transaction(sql):
        for record in records(*events):
            Views().apply(sql, [record])


def test_the_migrations_make_what_the_program_defines(database: sqlalchemy.Engine) -> None:
    """After a change of a table: `python -m services.store.postgres_schema URL NAME` writes the migration."""
    with database.connect() as sql:
        assert differences(sql) == []
    require_current(database)
    migrate(database)  # again: nothing to do


def test_a_database_that_was_not_migrated_is_refused(database_url: str) -> None:
    with opened(database_url) as database, pytest.raises(UnavailableError, match="setup-cluster"):
        require_current(database)


def test_a_database_that_does_not_answer_is_an_outage() -> None:
    with (
        opened("postgresql+psycopg://nobody@127.0.0.1:1/none") as database,
        pytest.raises(UnavailableError, match="does not answer"),
    ):
        migrate(database)


def test_a_life_leaves_the_same_rows_as_on_sqlite(database: sqlalchemy.Engine) -> None:
    fold(database, *LIFE)
    assert rows(database) == sorted(folded([[record] for record in records(*LIFE)]), key=repr)


def test_many_rows_are_written_by_one_statement_of_their_shape(database: sqlalchemy.Engine) -> None:
    signals = [e.Signal(id=str(n), signal=f"s{n}", output="o", kind="retry") for n in range(300)]
    with database.connect() as sql, transaction(sql):
        Views().apply(sql, records(*signals))
    assert len(rows(database)) == 300


def test_the_first_copy_of_an_event_stands(database: sqlalchemy.Engine) -> None:
    """It may come after a row that another event has begun."""
    known = e.Reliability(
        accuracy=0.8, accuracy_low=0.6, accuracy_high=0.9, side_bias=0.1, tie_rate=0.2, judgments=1, evidence=1.0
    )
    first, second = (e.Judgment(id="j", judgment="j1", task="t", annotator="x", choice=c) for c in ("a", "b"))
    assessed = e.Assessment(
        id="s", judgment="j1", task="t", annotator="x", revision=1, choice="a", swapped=False, reliability=known
    )
    placed = [
        Record(topic="judgments", partition=0, offset=n, key="x", event=event)
        for n, event in enumerate((first, second), 1)
    ]
    with database.connect() as sql, transaction(sql):
        for record in [*records(assessed), *placed, *placed]:
            Views().apply(sql, [record])
        assert sql.execute(select(m.judgments.c.choice, m.judgments.c.log_offset, m.judgments.c.accuracy)).one() == (
            "a",
            1,
            0.8,
        )


def test_a_run_that_is_asked_for_twice_is_not_taken_back(database: sqlalchemy.Engine) -> None:
    asked = e.RunUpdate(id="1", run="r", batch="b", status="requested")
    fold(database, asked, e.RunUpdate(id="2", run="r", batch="b", status="claimed", trainer="gpu"), asked)
    with database.connect() as sql:
        assert sql.execute(select(m.runs.c.status, m.runs.c.trainer)).one() == ("claimed", "gpu")


def test_a_nul_character_becomes_the_replacement_character(database: sqlalchemy.Engine) -> None:
    """PostgreSQL's text cannot hold it; the log still does. In JSON it is an escape and stays what it is."""
    letter = e.DeadLetter(
        id="1", topic="intake", partition=0, offset=1, key="k", stage="", reason="", payload=b"a\x00b"
    )
    fold(database, letter, e.Output(id="2", output="o\x00", tags={"k": "v\x00"}, **SENT))
    with database.connect() as sql:
        assert sql.execute(select(m.dead_letters.c.payload)).scalar_one() == "a\ufffdb"
        assert sql.execute(select(m.outputs.c.output, m.outputs.c.tags)).one() == ("o\ufffd", {"k": "v\x00"})


SENT: dict[str, Any] = {"prompt_digest": "p", "prompt_length": 1, "responses": ()}


def test_a_snapshot_sees_one_moment(database: sqlalchemy.Engine) -> None:
    with snapshot(database) as sql:
        assert sql.execute(select(m.signals)).all() == []
        fold(database, e.Signal(id="1", signal="s1", output="o", kind="retry"))
        assert sql.execute(select(m.signals)).all() == []
    assert len(rows(database)) == 1


def test_what_fails_inside_a_transaction_leaves_nothing(database: sqlalchemy.Engine) -> None:
    def fail() -> None:
        with database.connect() as sql, transaction(sql):
            Views().apply(sql, records(e.Signal(id="1", signal="s1", output="o", kind="retry")))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert rows(database) == []


def test_an_advisory_lock_has_one_holder_until_it_dies(database: sqlalchemy.Engine) -> None:
    first, second = Advisory(database, "coordinator"), Advisory(database, "coordinator")
    assert first.acquire()
    assert not second.acquire()
    assert first.is_held()
    first.release()
    assert not first.is_held()
    assert second.acquire()
    second.release()


def test_a_lock_whose_server_was_restarted_is_lost_and_can_be_had_again(
    postgres: Postgres, database: sqlalchemy.Engine
) -> None:
    lock = Advisory(database, "coordinator")
    assert lock.acquire()
    postgres.kill()
    assert not lock.is_held()
    with pytest.raises(UnavailableError):
        lock.acquire()
    postgres.start()
    assert not lock.is_held(), "a new connection holds nothing"
    assert lock.acquire()
    lock.release()


def test_migrations_of_two_processes_at_once_wait_for_each_other(database_url: str) -> None:
    failures: list[BaseException] = []

    def run() -> None:
        try:
            with opened(database_url) as database:
                migrate(database)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


HOLDERS = sqlalchemy.text("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted")


def test_an_outage_after_an_exclusive_block_is_no_failure_of_it(database: sqlalchemy.Engine) -> None:
    with exclusive(database, "batches of demo"), database.connect() as sql:
        assert len(sql.execute(HOLDERS).all()) == 1
    with exclusive(database, "batches of demo"):  # nobody holds it any more
        pass


def test_an_outage_within_an_exclusive_block_is_told(database: sqlalchemy.Engine) -> None:
    with pytest.raises(UnavailableError, match="cut"), exclusive(database, "batches of demo"):
        raise UnavailableError("cut short")

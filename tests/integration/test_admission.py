"""The admission index on a real PostgreSQL: one content an id, whoever asks at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest
import sqlalchemy
from sqlalchemy import text

from services.store.admission import GIVEN_UP_MS, PostgresAdmissions
from services.store.database import open_postgres
from services.store.postgres_schema import migrate
from streams.engines.port import Admission
from streams.errors import InputError, UnavailableError
from tests.integration.world import Clock
from tests.services.postgres import Postgres


@pytest.fixture
def database(database_url: str) -> Iterator[sqlalchemy.Engine]:
    engine = open_postgres(database_url)
    migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def store(database: sqlalchemy.Engine, clock: Clock) -> PostgresAdmissions:
    return PostgresAdmissions(database, clock)


def admit(store: PostgresAdmissions, identity: str, content: str, kind: str = "output") -> Admission:
    with store.batch() as batch:
        return batch.admit(kind, identity, content)


def test_an_id_belongs_to_its_first_content(store: PostgresAdmissions) -> None:
    assert admit(store, "o1", "a") == "new"
    assert admit(store, "o1", "b") == "other"
    assert admit(store, "o1", "a", kind="signal") == "new"


def test_until_it_is_confirmed_the_same_content_is_new(store: PostgresAdmissions) -> None:
    assert admit(store, "o1", "a") == "new"
    assert admit(store, "o1", "a") == "new", "its event may never have come into the log"
    with store.batch() as batch:
        batch.confirm([("output", "o1")])
        assert batch.admit("output", "o1", "a") == "same"
    assert admit(store, "o1", "b") == "other"


def test_one_batch_takes_an_id_once(store: PostgresAdmissions) -> None:
    with store.batch() as batch:
        claims = [("o1", "a"), ("o2", "a"), ("o1", "a"), ("o1", "b")]
        assert batch.admit_all("output", claims) == ["new", "new", "same", "other"]
        assert batch.admit("output", "o1", "a") == "same"
        assert batch.admit_all("output", []) == []


def test_work_that_fails_takes_nothing(store: PostgresAdmissions) -> None:
    def fail() -> None:
        batch.admit("output", "o1", "a")
        raise RuntimeError

    with store.batch() as batch:
        with pytest.raises(RuntimeError):
            batch.attempt(fail)
        assert batch.attempt(lambda: batch.admit("output", "o1", "b")) == "new"
    assert admit(store, "o1", "a") == "other"


def test_a_batch_that_fails_takes_nothing(store: PostgresAdmissions) -> None:
    with pytest.raises(ZeroDivisionError), store.batch() as batch:
        _ = 1 // len(batch.admit_all("output", [("o1", "a")])[:0])
    assert admit(store, "o1", "b") == "new"


def test_a_nul_in_an_id_is_the_senders_mistake(store: PostgresAdmissions) -> None:
    with pytest.raises(InputError, match="NUL"):
        admit(store, "o\x00", "a")


def test_a_place_that_nobody_confirmed_is_free_after_a_while(store: PostgresAdmissions, clock: Clock) -> None:
    """A crash between SQL and Kafka: the decision is not in the log, and a place is what the log holds."""
    assert admit(store, "default/3", "a", kind="batch") == "new"
    assert admit(store, "o1", "a") == "new"
    clock.now += GIVEN_UP_MS
    assert admit(store, "default/3", "b", kind="batch") == "other"
    clock.now += 1
    assert admit(store, "default/3", "b", kind="batch") == "new"
    assert admit(store, "default/3", "a", kind="batch") == "other"
    assert admit(store, "o1", "b") == "other", "an output's id is no place: its first content counts for ever"


@pytest.mark.parametrize("gives_up", [False, True])
def test_of_two_at_the_same_moment_one_is_acknowledged(
    database: sqlalchemy.Engine, store: PostgresAdmissions, gives_up: bool
) -> None:
    """The second waits inside PostgreSQL until the first commits or gives up."""
    answers: list[Admission] = []
    other = threading.Thread(target=lambda: answers.append(admit(store, "o1", "b")))
    with suppress(InterruptedError), store.batch() as batch:
        assert batch.admit("output", "o1", "a") == "new"
        other.start()
        _await_a_waiting_lock(database)
        assert answers == []
        if gives_up:
            raise InterruptedError
    other.join()
    assert answers == ["new" if gives_up else "other"]


def test_batches_of_many_in_any_order_never_deadlock(store: PostgresAdmissions) -> None:
    """Eight replicas send the same 50 ids, each with content of its own and in an order of its own."""
    winners: list[str] = []

    def send(replica: int) -> None:
        claims = [(f"o{(n * 7 + replica * 13) % 50}", str(replica)) for n in range(50)]
        with store.batch() as batch:
            answers = batch.admit_all("output", claims)
        winners.extend(identity for (identity, _), answer in zip(claims, answers, strict=True) if answer == "new")

    threads = [threading.Thread(target=send, args=(replica,)) for replica in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(winners) == sorted(f"o{n}" for n in range(50))


def test_an_outage_is_told_and_ends_with_the_server(postgres: Postgres, store: PostgresAdmissions) -> None:
    assert admit(store, "o1", "a") == "new"
    postgres.kill()
    with pytest.raises(UnavailableError, match="PostgreSQL does not answer"):
        admit(store, "o2", "a")
    postgres.start()
    assert admit(store, "o1", "b") == "other", "what was committed is still there"


def _await_a_waiting_lock(database: sqlalchemy.Engine) -> None:
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    for _ in range(10_000):
        with database.connect() as sql:
            if sql.execute(text(query)).scalar():
                return
    raise AssertionError("nobody waits")

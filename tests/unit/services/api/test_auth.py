"""Keys: made once, kept as a hash, in force until revoked."""

from __future__ import annotations

import pytest
import sqlalchemy
from sqlalchemy.pool import StaticPool

from services.api.auth import Keyring, make_key, new_annotator_id, parse_key, revoke_key, store_key
from services.api.errors import UnauthorizedError
from services.store import models as m


@pytest.fixture
def database() -> sqlalchemy.Engine:
    engine = sqlalchemy.create_engine(
        "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False, "isolation_level": None}
    )
    m.metadata.create_all(engine)
    return engine


def test_a_key_is_known_by_its_secret_alone(database: sqlalchemy.Engine) -> None:
    new = make_key("annotator", "Ada", annotator="an_1", skills=["code"])
    with database.begin() as sql:
        store_key(sql, new, 7)
        stored = sql.execute(sqlalchemy.select(m.keys)).one()
    assert parse_key(new.key)[1] not in repr(stored)
    caller = Keyring(database).caller(f"Bearer {new.key}")
    assert caller == new.caller
    assert (caller.actor, caller.skills) == ("annotator:an_1", frozenset({"code"}))
    for wrong in (f"{new.key}x", new.key[:-1], f"plk_{new.caller.key_id}_", "plk_nobody_secret"):
        with pytest.raises(UnauthorizedError):
            Keyring(database).caller(f"Bearer {wrong}")


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Basic plk_a_b", "plk_a_b", "Bearer a_b_c", "Bearer plk__x", "Bearer plk_x_"]
)
def test_what_is_no_key(database: sqlalchemy.Engine, header: str) -> None:
    with pytest.raises(UnauthorizedError) as refused:
        Keyring(database).caller(header)
    assert "POST /v1/keys" in refused.value.mend


def test_the_scheme_is_read_as_http_says(database: sqlalchemy.Engine) -> None:
    new = make_key("lead", "Lea")
    with database.begin() as sql:
        store_key(sql, new, 7)
    assert Keyring(database).caller(f"bearer  {new.key} ").role == "lead"


def test_a_revoked_key_is_out_of_force_once_forgotten(database: sqlalchemy.Engine) -> None:
    new, ring = make_key("lead", "Lea"), Keyring(database)
    with database.begin() as sql:
        store_key(sql, new, 7)
    ring.caller(f"Bearer {new.key}")
    with database.begin() as sql:
        assert revoke_key(sql, new.caller.key_id, 8)
        assert not revoke_key(sql, new.caller.key_id, 9)
    ring.forget(new.caller.key_id)
    with pytest.raises(UnauthorizedError):
        ring.caller(f"Bearer {new.key}")


def test_a_key_that_another_process_revoked_is_out_of_force_after_a_while(database: sqlalchemy.Engine) -> None:
    now = 0.0
    new, ring = make_key("lead", "Lea"), Keyring(database, fresh_s=5.0, timer=lambda: now)
    with database.begin() as sql:
        store_key(sql, new, 7)
    ring.caller(f"Bearer {new.key}")
    with database.begin() as sql:
        revoke_key(sql, new.caller.key_id, 8)
    now = 5.0
    ring.caller(f"Bearer {new.key}")
    now = 5.1
    with pytest.raises(UnauthorizedError):
        ring.caller(f"Bearer {new.key}")


def test_a_given_key_is_taken_and_random_ones_differ() -> None:
    assert make_key("admin", "first", key="plk_me_mine").key == "plk_me_mine"
    assert parse_key("plk_me_mine_too") == ("me", "mine_too")
    assert len({make_key("admin", "x").key for _ in range(50)} | {new_annotator_id() for _ in range(50)}) == 100

"""Waiting for the views."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Literal

import msgspec
import pytest
from sqlalchemy import Connection, create_engine, insert, select

from services.api import context
from services.store import models as m
from streams.errors import InputError, UnavailableError

STANDING = select(m.standings.c.event).where(m.standings.c.event == "st_2")


def looks(monkeypatch: pytest.MonkeyPatch, written_before: int) -> int:
    """How often the views are looked at for a row that is written before that look."""
    looked = 0
    engine = create_engine("sqlite://")
    m.metadata.create_all(engine)

    async def query(read: Callable[[Connection], Any]) -> Any:
        nonlocal looked
        looked += 1
        with engine.begin() as sql:
            if looked == written_before:
                sql.execute(insert(m.standings).values(annotator="an_1", event="st_2"))
            return read(sql)

    monkeypatch.setattr(context, "LOOK_S", 0.001)
    monkeypatch.setattr(context, "IN_VIEW_WITHIN_S", 0.01)
    views: Any = SimpleNamespace(query=query)
    asyncio.run(context.Context.in_view(views, STANDING))
    engine.dispose()
    return looked


def test_what_was_written_is_answered_for_when_the_views_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert looks(monkeypatch, written_before=3) == 3


def test_views_that_lag_do_not_hold_the_answer_up_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    assert looks(monkeypatch, written_before=99) == 10


def test_an_outage_of_the_views_is_no_failure_of_what_was_written() -> None:
    async def away(_: Any) -> Any:
        raise UnavailableError("PostgreSQL does not answer")

    views: Any = SimpleNamespace(query=away)
    asyncio.run(context.Context.in_view(views, STANDING))


class Sent(msgspec.Struct, forbid_unknown_fields=True):
    count: int
    mode: Literal["live", "recorded"] = "live"


@pytest.mark.parametrize(
    ("body", "field", "mend"), [({"cuont": 1}, "cuont", "its name"), ({"count": "x"}, "count", "says")]
)
def test_a_field_that_is_wrong_is_named_with_its_mend(body: dict[str, Any], field: str, mend: str) -> None:
    with pytest.raises(InputError) as raised:
        context.parse(msgspec.json.Decoder(Sent), msgspec.json.encode(body))
    assert (raised.value.field, mend in raised.value.mend) == (field, True)


def test_a_word_that_is_not_allowed_is_told_with_those_that_are() -> None:
    with pytest.raises(InputError, match=r"^mode: 'alive' is none of live, recorded$"):
        context.parse(msgspec.json.Decoder(Sent), b'{"count": 1, "mode": "alive"}')

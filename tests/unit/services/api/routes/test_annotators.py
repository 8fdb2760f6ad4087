"""Standings: who is told of one sees it in the views."""

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from services.api.routes import annotators
from streams.events import Standing

EVENT = Standing(id="st_2", annotator="an_1", standing="suspended", weight=0.0, by="key:1", reason="too fast")


def looks(monkeypatch: pytest.MonkeyPatch, answers: Iterator[str]) -> int:
    """How often the views are looked at until it is there."""
    asked: list[str] = []

    async def query(_: Any) -> str:
        asked.append(next(answers))
        return asked[-1]

    monkeypatch.setattr(annotators, "LOOK_S", 0.001)
    monkeypatch.setattr(annotators, "IN_VIEW_WITHIN_S", 0.01)
    call: Any = SimpleNamespace(context=SimpleNamespace(query=query))
    asyncio.run(annotators.in_view(call, EVENT))
    return len(asked)


def test_a_standing_is_answered_for_when_the_views_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert looks(monkeypatch, iter(["st_1", "st_1", "st_2"])) == 3


def test_views_that_lag_do_not_hold_the_answer_up_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    assert looks(monkeypatch, iter(["st_1"] * 99)) == 10

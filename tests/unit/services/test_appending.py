"""Works that append events, over a real log."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.appending import appending, appending_new
from services.bootstrap import Service, open_service
from services.settings import Settings
from streams.events import Signal


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = open_service(Settings(data=tmp_path))
    yield service
    service.close()


def signal(name: str) -> Signal:
    return Signal(id=name, signal=name, output="o", kind="retry")


def claim(one: Signal) -> tuple[str, str]:
    return one.signal, one.kind


def appended(service: Service) -> list[str]:
    return [record.event.id for record in service.store.read("signals")]


def test_all_of_them_in_order(service: Service) -> None:
    service.log.submit(appending([signal("b"), signal("a")])).result()
    assert appended(service) == ["b", "a"]


def test_what_was_decided_before_is_not_appended_again(service: Service) -> None:
    first = service.log.submit(appending_new("test", [signal("a"), signal("b"), signal("a")], claim)).result()
    again = service.log.submit(appending_new("test", [signal("b"), signal("c")], claim)).result()
    assert (first, again) == (2, 1)
    assert appended(service) == ["a", "b", "c"]

"""What the logs tell of events."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar

import pytest
import structlog
from structlog.testing import LogCapture

from services.trail import is_told, tell, told_log, told_topology
from streams.engines.port import Transaction
from streams.events import Output, Text
from streams.topology import TOPOLOGY

T = TypeVar("T")
OUTPUT = Output(output="o-1", correlation="o-1", prompt_digest="p", prompt_length=1, responses=())


def configured(level: int) -> LogCapture:
    capture = LogCapture()
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, capture],
        wrapper_class=structlog.make_filtering_bound_logger(level),
    )
    return capture


@pytest.fixture(autouse=True)
def unconfigured() -> Iterator[None]:
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


class Attempts:
    """A log whose first attempt at a work fails; and then it is durable, or not."""

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error

    def submit(self, work: Callable[[Transaction], T]) -> Future[T]:
        future: Future[T] = Future()
        found = [work(Appending()) for _ in range(2)]  # type: ignore[arg-type]
        if self._error:
            future.set_exception(self._error)
        else:
            future.set_result(found[-1])
        return future


class Appending:
    def append(self, event: object) -> int:
        return 7

    def admit(self, kind: str, identity: str, content_hash: str) -> str:
        return "new"


def test_an_event_is_told_by_what_it_is_about_and_never_by_its_words() -> None:
    lines = configured(logging.DEBUG).entries
    text = Text(owner="o-1", correlation="o-1", reason="a secret")
    tell("appended", [OUTPUT, text], request_id="r-1")
    assert lines[0] == {
        "event": "appended",
        "type": "Output",
        "correlation": "o-1",
        "output": "o-1",
        "request_id": "r-1",
        "log_level": "debug",
    }
    assert "secret" not in str(lines)


def test_only_what_is_durable_is_told_and_once() -> None:
    lines = configured(logging.DEBUG).entries

    def work(transaction: Transaction) -> Any:
        assert transaction.admit("output", "o-1", "hash") == "new"
        return transaction.append(OUTPUT)

    structlog.contextvars.bind_contextvars(request_id="r-9")
    assert told_log(Attempts()).submit(work).result() == 7
    assert [(line["output"], line["request_id"]) for line in lines] == [("o-1", "r-9")]
    told_log(Attempts(RuntimeError("no disk"))).submit(work).exception()
    assert len(lines) == 1


def test_a_step_tells_what_it_made_and_makes_the_same() -> None:
    lines = configured(logging.DEBUG).entries
    told, plain = told_topology(TOPOLOGY).stages["tasks"], TOPOLOGY.stages["tasks"]
    made = told.step(None, OUTPUT)
    assert made == plain.step(None, OUTPUT)
    assert len(lines) == len(made[1])


@pytest.mark.parametrize("level", [None, logging.INFO])
def test_nothing_is_in_the_way_of_anybody_else(level: int | None) -> None:
    if level is not None:
        configured(level)
    log = Attempts()
    assert not is_told()
    assert told_log(log) is log
    assert told_topology(TOPOLOGY) is TOPOLOGY

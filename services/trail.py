"""Every event as a line of the log, at level debug: from an output to the promotion of what was trained on it.

What is made of an output bears its id as `correlation`: its task, grants, judgments, assessments, preferences. The cut
of a batch names the outputs in it, and from there on each line bears the `batch`: run, checkpoint, promotion. Each line
also names what it is about (`task`, `judgment`, `run`, `model`, ...); texts are never logged.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from typing import Any, Protocol, TypeVar, cast

import structlog

from streams.engines.port import Transaction
from streams.events import Event
from streams.topology import Stage, Topology

T = TypeVar("T")
ABOUT = ("output", "task", "judgment", "annotator", "revision", "kind", "batch", "run", "model", "status", "decision")
_log = structlog.get_logger("trail")


class Writing(Protocol):
    """As services.bootstrap.Writing."""

    def submit(self, work: Callable[[Transaction], T]) -> Future[T]:
        """See streams.engines.port.Log."""
        ...


def is_told() -> bool:
    """Whether the level is debug; where it is not, none of this is in the way of anything."""
    return structlog.is_configured() and bool(_log.is_enabled_for(logging.DEBUG))


def tell(did: str, events: Iterable[Event], **more: Any) -> None:
    """A line for each of the events, of what was done with it."""
    for one in events:
        found = {name: value for name in ABOUT if (value := getattr(one, name, "")) not in ("", None)}
        _log.debug(did, type=type(one).__name__, correlation=one.correlation, **found, **more)


def told_log(log: Writing) -> Writing:
    """The log, told of where it is."""
    return _ToldLog(log) if is_told() else log


def told_topology(topology: Topology) -> Topology:
    """The topology, its steps told of where they are."""
    if not is_told():
        return topology
    return replace(topology, stages={name: _told_stage(stage) for name, stage in topology.stages.items()})


def _told_stage(stage: Stage) -> Stage:
    def step(state: Any, event: Any) -> tuple[Any, list[Event]]:
        after, made = stage.step(state, event)
        tell("made", made, stage=stage.name)
        return after, made

    return replace(stage, step=step)


class _ToldLog:
    def __init__(self, log: Writing) -> None:
        self._log = log

    def submit(self, work: Callable[[Transaction], T]) -> Future[T]:
        events: list[Event] = []
        asked = structlog.contextvars.get_contextvars()  # the request's id; the writer has a thread of its own

        def watched(transaction: Transaction) -> T:
            events.clear()  # a work may be tried again
            return work(cast(Transaction, _ToldTransaction(transaction, events)))

        future = self._log.submit(watched)
        future.add_done_callback(partial(_tell_durable, events, asked))
        return future


class _ToldTransaction:
    def __init__(self, transaction: Transaction, events: list[Event]) -> None:
        self._transaction = transaction
        self._events = events

    def append(self, event: Event) -> int:
        self._events.append(event)
        return self._transaction.append(event)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transaction, name)


def _tell_durable(events: list[Event], asked: dict[str, Any], done: Future[Any]) -> None:
    if not done.cancelled() and done.exception() is None:
        tell("appended", events, **asked)

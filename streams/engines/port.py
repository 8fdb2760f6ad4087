"""What an engine and its log promise to the rest of prefloop.

The contract suite (tests/contract) is written against these, so that every engine joins it unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Literal, Protocol, TypeVar

from sqlalchemy import Connection

from streams.events import Event, Struct

T = TypeVar("T")
Admission = Literal["new", "same", "other"]


class Record(Struct, frozen=True, kw_only=True):
    """An event where it stands in the log."""

    topic: str
    partition: int
    offset: int
    key: str
    event: Event


class Transaction(Protocol):
    """What a writer may do; all of it becomes durable at once or not at all."""

    sql: Connection  # the facts that live in SQL alone: keys and people

    def append(self, event: Event) -> int:
        """Appends the event to the topic of its type; its offset."""
        ...

    def admit(self, kind: str, identity: str, content_hash: str) -> Admission:
        """Claims the id for this content: new, same as the first, or other than the first (which is kept)."""
        ...

    def admit_all(self, kind: str, claims: Sequence[tuple[str, str]]) -> list[Admission]:
        """`admit` of each (identity, content hash), in order: one round trip where the index is a server."""
        ...


class Log(Protocol):
    """The truth: topics of events, in order."""

    def submit(self, work: Callable[[Transaction], T]) -> Future[T]:
        """Runs `work` inside a transaction on the writer; the future resolves when it is durable.

        An exception raised by `work` undoes what it wrote and is the future's exception. Thread-safe.
        """
        ...

    def read(self, topic: str, start: int = 0, limit: int = 1000) -> Sequence[Record]:
        """Records of the topic from offset `start` on, in order."""
        ...

    def end(self, topic: str) -> int:
        """The offset after the last record of the topic."""
        ...


class Engine(Protocol):
    """Runs every stage of a topology over a log."""

    def start(self) -> None:
        """Begins to work; returns at once."""
        ...

    def stop(self) -> None:
        """Finishes what is in hand and stops; everything acknowledged is durable."""
        ...

    def drain(self) -> None:
        """Returns when every stage has applied every event."""
        ...

    def state(self, stage: str, key: str) -> object | None:
        """The state of that key, or None."""
        ...

    def lag(self) -> dict[str, int]:
        """Events not yet applied, by stage (and by view)."""
        ...


class View(Protocol):
    """Folds the events of some topics into SQL tables. Order between topics must not matter."""

    name: str
    topics: tuple[str, ...]

    def apply(self, sql: Connection, records: Sequence[Record]) -> None:
        """Folds records of one topic, in order, inside the caller's transaction."""
        ...


Listener = Callable[[Sequence[Record]], None]  # called after each commit with all that became durable

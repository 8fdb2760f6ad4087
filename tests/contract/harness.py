"""What the contract suite needs of an engine, and the adapters that give it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from streams.engines.embedded import EmbeddedEngine, no_fault
from streams.engines.port import Record, Transaction
from streams.engines.sqlite_log import SqliteLog
from streams.events import Event
from streams.topology import Topology


class CrashError(BaseException):
    """The process dies here: nobody may catch it but the engine's own last line."""


class CrashAt:
    """Dies at the n-th time that `point` is reached, once."""

    def __init__(self, point: str, number: int) -> None:
        self.point, self.left = point, number

    def __call__(self, point: str) -> None:
        if point == self.point:
            self.left -= 1
            if self.left == 0:
                raise CrashError(point)


class Harness(Protocol):
    """An engine that can be opened, crashed and opened again over the same storage."""

    def open(self, topology: Topology, fault: Callable[[str], None] = no_fault) -> None:
        """Opens storage and engine; the engine does not run yet."""

    def start(self) -> None:
        """Lets the engine run."""

    def close(self) -> None:
        """Stops in good order, or clears away after a crash."""

    def append(self, events: Sequence[Event]) -> None:
        """Appends durably, one transaction an event."""

    def submit(self, work: Callable[[Transaction], object]) -> object:
        """The result of work done durably, or its exception."""

    def append_bytes(self, topic: str, key: str, payload: bytes) -> None:
        """Puts bytes into the log as they are, past the codec."""

    def drain(self) -> None:
        """Waits until all is applied; raises CrashError where the engine died."""

    def read(self, topic: str) -> Sequence[Record]:
        """All records of a topic."""

    def state(self, stage: str, key: str) -> object | None:
        """The committed state."""


class EmbeddedHarness:
    """The embedded engine on a SQLite file."""

    crashes = tuple(
        (point, number)
        for point in ("before_step", "after_output", "after_state", "before_commit", "after_commit")
        for number in (1, 2, 17)
    )

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def open(self, topology: Topology, fault: Callable[[str], None] = no_fault) -> None:
        self._log = SqliteLog(self._folder, topology)
        self._engine = EmbeddedEngine(self._log, fault=fault)

    def start(self) -> None:
        self._engine.start()

    def close(self) -> None:
        self._engine.stop()
        self._log.close()

    def append(self, events: Sequence[Event]) -> None:
        for event in events:
            self._engine.submit(lambda transaction, event=event: transaction.append(event)).result()  # type: ignore[misc]

    def submit(self, work: Callable[[Transaction], object]) -> object:
        return self._engine.submit(work).result()

    def append_bytes(self, topic: str, key: str, payload: bytes) -> None:
        end = self._log.end(topic)
        self._log.raw.execute(f"INSERT INTO log_{topic} VALUES (?, ?, ?)", (end, key, payload))
        self._log.reload()

    def drain(self) -> None:
        self._engine.drain()

    def read(self, topic: str) -> Sequence[Record]:
        return self._log.read(topic, limit=1_000_000)

    def state(self, stage: str, key: str) -> object | None:
        return self._engine.state(stage, key)

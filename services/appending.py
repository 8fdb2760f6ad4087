"""Works for the log's writer (see `Log.submit`) that append events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from streams.engines.port import Transaction
from streams.events import Event

E = TypeVar("E", bound=Event)


def appending(events: Sequence[Event]) -> Callable[[Transaction], None]:
    """Appends them all."""

    def work(transaction: Transaction) -> None:
        for event in events:
            transaction.append(event)

    return work


def appending_new(
    kind: str, events: Sequence[E], claim: Callable[[E], tuple[str, str]]
) -> Callable[[Transaction], int]:
    """Appends those whose claim (identity, content hash) was not admitted before; how many.

    Whoever decides by the views decides again what they do not show yet: this way it is in the log once.
    """

    def work(transaction: Transaction) -> int:
        admissions = transaction.admit_all(kind, [claim(event) for event in events])
        new = [event for event, admission in zip(events, admissions, strict=True) if admission == "new"]
        appending(new)(transaction)
        return len(new)

    return work

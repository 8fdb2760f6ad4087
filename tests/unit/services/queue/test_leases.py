"""Leases that are over, while the log can or cannot be written."""

from __future__ import annotations

from typing import cast

import pytest

from services.queue.leases import OverdueLeases
from services.queue.port import AssignmentQueue
from streams.errors import UnavailableError
from streams.events import Assignment


class Over:
    """A queue whose leases end when the test says so."""

    def __init__(self) -> None:
        self.over: list[Assignment] = []

    def expire(self, now: int) -> list[Assignment]:
        ended, self.over = self.over, []
        return ended


def lease(task: str) -> Assignment:
    return Assignment(task=task, annotator="ann", slot=0, kind="expired")


def test_what_an_outage_kept_from_the_log_is_written_later() -> None:
    queue = Over()
    overdue = OverdueLeases(cast(AssignmentQueue, queue))
    queue.over = [lease("t1")]
    with pytest.raises(UnavailableError), overdue.ended(1):
        raise UnavailableError("the log is away")
    queue.over = [lease("t2")]
    with overdue.ended(2) as ended:
        assert ended == [lease("t1"), lease("t2")]
    with overdue.ended(3) as ended:
        assert ended == []


def test_who_looks_meanwhile_does_not_write_them_twice() -> None:
    queue = Over()
    overdue = OverdueLeases(cast(AssignmentQueue, queue))
    queue.over = [lease("t1")]
    with overdue.ended(1) as mine, overdue.ended(1) as theirs:
        assert (mine, theirs) == ([lease("t1")], [])

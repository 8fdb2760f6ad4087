"""Rings among the tasks that the coordinator looks at."""

from __future__ import annotations

from collections.abc import Sequence

from streams.quality import collusion
from streams.quality.ring import Answered, Member


def rings_report(tasks: Sequence[Answered], rate: float) -> list[tuple[Member, ...]]:
    """See collusion.rings."""
    return collusion.rings(tasks, rate)

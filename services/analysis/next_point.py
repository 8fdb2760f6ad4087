"""What the next point of quality costs, from the newest verdicts of the crowd."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from streams.quality import next_point
from streams.quality.decided import Decided


def next_point_report(decided: Sequence[Decided]) -> dict[str, Any]:
    """Where the campaign is, and each higher target with its price in judgments; `outlook` None with too few tasks."""
    found = next_point.outlook(decided)
    return {"least_tasks": next_point.LEAST_TASKS, "outlook": msgspec.to_builtins(found)}

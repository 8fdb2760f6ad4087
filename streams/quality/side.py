"""One side: picking the same side of the screen whatever stands there. Sides are shuffled: honesty is near one half."""

from __future__ import annotations

from streams.events import Judgment
from streams.quality.reliability import left

NULL, ALTERNATIVES = 0.65, (0.8, 0.97)  # an honest annotator leans to one side in at most 65 of 100 decisive judgments


def picked_left(judgment: Judgment) -> bool | None:
    """Whether the left one was chosen; None for a tie."""
    return None if judgment.choice == "tie" else left(judgment.choice, judgment.swapped)

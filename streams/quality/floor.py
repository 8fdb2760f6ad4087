"""Below the floor: an annotator whose decisive judgments the others' consensus bears out too seldom.

The null is an accuracy of at least `FLOOR`. The others' posterior says how often even such an annotator would
disagree with their favourite, so hard tasks and unsure majorities are no evidence against anybody.
"""

from __future__ import annotations

from collections.abc import Sequence

from streams.events import Choice

FLOOR = 0.65  # accuracy among decisive judgments
GUESSING = 0.5  # the alternative of one test
REVERSED = 0.2  # and of another: somebody who (since some moment) answers against the others


def ratio(choice: Choice, others: Sequence[float], alternative: float) -> float:
    """The likelihood of the choice under accuracy `alternative` over that under the floor; 1 for a tie.

    `others` is the leave-one-out posterior over (a, b, tie).
    """
    if choice == "tie":
        return 1.0
    mine, other = (others[0], others[1]) if choice == "a" else (others[1], others[0])
    half = others[2] / 2
    return (half + alternative * mine + (1.0 - alternative) * other) / (half + FLOOR * mine + (1.0 - FLOOR) * other)

"""Below the floor: an annotator whose decisive judgments are borne out too seldom, by the others or by known answers.

The null is an accuracy of at least `FLOOR`. The others' posterior says how often even such an annotator would
disagree with their favourite, so hard tasks and unsure majorities are no evidence against anybody. The evidence is as
good as that posterior is calibrated; it is never taken for more certain than `MOST_SURE`.
"""

from __future__ import annotations

from collections.abc import Sequence

from streams.events import Choice

FLOOR = 0.65  # accuracy among decisive judgments
LIFETIME = (0.6, 0.5, 0.35, 0.2)  # alternatives: careless, guessing, answering against the truth more and more often
WATCH = (0.55, 0.5, 0.3)  # alternatives of the watch for a change
MOST_SURE = 0.98  # of the others' favourite: nobody's error counts more than 50 to 1


def ratios(choice: Choice, others: Sequence[float], alternatives: Sequence[float]) -> list[float]:
    """The likelihoods of the choice under each accuracy in `alternatives` over that under the floor; 1 for a tie.

    `others` is the leave-one-out posterior over (a, b, tie).
    """
    if choice == "tie":
        return [1.0] * len(alternatives)
    mine, other = (others[0], others[1]) if choice == "a" else (others[1], others[0])
    wrong, gain = others[2] / 2 + tempered(other), (2.0 * MOST_SURE - 1.0) * (mine - other)
    innocent = wrong + FLOOR * gain
    return [(wrong + accuracy * gain) / innocent for accuracy in alternatives]


def tempered(probability: float) -> float:
    """Kept away from 0 and 1, so that no single task decides."""
    return (1.0 - MOST_SURE) + (2.0 * MOST_SURE - 1.0) * probability

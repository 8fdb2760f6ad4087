"""Gold: tasks whose answer is known, hidden among the others."""

from __future__ import annotations

from streams.events import Check, Judgment

NULL, ALTERNATIVES = 0.3, (0.4, 0.5, 0.8)  # gold is chosen to be clear: an honest annotator misses at most three of ten
NARROW, WIDE = 0.1, 0.4  # widths of the 95 % interval of an accuracy: known well, and hardly known
LEAST = 0.2  # share of the campaign's rate that is kept for those known well: people change


def rate(bound: float, low: float, high: float, *, in_doubt: bool = False) -> float:
    """The share of an annotator's tasks that should be gold, at most `bound`, from the interval of their accuracy.

    All of it for those hardly known or in doubt (weighted down), a fifth for those known well, straight between. A rule
    of thumb: what gold can teach shrinks with the interval, and the floor bounds how long a change goes unseen.
    """
    if in_doubt:
        return bound
    unknown = (high - low - NARROW) / (WIDE - NARROW)
    return bound * min(1.0, LEAST + (1 - LEAST) * max(0.0, unknown))


def check(judgment: Judgment) -> Check | None:
    """Passed or failed; None where the task has no known answer."""
    if judgment.gold is None:
        return None
    if judgment.choice == judgment.gold:
        return Check(name="gold", passed=True)
    return Check(name="gold", passed=False, detail=f"said {judgment.choice}, known answer {judgment.gold}")

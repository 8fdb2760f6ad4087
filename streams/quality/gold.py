"""Gold: tasks whose answer is known, hidden among the others."""

from __future__ import annotations

from streams.events import Check, Judgment

NULL, ALTERNATIVES = 0.3, (0.4, 0.5, 0.8)  # gold is chosen to be clear: an honest annotator misses at most three of ten


def check(judgment: Judgment) -> Check | None:
    """Passed or failed; None where the task has no known answer."""
    if judgment.gold is None:
        return None
    if judgment.choice == judgment.gold:
        return Check(name="gold", passed=True)
    return Check(name="gold", passed=False, detail=f"said {judgment.choice}, known answer {judgment.gold}")

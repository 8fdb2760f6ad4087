"""Too fast: an answer given sooner than the texts can be read."""

from __future__ import annotations

from streams.events import Check, Judgment

SKIM = 100.0  # characters a second, four times careful reading (238 words a minute: Brysbaert 2019)
ENOUGH = 15.0  # seconds after which nobody is called too fast, however long the texts
NULL, ALTERNATIVE = 0.2, 0.5  # an honest annotator is this fast in at most one judgment of five


def least_seconds(judgment: Judgment) -> float:
    """The time below which the two responses cannot have been read."""
    return min((judgment.length_a + judgment.length_b) / SKIM, ENOUGH)


def check(judgment: Judgment) -> Check | None:
    """Passed or failed; None where the times are not known."""
    if not judgment.shown_at or judgment.answered_at < judgment.shown_at:
        return None
    taken, least = (judgment.answered_at - judgment.shown_at) / 1000, least_seconds(judgment)
    if taken >= least:
        return Check(name="speed", passed=True)
    characters = judgment.length_a + judgment.length_b
    detail = f"{taken:.1f} s for {characters:,} characters, at least {least:.1f} s"
    return Check(name="speed", passed=False, detail=detail)

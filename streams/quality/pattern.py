"""A pattern: answers that follow from the annotator's own last two (all the same, alternating, left-right-tie, ...).

The prediction is what came last time after the same two answers. It uses the past alone, so under the null that no
answer is more than `NULL` likely given the past, being right is a bet that cannot be won in the long run.
"""

from __future__ import annotations

from streams.events import Choice, Struct

NULL, ALTERNATIVE = 0.75, 0.97  # even somebody who says tie three times of four is no pattern
UNKNOWN = "-"


class Rhythm(Struct, frozen=True, kw_only=True, array_like=True):
    """The last two answers (L, R, T) and, for each of the nine possible pairs, what followed it last time."""

    last: str = ""
    follows: str = UNKNOWN * 9


def symbol(choice: Choice, swapped: bool) -> str:
    """What was pressed: L, R or T."""
    if choice == "tie":
        return "T"
    return "L" if (choice == "a") != swapped else "R"


def observe(rhythm: Rhythm, pressed: str) -> tuple[Rhythm, bool | None]:
    """The rhythm after this answer, and whether it was predicted; None where there was no prediction."""
    if len(rhythm.last) < 2:
        return Rhythm(last=rhythm.last + pressed, follows=rhythm.follows), None
    at = "LRT".index(rhythm.last[0]) * 3 + "LRT".index(rhythm.last[1])
    expected = rhythm.follows[at]
    follows = rhythm.follows if expected == pressed else rhythm.follows[:at] + pressed + rhythm.follows[at + 1 :]
    return Rhythm(last=rhythm.last[1] + pressed, follows=follows), None if expected == UNKNOWN else expected == pressed

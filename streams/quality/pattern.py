"""A pattern: answers that follow from the annotator's own last ones (all the same, alternating, left-right-tie, ...).

What is foretold is what came after the latest earlier occurrence of the longest context that occurs again (prediction
by partial matching, Cleary and Witten 1984, without the probabilities): every period up to eight is found, and every
habit of low entropy. It uses the past alone, so under the null that no answer is more than `NULL` likely given the
past, being right is a bet that cannot be won in the long run.
"""

from __future__ import annotations

from streams.events import Choice

NULL, ALTERNATIVES = 0.75, (0.85, 0.97)  # even somebody who says tie three times of four is no pattern
REMEMBERED = 24  # answers
CONTEXT = 8  # the longest that is looked for


def symbol(choice: Choice, swapped: bool) -> str:
    """What was pressed: L, R or T."""
    if choice == "tie":
        return "T"
    return "L" if (choice == "a") != swapped else "R"


def foretold(pressed: str) -> str | None:
    """The answer that the ones before it foretell; None without a precedent."""
    for length in range(min(CONTEXT, len(pressed) - 1), 0, -1):
        at = pressed.rfind(pressed[-length:], 0, len(pressed) - 1)
        if at >= 0:
            return pressed[at + length]
    return None


def observe(history: str, pressed: str) -> tuple[str, bool | None]:
    """The history with this answer, and whether it was foretold; None where nothing was."""
    expected = foretold(history)
    return (history + pressed)[-REMEMBERED:], None if expected is None else expected == pressed

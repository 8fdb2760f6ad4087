"""The hidden preference of the simulated annotators: short, friendly answers. A pure function of the text.

It is the truth that the demo is measured by, and nothing but the simulated annotators and the final table may look
at it: the service, its quality control and the trainer see judgments alone.
"""

from __future__ import annotations

import re

from streams.events import Choice

WARM = re.compile(
    r"!|\b(?:hello|hi|hey|welcome|thanks?|thank you|please|sure|of course|absolutely|certainly|yes|great|good|nice|"
    r"wonderful|lovely|fun|happy|glad|enjoy\w*|love|hope|friend\w*|dear|you|your|you're|let's|we)\b",
    re.IGNORECASE,
)
MOST_WARMTH = 3  # marks of friendliness that still count
WARMTH = 0.5  # points a mark
WORDS_A_POINT = 10.0  # every ten words cost a point
CUT_OFF = 0.5  # cost of an answer that ends in the middle of a sentence
NO_ANSWER = 3.0  # cost of saying (next to) nothing
FEWEST_WORDS = 3
TIE_BAND = 0.25  # scores closer than this are as good as each other


def score(text: str) -> float:
    """How much the crowd likes a response; higher is better. No unit: only differences mean something."""
    words = len(text.split())
    warmth = WARMTH * min(len(WARM.findall(text)), MOST_WARMTH)
    unfinished = 0.0 if text.rstrip().endswith((".", "!", "?")) else CUT_OFF
    return warmth - words / WORDS_A_POINT - unfinished - (NO_ANSWER if words < FEWEST_WORDS else 0.0)


def truth(a: str, b: str) -> Choice:
    """Which of two responses is better, a tie where they are less than `TIE_BAND` apart."""
    gap = score(a) - score(b)
    if abs(gap) < TIE_BAND:
        return "tie"
    return "a" if gap > 0 else "b"

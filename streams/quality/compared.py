"""A judgment as the reports look at it. Without numpy, so that it can be read where no report is made."""

from __future__ import annotations

from streams.events import Choice, Struct


class Compared(Struct, frozen=True, kw_only=True):
    """One judgment and what it compared. Lengths in characters, markdown in marks (streams/content.py)."""

    item: str
    annotator: str
    choice: Choice
    swapped: bool = False
    length_a: int = 0
    length_b: int = 0
    markdown_a: int = 0
    markdown_b: int = 0
    model_a: str = ""
    model_b: str = ""
    answered_at: int = 0  # ms; 0 unknown

"""A judgment as the reports look at it."""

from __future__ import annotations

from streams.quality.said import Said


class Compared(Said, frozen=True, kw_only=True):
    """With what it compared. Lengths in characters, markdown in marks (streams/content.py)."""

    length_a: int = 0
    length_b: int = 0
    markdown_a: int = 0
    markdown_b: int = 0
    model_a: str = ""
    model_b: str = ""
    answered_at: int = 0  # ms; 0 unknown

"""A judgment as the statistics see it. Without numpy: processes that compute nothing read and pass these on."""

from __future__ import annotations

from streams.events import Choice, Struct


class Said(Struct, frozen=True, kw_only=True):
    """Who said what on which item, and whether b was shown on the left."""

    item: str
    annotator: str
    choice: Choice
    swapped: bool = False

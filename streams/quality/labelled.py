"""A judgment as the refinement sees it. No numpy here: the API's process passes these on."""

from __future__ import annotations

from streams.events import Choice, Struct


class Labelled(Struct, frozen=True, kw_only=True):
    """Who said what on which item; `weight` tempers it: at 0 it says nothing and teaches nothing."""

    item: str
    annotator: str
    choice: Choice
    swapped: bool = False
    weight: float = 1.0

"""A judgment as the refinement sees it."""

from __future__ import annotations

from streams.quality.said import Said


class Labelled(Said, frozen=True, kw_only=True):
    """`weight` tempers it: at 0 it says nothing and teaches nothing."""

    weight: float = 1.0

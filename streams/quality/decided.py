"""A task with its verdict, as the outlook sees it. Without numpy, so that it can be read where no report is made."""

from __future__ import annotations

from streams.events import Struct


class Decided(Struct, frozen=True, kw_only=True):
    """A task that the crowd's judgments decided."""

    belief: float  # posterior of its verdict
    judgments: int  # that the verdict rests on
    target: float | None = None  # that the belief reached; None: it ended at the cap, or was recorded

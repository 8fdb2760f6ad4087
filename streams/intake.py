"""Requests as they are sent: types and limits alone. See docs/api.md."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from streams.content import RawContent, RawMessage
from streams.events import Choice, Flag, SignalKind

MOST_BYTES = 256 * 1024  # of prompt and responses of one output together, as UTF-8
MOST_REASON = 4_000  # characters

Name = Annotated[str, Meta(max_length=256)]
Tags = Annotated[
    dict[Annotated[str, Meta(min_length=1, max_length=64)], Annotated[str, Meta(max_length=256)]], Meta(max_length=64)
]
Side = Literal["left", "right", "tie"]


class RawResponse(Struct, frozen=True, forbid_unknown_fields=True):
    """One response with a model of its own."""

    content: RawContent
    model: Name = ""
    model_version: Name = ""


class RawOutput(Struct, frozen=True, forbid_unknown_fields=True):
    """An output as a producer sends it; see docs/api.md."""

    prompt: str | Annotated[list[RawMessage], Meta(max_length=256)]
    responses: Annotated[list[str | RawResponse], Meta(min_length=1, max_length=8)]
    id: Name = ""
    campaign: Name = "default"
    model: Name = ""
    model_version: Name = ""
    tags: Tags = {}
    trace: Name = ""
    time: int | None = None  # ms since 1970
    gold: Choice | None = None  # which response is better: `a` the first, `b` the second


class RawSignal(Struct, frozen=True, forbid_unknown_fields=True):
    """What an end user did with an output, as a producer sends it."""

    output: Annotated[str, Meta(min_length=1, max_length=256)]
    kind: SignalKind
    id: Name = ""
    position: Annotated[int, Meta(ge=0, lt=8)] | None = None
    value: float | None = None
    edit: Annotated[str, Meta(max_length=MOST_BYTES)] | None = None
    time: int | None = None


class RawJudgment(Struct, frozen=True, forbid_unknown_fields=True):
    """A judgment as the page sends it: by the sides shown."""

    task: Annotated[str, Meta(min_length=1, max_length=64)]
    choice: Side
    strength: Annotated[int, Meta(ge=1, le=3)] | None = None
    marks: Annotated[dict[Name, Side], Meta(max_length=32)] = {}
    flags: Annotated[list[Flag], Meta(max_length=4)] = []
    reason: Annotated[str, Meta(max_length=MOST_REASON)] = ""
    shown_at: int | None = None
    answered_at: int | None = None
    revision: Annotated[int, Meta(ge=1, le=1_000)] = 1

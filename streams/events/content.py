"""What models say and are asked: the only events with words in them."""

from __future__ import annotations

from typing import Literal

from streams.events.envelope import Event, Struct


class Part(Struct, frozen=True, kw_only=True):
    """One typed part of a content; text for now."""

    text: str
    type: Literal["text"] = "text"


class Message(Struct, frozen=True, kw_only=True):
    """One turn of a prompt."""

    role: Literal["system", "user", "assistant", "tool"]
    content: tuple[Part, ...]


class Text(Event, frozen=True, kw_only=True):
    """Topic `texts` (compacted, key = owner): the words of an output, or an annotator's reason, or an edit."""

    owner: str  # the output's, judgment's or signal's id
    prompt: tuple[Message, ...] = ()
    responses: tuple[tuple[Part, ...], ...] = ()
    reason: str = ""

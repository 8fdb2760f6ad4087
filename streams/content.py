"""Content as it is sent (strings or lists of parts) and as it is kept (tuples of parts), with its digests."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Literal

import msgspec

from streams.errors import InputError
from streams.events import Message, Part, digest

MOST_PARTS = 64
Role = Literal["system", "user", "assistant", "tool"]

FIRST_MARKS = frozenset("#-*+>`|0123456789 ")  # a line of plain words is done at the first look
# A heading, list item, quote, fence or table row begins a line. A literal first character makes this scan fast.
LINE_MARKS = re.compile(r"\n {0,3}(?:#{1,6} |[-*+] |\d{1,3}[.)] |> |```|\|)")


class RawPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One typed part as it is sent; text for now."""

    text: str
    type: Literal["text"] = "text"


RawContent = str | Annotated[list[RawPart], msgspec.Meta(max_length=MOST_PARTS)]


class RawMessage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One turn of a prompt as it is sent."""

    role: Role
    content: RawContent


def parts_of(content: str | list[RawPart]) -> tuple[Part, ...]:
    """A string is one part."""
    if isinstance(content, str):
        return (Part(text=content),)
    return tuple([Part(text=part.text) for part in content])


def messages_of(prompt: str | list[RawMessage]) -> tuple[Message, ...]:
    """A string is one turn of the user."""
    if isinstance(prompt, str):
        return (Message(role="user", content=(Part(text=prompt),)),)
    return tuple([Message(role=message.role, content=parts_of(message.content)) for message in prompt])


def length_of(parts: Iterable[Part]) -> int:
    """Characters."""
    return sum([len(part.text) for part in parts])


def markdown_of(parts: Iterable[Part]) -> int:
    """Marks of markdown: headings, list items, quotes, fences, table rows, bold and code spans, links.

    A count for the bias report, not a parser: admission has microseconds for it.
    """
    return sum([_marks(part.text) for part in parts])


def _marks(text: str) -> int:
    marks = len(LINE_MARKS.findall("\n" + text)) if "\n" in text or text[:1] in FIRST_MARKS else 0
    if "*" in text:
        marks += text.count("**") // 2
    if "`" in text:
        marks += (text.count("`") - 3 * text.count("```")) // 2
    return marks + text.count("](") if "]" in text else marks


def digest_of(parts: Iterable[Part]) -> str:
    """The same words in the same parts have the same digest."""
    return digest(*[part.text for part in parts])


def digest_of_messages(messages: Iterable[Message]) -> str:
    """The same turns have the same digest; roles and the bounds of turns and parts count."""
    words: list[str] = []
    for message in messages:
        words.append(f"{message.role}/{len(message.content)}")
        words.extend([part.text for part in message.content])
    return digest(*words)


def check_characters(text: str, field: str) -> None:
    """Raises InputError for what cannot be stored everywhere as text: NUL, and halves of surrogate pairs."""
    if "\x00" in text:
        raise InputError(f"{field} holds a NUL character", field=field, mend="remove \\u0000 from the text")
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError as error:
        mend = "send valid Unicode: a lone \\ud800 to \\udfff is half a character"
        raise InputError(f"{field} holds a lone surrogate", field=field, mend=mend) from error

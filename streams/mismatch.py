"""What msgspec says of a value that does not fit its type, with the values that would."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import msgspec
from msgspec import inspect

NO_SUCH_VALUE = "Invalid enum value "  # msgspec names the value and the place, and not what is allowed there
STEPS = re.compile(r"\[(?:\d+|\.\.\.)\]|\.([^.\[\]`]+)")  # of a place such as `$.rules[0].match`


def explained(error: msgspec.MsgspecError | UnicodeDecodeError, expected: Any) -> str:
    """The message of an error met while something was read as `expected` (a type), ending with the place."""
    said, at, place = str(error).partition(" - at ")
    allowed = allowed_at(expected, place) if said.startswith(NO_SUCH_VALUE) else ()
    if not allowed:
        return str(error)
    return f"{said.removeprefix(NO_SUCH_VALUE)} is none of {', '.join(allowed)}{at}{place}"


@cache
def allowed_at(expected: Any, place: str) -> tuple[str, ...]:
    """The values allowed at a place as msgspec writes it; none where anything of a kind is."""
    found = list(_options(inspect.type_info(expected)))
    for step in STEPS.finditer(place):
        found = [option for kind in found for inner in _inside(kind, step[1]) for option in _options(inner)]
    if place.startswith("`key`"):
        found = [option for kind in found if isinstance(kind, inspect.DictType) for option in _options(kind.key_type)]
    return tuple(str(value) for kind in found if isinstance(kind, inspect.LiteralType) for value in kind.values)


def _options(kind: inspect.Type) -> Iterator[inspect.Type]:
    """The types that a union, or a type with a remark, stands for."""
    if isinstance(kind, inspect.Metadata):
        yield from _options(kind.type)
    elif isinstance(kind, inspect.UnionType):
        for option in kind.types:
            yield from _options(option)
    else:
        yield kind


def _inside(kind: inspect.Type, field: str | None) -> Iterable[inspect.Type]:
    """What is at the field of that name; without a name, at any place of a list or mapping."""
    if field is not None:
        fields = kind.fields if isinstance(kind, inspect.StructType) else ()
        return [one.type for one in fields if one.encode_name == field]
    if isinstance(kind, inspect.DictType):
        return [kind.value_type]
    item: inspect.Type | None = getattr(kind, "item_type", None)  # lists, sets and tuples of any length
    return [item] if item else []

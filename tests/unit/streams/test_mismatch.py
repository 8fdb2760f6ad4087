"""A refused value is told together with the values that are allowed in its place."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta

from streams.mismatch import explained

Colour = Literal["green", "red"]


class Inner(msgspec.Struct):
    colour: Colour | None = None
    many: Annotated[list[Colour | int], Meta(max_length=4)] = []


class Outer(msgspec.Struct, forbid_unknown_fields=True):
    inner: Inner | None = None
    some: tuple[Inner, ...] = ()
    named: Mapping[str, Colour] = {}
    shares: dict[Literal["x", "y"], float] = {}


def message(sent: Any, kind: Any = Outer) -> str:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.json.decode(msgspec.json.encode(sent), type=kind)
    return explained(caught.value, kind)


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"inner": {"colour": "blue"}}, "'blue' is none of green, red - at `$.inner.colour`"),
        ({"inner": {"many": ["red", "blue"]}}, "'blue' is none of green, red - at `$.inner.many[1]`"),
        ({"some": [{}, {"colour": "blue"}]}, "'blue' is none of green, red - at `$.some[1].colour`"),
        ({"named": {"a.b": "blue"}}, "'blue' is none of green, red - at `$.named[...]`"),
        ({"shares": {"z": 1}}, "'z' is none of x, y - at `key` in `$.shares`"),
    ],
)
def test_the_allowed_values_are_said_wherever_the_value_stands(sent: Any, said: str) -> None:
    assert message(sent) == said


def test_a_value_that_is_the_whole() -> None:
    assert message("blue", Colour) == "'blue' is none of green, red"
    assert message(["blue"], list[Colour]) == "'blue' is none of green, red - at `$[0]`"


def test_other_errors_stay_as_they_are() -> None:
    assert message({"inner": {"colour": 3}}) == "Expected `str | null`, got `int` - at `$.inner.colour`"
    assert "unknown field `colour`" in message({"colour": "red"})

"""A small topology with a cycle, a poisonable step and a state that is forgotten: what every engine is tried with.

numbers (by name) ─▶ [sums] ─▶ totals (by colour) ─▶ [tallies] ─▶ echoes (by name) ─▶ [sums]
"""

from __future__ import annotations

from streams.events import DeadLetter, Event, Struct, Text
from streams.stages.derive import derive
from streams.topology import Stage, Topic, make_topology


class Number(Event, frozen=True, kw_only=True):
    name: str
    colour: str
    value: int


class Total(Event, frozen=True, kw_only=True):
    name: str
    colour: str
    value: int


class Echo(Event, frozen=True, kw_only=True):
    name: str
    value: int


class Sum(Struct, frozen=True, kw_only=True):
    total: int = 0
    echoed: int = 0
    values: tuple[int, ...] = ()


class Tally(Struct, frozen=True, kw_only=True):
    count: int = 0
    total: int = 0


FORGET = 0  # a Number of this value makes its name forgotten


def sum_step(state: Sum | None, event: Number | Echo) -> tuple[Sum | None, list[Event]]:
    """Adds up the numbers of one name; negative ones break it; two outputs a number."""
    state = state or Sum()
    if isinstance(event, Echo):
        return Sum(total=state.total, echoed=state.echoed + event.value, values=state.values), []
    if event.value < 0:
        raise ValueError("negative numbers are poison")
    if event.value == FORGET:
        return None, []
    outputs: list[Event] = [
        derive(Total, event, "sums", name=event.name, colour=colour, value=event.value)
        for colour in (event.colour, "all")
    ]
    values = (*state.values, event.value)
    return Sum(total=state.total + event.value, echoed=state.echoed, values=values), outputs


def tally_step(state: Tally | None, event: Total) -> tuple[Tally | None, list[Event]]:
    """Counts by colour and echoes to the name."""
    state = state or Tally()
    echo = derive(Echo, event, "tallies", name=event.name, value=event.value)
    return Tally(count=state.count + 1, total=state.total + event.value), [echo]


def stray_step(state: Tally | None, event: Echo) -> tuple[Tally | None, list[Event]]:
    """A bug: writes to a topic that its row does not name."""
    return state, [derive(Number, event, "stray", name=event.name, colour="", value=1)]


TOPICS = [
    Topic(name="numbers", event=Number, key=lambda x: x.name),
    Topic(name="totals", event=Total, key=lambda x: x.colour),
    Topic(name="echoes", event=Echo, key=lambda x: x.name),
    Topic(name="texts", event=Text, key=lambda x: x.owner, compacted=True),
    Topic(name="dead_letters", event=DeadLetter, key=lambda x: x.key),
]
SUMS = Stage(name="sums", inputs=("numbers", "echoes"), outputs=("totals",), state=Sum, step=sum_step)
TALLIES = Stage(name="tallies", inputs=("totals",), outputs=("echoes",), state=Tally, step=tally_step)
STRAY = Stage(name="stray", inputs=("echoes",), outputs=(), state=Tally, step=stray_step)
TOY = make_topology(TOPICS, [SUMS, TALLIES])
BUGGY = make_topology(TOPICS, [SUMS, TALLIES, STRAY])

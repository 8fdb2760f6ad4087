"""A step is made once however often its input comes, and its outputs come again alike."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.codecs import decode, encode
from streams.engines.guarded import Applied, Delivery, GuardedStage, Sending
from streams.events import DeadLetter, Event, Origin
from tests.contract.kafka_toy import toy_layout
from tests.contract.toy import FORGET, SUMS, TALLIES, TOY, Echo, Number, Sum, Tally, Total

LAYOUT = toy_layout(TOY, "t.")


def number(value: int, name: str = "ann") -> Number:
    return Number(id=f"n{value}", name=name, colour="red", value=value)


def total(offset: int, ordinal: int = 0, partition: int = 0) -> Total:
    return Total(
        id=f"t{partition}.{offset}.{ordinal}",
        name="ann",
        colour="red",
        value=1,
        actor="stage:sums",
        origin=Origin(topic="numbers", partition=partition, offset=offset, ordinal=ordinal),
    )


def deliveries(events: list[Event], key: bytes = b"ann") -> list[Delivery]:
    return [Delivery(0, offset, key, encode(event)) for offset, event in enumerate(events)]


class Table(dict[bytes, bytes]):
    def keep(self, applied: Applied) -> None:
        self.update({key: value for key, (_, value) in applied.states.items()})


def test_a_batch_is_its_steps_one_after_the_other() -> None:
    events: list[Event] = [number(1), number(2, "bob"), number(3)]
    given_ = [
        Delivery(0, offset, event.name.encode(), encode(event))
        for offset, event in enumerate(events)
        if isinstance(event, Number)
    ]
    whole, single = Table(), Table()
    all_at_once = GuardedStage(SUMS, LAYOUT, whole.get)
    one_by_one = GuardedStage(SUMS, LAYOUT, single.get)
    batch = all_at_once.apply(given_)
    whole.keep(batch)
    sendings: list[Sending] = []
    for delivery in given_:
        applied = one_by_one.apply([delivery])
        single.keep(applied)
        sendings += applied.sendings
    assert (whole, batch.sendings) == (single, sendings)
    assert all_at_once.kept(whole[b"ann"])[0] == Sum(total=4, values=(1, 3))


def test_a_step_that_is_repeated_on_the_same_state_says_the_same() -> None:
    """A crash after the outputs and before the state."""
    stage = GuardedStage(SUMS, LAYOUT, Table().get)
    assert stage.apply(deliveries([number(1)])).sendings == stage.apply(deliveries([number(1)])).sendings


def test_a_repeated_input_changes_nothing_once_the_state_is_kept() -> None:
    """A crash after the state and before the commit: the outputs were acknowledged before the state was kept."""
    table = Table()
    stage = GuardedStage(SUMS, LAYOUT, table.get)
    table.keep(stage.apply(deliveries([number(1), number(2)])))
    again = stage.apply(deliveries([number(1), number(2)]))
    assert (again.sendings, again.states, again.doubles) == ([], {}, 2)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 6)), max_size=30))
def test_copies_from_each_source_are_dropped_whatever_comes_between(resent: list[tuple[int, int]]) -> None:
    """Sources send in order, and from time to time again from an earlier place on."""
    newest: dict[int, int] = {}
    arrivals: list[Event] = []
    for source, back in resent:
        start = max(0, newest.get(source, -1) + 1 - back)
        newest[source] = newest.get(source, -1) + 1
        arrivals += [total(offset, partition=source) for offset in range(start, newest[source] + 1)]
    table = Table()
    stage = GuardedStage(TALLIES, LAYOUT, table.get)
    for delivery in deliveries(arrivals, b"red"):
        table.keep(stage.apply([delivery]))
    count = sum(offset + 1 for offset in newest.values())
    assert stage.kept(table[b"red"])[0] == Tally(count=count, total=count) if count else not table


def test_two_outputs_of_one_input_are_two() -> None:
    stage = GuardedStage(TALLIES, LAYOUT, Table().get)
    assert stage.apply(deliveries([total(7, 0), total(7, 1), total(7, 1)], b"red")).steps == 2


def test_a_forgotten_state_keeps_its_guard() -> None:
    table = Table()
    stage = GuardedStage(SUMS, LAYOUT, table.get)
    table.keep(stage.apply(deliveries([number(5), number(FORGET)])))
    assert stage.kept(table[b"ann"])[0] is None
    assert stage.apply(deliveries([number(5)])).states == {}


def test_topics_that_the_stage_does_not_read_are_passed_over() -> None:
    echo = Echo(id="e", name="ann", value=2)
    layout = toy_layout(TOY, "t.")
    stage = GuardedStage(TALLIES, layout, Table().get)
    applied = stage.apply(deliveries([echo]))
    assert (applied.steps, applied.buried, applied.sendings) == (0, 0, [])


def test_what_cannot_be_used_is_buried_once_with_its_place() -> None:
    table = Table()
    stage = GuardedStage(SUMS, LAYOUT, table.get)
    poison = [*deliveries([number(1), number(-1)]), Delivery(2, 9, b"x", b"\xff")]
    applied = stage.apply(poison)
    table.keep(applied)
    letters = [decode(s.payload or b"", DeadLetter) for s in applied.sendings if s.topic == "t.control"]
    assert [(x.topic, x.partition, x.offset) for x in letters] == [("numbers", 0, 1), ("by-name", 2, 9)]
    assert stage.kept(table[b"ann"])[0] == Sum(total=1, values=(1,))
    assert stage.apply(poison[:2]).buried == 0

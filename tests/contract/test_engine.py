"""The promises of streams/engines/port.py, tried on every engine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import pytest

from streams.engines.port import Transaction
from streams.errors import PrefloopError, UnavailableError
from streams.events import DeadLetter, Event, Origin, Part, Text
from tests.contract.faust_harness import FaustHarness
from tests.contract.harness import CrashAt, CrashError, EmbeddedHarness, Harness
from tests.contract.toy import BUGGY, FORGET, TOY, Echo, Number, Sum, Tally, Total

E = TypeVar("E", bound=Event)
NUMBERS = [
    Number(id=f"n{i}", name=f"name{i % 3}", colour=("red", "blue")[i % 2], value=i + 1, occurred_at=i, ingested_at=i)
    for i in range(40)
]


ENGINES = ["embedded", pytest.param("faust", marks=pytest.mark.slow)]
CRASHES = [
    *(("embedded", *crash) for crash in EmbeddedHarness.crashes),
    *(pytest.param("faust", *crash, marks=pytest.mark.slow) for crash in FaustHarness.crashes),
]


def make_harness(kind: str, request: pytest.FixtureRequest, folder: Path) -> Harness:
    return EmbeddedHarness(folder) if kind == "embedded" else FaustHarness(folder, request.getfixturevalue("kafka"))


@pytest.fixture(params=ENGINES)
def harness(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Harness]:
    engine = make_harness(request.param, request, tmp_path)
    yield engine
    engine.close()


def outcome(harness: Harness) -> dict[str, object]:
    """All that a run leaves behind and that a crash must not change."""
    return {
        "totals": Counter((x.name, x.colour, x.value, x.id) for x in events(harness, Total)),
        "echoes": Counter((x.name, x.value) for x in events(harness, Echo)),
        "sums": [harness.state("sums", f"name{i}") for i in range(3)],
        "tallies": [harness.state("tallies", colour) for colour in ("red", "blue", "all")],
    }


def events(harness: Harness, kind: type[E]) -> list[E]:
    """Each event once: an engine may send one again after a crash, but then it says the same."""
    found: dict[str, E] = {}
    for record in harness.read(TOY.by_event[kind].name):
        if isinstance(record.event, kind):
            first = found.setdefault(record.event.id, record.event)
            assert record.event == first or kind is DeadLetter  # whose time is the clock's
    return list(found.values())


def run(harness: Harness, numbers: Sequence[Number] = NUMBERS) -> None:
    harness.open(TOY)
    harness.start()
    harness.append(numbers)
    harness.drain()


def test_every_event_goes_through_every_stage_once_and_in_order_of_its_key(harness: Harness) -> None:
    run(harness)
    mine = [n.value for n in NUMBERS if n.name == "name1"]
    assert harness.state("sums", "name1") == Sum(total=sum(mine), echoed=2 * sum(mine), values=tuple(mine))
    assert harness.state("tallies", "all") == Tally(count=40, total=sum(n.value for n in NUMBERS))
    assert len(events(harness, Echo)) == 80


def test_derived_events_say_where_they_come_from(harness: Harness) -> None:
    run(harness, NUMBERS[:1])
    (cause,) = harness.read("numbers")
    first, second = sorted(events(harness, Total), key=lambda total: total.colour == "all")
    assert first.origin == Origin(topic="numbers", partition=cause.partition, offset=cause.offset, ordinal=0)
    assert second.origin == Origin(topic="numbers", partition=cause.partition, offset=cause.offset, ordinal=1)
    assert first.id != second.id
    assert (first.actor, first.occurred_at) == ("stage:sums", 0)


@pytest.mark.parametrize(("kind", "point", "number"), CRASHES)
def test_a_crash_at_any_point_changes_nothing(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str, point: str, number: int
) -> None:
    harness = make_harness(kind, request, tmp_path)
    control = EmbeddedHarness(tmp_path / "control")
    run(control)
    expected = outcome(control)
    control.close()
    harness.open(TOY, CrashAt(point, number))
    acknowledged = append_until_crash(harness)
    harness.close()
    harness.open(TOY)
    harness.start()
    stored = {number.id for number in events(harness, Number)}
    assert acknowledged <= stored
    harness.append([number for number in NUMBERS if number.id not in stored])
    harness.drain()
    assert outcome(harness) == expected
    harness.close()


def append_until_crash(harness: Harness) -> set[str]:
    """The ids that were acknowledged before the engine died."""
    harness.start()
    acknowledged = set()
    try:
        for number in NUMBERS:
            harness.append([number])
            acknowledged.add(number.id)
        harness.drain()
    except (CrashError, PrefloopError):  # who waits is refused, and so is the next one
        return acknowledged
    pytest.fail("the engine did not crash")


def test_a_restart_goes_on_and_repeats_nothing(harness: Harness) -> None:
    run(harness, NUMBERS[:20])
    harness.close()
    run(harness, NUMBERS[20:])
    assert harness.state("tallies", "all") == Tally(count=40, total=sum(n.value for n in NUMBERS))


def test_a_poisoned_event_becomes_a_dead_letter_and_the_others_go_on(harness: Harness) -> None:
    poison = Number(id="p", name="name0", colour="red", value=-1)
    run(harness, [NUMBERS[0], poison, NUMBERS[3]])
    (letter,) = events(harness, DeadLetter)
    (place,) = [record.offset for record in harness.read("numbers") if record.event.id == "p"]
    assert (letter.topic, letter.offset, letter.key, letter.stage) == ("numbers", place, "name0", "sums")
    assert "negative numbers are poison" in letter.reason
    assert b'"value":-1' in letter.payload
    assert harness.state("sums", "name0") == Sum(total=5, echoed=10, values=(1, 4))


def test_bytes_that_are_no_event_become_dead_letters(harness: Harness) -> None:
    payloads = {b"", b"\xff\xfe", b'{"type":"Number"}', b'{"type":"Other"}', b"[" * 2000}
    harness.open(TOY)
    for payload in payloads:
        harness.append_bytes("numbers", "name0", payload)
    harness.start()
    harness.append(NUMBERS[:1])
    harness.drain()
    letters = events(harness, DeadLetter)
    assert {letter.payload for letter in letters} == payloads
    assert {letter.stage for letter in letters} == {"sums"}
    assert harness.state("sums", "name0") == Sum(total=1, echoed=2, values=(1,))


def test_an_output_that_the_topology_does_not_name_is_a_dead_letter(harness: Harness) -> None:
    harness.open(BUGGY)
    harness.start()
    harness.append(NUMBERS[:1])
    harness.drain()
    assert {letter.stage for letter in events(harness, DeadLetter)} == {"stray"}
    assert len(events(harness, Number)) == 1


def test_a_state_of_none_is_forgotten(harness: Harness) -> None:
    run(harness, NUMBERS[:1])
    assert harness.state("sums", "name0") == Sum(total=1, echoed=2, values=(1,))
    harness.append([Number(id="f", name="name0", colour="red", value=FORGET)])
    harness.drain()
    assert harness.state("sums", "name0") is None


def test_work_that_fails_leaves_nothing_and_its_neighbours_stay(harness: Harness) -> None:
    harness.open(TOY)
    harness.start()

    def broken(transaction: Transaction) -> None:
        transaction.append(NUMBERS[0])
        transaction.admit("number", "n0", "hash")
        raise PrefloopError("no")

    with pytest.raises(PrefloopError, match="no"):
        harness.submit(broken)
    harness.append(NUMBERS[1:2])
    harness.drain()
    assert [number.id for number in events(harness, Number)] == ["n1"]
    assert harness.submit(lambda transaction: transaction.admit("number", "n0", "other")) == "new"


def test_the_first_content_of_an_id_is_kept(harness: Harness) -> None:
    harness.open(TOY)
    harness.start()

    def claim(content: str) -> object:
        return harness.submit(lambda transaction: transaction.admit("output", "o1", content))

    assert [claim("x"), claim("x"), claim("y")] == ["new", "same", "other"]
    harness.close()
    harness.open(TOY)
    harness.start()
    assert [claim("y"), claim("x")] == ["other", "same"]


def test_a_compacted_topic_keeps_the_newest_of_a_key(harness: Harness) -> None:
    harness.open(TOY)
    harness.start()
    harness.append([Text(id=f"t{i}", owner="o1", responses=((Part(text=str(i)),),)) for i in range(3)])
    newest = harness.read("texts")[-1].event
    assert newest.id == "t2"


def test_a_stopped_engine_refuses_and_says_when_to_come_again(harness: Harness) -> None:
    harness.open(TOY)
    harness.start()
    harness.close()
    with pytest.raises(UnavailableError, match="try again"):
        harness.append(NUMBERS[:1])
    harness.open(TOY)
    harness.start()

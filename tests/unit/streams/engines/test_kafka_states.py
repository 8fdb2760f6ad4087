"""Who has taken a partition over is the only one whose states count, whatever lands in the topic when."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.engines.guarded import Delivery
from streams.engines.kafka_states import (
    CLAIM,
    FIRST_OWNER,
    Owned,
    Rows,
    StateTable,
    key_of_row,
    newest,
    owner_and_key,
)


@dataclass
class Topic:
    """One partition of a topic of states."""

    log: list[tuple[bytes, bytes | None]] = field(default_factory=list)

    def append(self, key: bytes, value: bytes | None) -> int:
        self.log.append((key, value))
        return len(self.log) - 1

    def take_over(self) -> tuple[int, Rows]:
        owner = self.append(CLAIM, b"1")
        rows = Rows()
        for key, value in self.log[:owner]:
            rows.take(key, value)
        for key in sorted(rows.superseded):
            self.append(key, None)
        return owner, rows

    def compact(self) -> None:
        """As Kafka does it: of each key the last message stays."""
        last = {key: place for place, (key, _) in enumerate(self.log)}
        kept = [(place, key, value) for place, (key, value) in enumerate(self.log) if last[key] == place]
        gone = (b"compacted", None)
        self.log = [gone] * len(self.log)
        for place, key, value in kept:
            self.log[place] = (key, value)

    def rows(self) -> Rows:
        rows = Rows()
        for key, value in self.log:
            rows.take(key, value)
        return rows


@given(st.integers(0, 2**63), st.binary(max_size=20))
def test_a_row_says_who_wrote_it(owner: int, key: bytes) -> None:
    assert owner_and_key(key_of_row(owner, key)) == (owner, key)
    assert key_of_row(owner, key) != CLAIM


def test_what_a_former_owner_writes_late_counts_for_nothing() -> None:
    topic = Topic()
    first, _ = topic.take_over()
    topic.append(key_of_row(first, b"ada"), b"1")
    second, rows = topic.take_over()
    assert rows.values == {b"ada": b"1"}
    topic.append(key_of_row(second, b"ada"), b"12")
    topic.append(key_of_row(first, b"ada"), b"frozen")
    topic.append(key_of_row(first, b"bob"), b"never mind")
    topic.compact()
    assert topic.take_over()[1].values[b"ada"] == b"12"


def test_what_was_superseded_is_removed_from_the_topic() -> None:
    topic = Topic()
    for turn in range(9):
        owner, rows = topic.take_over()
        assert len(rows.superseded) <= 1
        topic.append(key_of_row(owner, b"ada"), b"%d" % turn)
        topic.compact()
    assert [value for key, value in topic.log if value and key != CLAIM] == [b"7", b"8"]


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from([b"ada", b"bob"]), st.integers(0, 3), st.booleans())))
def test_nothing_that_an_owner_kept_is_lost_to_a_former_one(writes: list[tuple[int, bytes, int, bool]]) -> None:
    """Owners follow each other while former ones still write; the topic is compacted at any time."""
    topic, kept = Topic(), dict[bytes, bytes]()
    owners = [topic.take_over()[0]]
    for place, (back, key, moves, compacted) in enumerate(writes):
        if moves == 0:
            owners.append(topic.take_over()[0])
        writer = owners[max(0, len(owners) - 1 - back)]
        value = b"%03d %03d" % (writer, place)
        topic.append(key_of_row(writer, key), value)
        if writer == owners[-1]:
            kept[key] = value
        if compacted:
            topic.compact()
    found = topic.take_over()[1].values
    assert all(found[key] >= value for key, value in kept.items())


def test_tools_see_the_newest_of_all_partitions() -> None:
    messages = [
        Delivery(0, 0, key_of_row(FIRST_OWNER, b"ada"), b"0"),
        Delivery(0, 1, CLAIM, b"1"),
        Delivery(0, 2, key_of_row(1, b"ada"), b"1"),
        Delivery(1, 0, key_of_row(0, b"bob"), b"2"),
        Delivery(0, 3, key_of_row(FIRST_OWNER, b"ada"), b""),
    ]
    assert newest(messages) == {b"ada": b"1", b"bob": b"2"}


def test_a_table_holds_what_was_taken_over_and_no_more() -> None:
    table = StateTable(topic="states")
    table.install({0: Owned(3, {b"ada": b"1"}), 1: Owned(8, {})})
    states = {b"bob": (1, b"2")}
    [row] = table.rows(states)
    assert (row.topic, row.partition, row.key, row.payload) == ("states", 1, key_of_row(8, b"bob"), b"2")
    assert table.get(b"bob") is None
    table.put(states)
    assert table.get(b"bob") == b"2"
    table.install({1: Owned(9, {b"bob": b"2"})})
    assert table.get(b"ada") is None
    with pytest.raises(KeyError):
        table.rows({b"ada": (0, b"1")})

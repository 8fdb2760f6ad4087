"""Every source partition from its commit on, without a hole; only what was delivered in the present tenure counts."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection
from typing import Any

import pytest
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from streams.engines.faust_consumer import (
    FAILED_EXIT,
    HOLE_EXIT,
    MOST_RECORDS,
    TRIES,
    Install,
    consecutive,
)
from tests.unit.streams.engines.consumer_bench import SOURCE, Bench, record


def test_delivery_begins_at_the_commit_and_has_no_doubles(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> Bench:
        bench = Bench(monkeypatch)
        await bench.assigned(5)
        await bench.fetch(3, 4, 5, 6, 6, 7)
        return bench

    bench = asyncio.run(scenario())
    assert bench.delivered == [5, 6, 7]
    assert bench.seeks.places == [(SOURCE, 5)]


@pytest.mark.parametrize("commit", [None, 0])
def test_without_a_commit_it_begins_at_the_first_record(monkeypatch: pytest.MonkeyPatch, commit: int | None) -> None:
    async def scenario() -> Bench:
        bench = Bench(monkeypatch)
        await bench.assigned(commit, earliest=2)
        await bench.fetch(2, 3)
        return bench

    assert asyncio.run(scenario()).delivered == [2, 3]


def test_nothing_beyond_a_hole_is_delivered_and_the_hole_is_fetched_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> Bench:
        bench = Bench(monkeypatch)
        await bench.assigned(5)
        await bench.fetch(5, 7, 8)
        await bench.fetch(6, 7, 8)
        return bench

    bench = asyncio.run(scenario())
    assert bench.delivered == [5, 6, 7, 8]
    assert bench.seeks.places[1:] == [(SOURCE, 6)]


def test_a_hole_that_does_not_close_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[int] = []
    monkeypatch.setattr("os._exit", ended.append)

    async def scenario() -> None:
        bench = Bench(monkeypatch)
        await bench.assigned(5)
        for _ in range(TRIES):
            await bench.fetch(9)
        assert bench.delivered == []

    asyncio.run(scenario())
    assert ended == [HOLE_EXIT]


def test_what_could_not_be_handed_over_stays_due(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> Bench:
        bench = Bench(monkeypatch)
        await bench.assigned(5)

        async def cancelled(_: Any) -> None:
            raise asyncio.CancelledError

        bench.consumer._hand_over = cancelled
        with pytest.raises(asyncio.CancelledError):
            await bench.fetch(5)
        bench.consumer._hand_over = bench._deliver
        await bench.fetch(5, 6)
        return bench

    assert asyncio.run(scenario()).delivered == [5, 6]


def test_only_what_was_delivered_in_this_tenure_is_stepped(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        bench = Bench(monkeypatch)
        await bench.assigned(5)
        old = bench.message(5)
        await bench.assigned(5)
        assert bench.step(old) == []
        assert bench.step(bench.message(5)) == [5]
        assert bench.commit() == {SOURCE: 6}

    asyncio.run(scenario())


def test_delivery_that_begins_anew_within_an_assignment_leaves_nothing_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Faust empties the queues and resumes a second time, while a batch is on its way past the queue."""

    async def scenario() -> None:
        bench = Bench(monkeypatch)
        await bench.assigned(5)
        await bench.fetch(5, 6)  # these stand in the queue that is emptied
        [on_its_way] = await bench.fetch(7)
        await bench.resumed(5)
        assert bench.step(on_its_way) == []
        assert bench.step(*await bench.fetch(5, 6, 7)) == [5, 6, 7]

    asyncio.run(scenario())


def test_what_faust_acknowledges_is_not_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        bench = Bench(monkeypatch)
        await bench.assigned(None)
        taken = bench.message(0, 1, 2)
        bench.consumer.ack(taken)
        bench.consumer._acked[SOURCE].append(2)  # as Faust's compiled streams do it, past `ack`
        assert bench.commit() == {}

    asyncio.run(scenario())


def test_a_batch_that_goes_on_within_another_is_stepped_from_there(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        bench = Bench(monkeypatch)
        await bench.assigned(5)
        assert bench.step(bench.message(3, 4), bench.message(4, 5, 6), bench.message(6, 7)) == [5, 6, 7]
        assert bench.commit() == {SOURCE: 8}

    asyncio.run(scenario())


def test_each_stage_that_reads_a_topic_steps_it_and_the_slowest_is_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        bench = Bench(monkeypatch)
        bench.consumer.transport.readers = {SOURCE.topic: ["sums", "stray"]}
        await bench.assigned(5)
        batches = await bench.fetch(5, 6, 7)
        assert bench.step(*batches) == [5, 6, 7]
        assert bench.commit() == {}
        assert bench.step(*batches, stage="stray") == [5, 6, 7]
        assert bench.commit() == {SOURCE: 8}

    asyncio.run(scenario())


def test_nothing_is_stepped_beyond_a_hole(monkeypatch: pytest.MonkeyPatch) -> None:
    def ended(code: int) -> None:
        raise SystemExit(code)

    monkeypatch.setattr("os._exit", ended)

    async def scenario() -> None:
        bench = Bench(monkeypatch)
        await bench.assigned(None)
        with pytest.raises(SystemExit, match=str(HOLE_EXIT)):
            bench.step(bench.message(0), bench.message(2))
        assert bench.commit() == {}

    asyncio.run(scenario())


def test_nothing_begins_while_partitions_move(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        bench = Bench(monkeypatch)
        await bench.assigned(5)
        in_hand = bench.message(5)
        await bench.consumer.on_partitions_revoked({SOURCE})
        await bench.resumed(5)  # by a recovery of the assignment before
        assert await bench.fetch(5, 6) == []
        assert bench.step(in_hand) == []
        assert bench.commit() == {}
        await bench.consumer.on_partitions_assigned({SOURCE}, 2)
        await bench.resumed(5)
        assert bench.step(*await bench.fetch(5, 6)) == [5, 6]

    asyncio.run(scenario())


def test_nothing_is_delivered_before_the_states_are_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []

    async def scenario() -> None:
        bench = Bench(monkeypatch)

        async def restore(sources: Collection[TP]) -> Install:
            assert set(sources) == {SOURCE}
            assert await bench.fetch(5) == []
            order.append("restored")
            return lambda: order.append("in use")

        bench.consumer.transport.restore = restore
        await bench.assigned(5)
        assert bench.step(*await bench.fetch(5)) == [5]

    asyncio.run(scenario())
    assert order == ["restored", "in use"]


def test_states_restored_too_late_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        bench = Bench(monkeypatch)

        async def restore(_: Collection[TP]) -> Install:
            await bench.consumer.on_partitions_revoked({SOURCE})
            return lambda: pytest.fail("these partitions were given away")

        bench.consumer.transport.restore = restore
        await bench.assigned(5)
        assert await bench.fetch(5) == []

    asyncio.run(scenario())


def test_who_the_group_does_not_know_any_more_begins_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A claim counts from the group's word after it: one of a worker that was frozen would outdo its successor's."""

    async def scenario() -> None:
        bench = Bench(monkeypatch)
        bench.confirmed = [False]
        await bench.assigned(5)
        assert await bench.fetch(5) == []

    asyncio.run(scenario())


@pytest.mark.parametrize(("moved", "codes"), [(False, [FAILED_EXIT]), (True, [])])
def test_states_that_cannot_be_restored_end_the_process(
    monkeypatch: pytest.MonkeyPatch, moved: bool, codes: list[int]
) -> None:
    ended: list[int] = []

    def end(code: int) -> None:
        ended.append(code)
        raise SystemExit

    monkeypatch.setattr("os._exit", end)

    async def scenario() -> None:
        bench = Bench(monkeypatch)

        async def restore(_: Collection[TP]) -> Install:
            if moved:
                await bench.consumer.on_partitions_revoked({SOURCE})
            raise OSError("no broker")

        bench.consumer.transport.restore = restore
        with contextlib.suppress(SystemExit):
            await bench.assigned(5)

    asyncio.run(scenario())
    assert ended == codes


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(1, 4)), max_size=12))
def test_what_is_committed_was_stepped_once_and_in_order(places: list[tuple[int, int]]) -> None:
    """Batches come in any order, as a queue that was emptied, and delivery that begins anew, may bring them."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr("streams.engines.faust_consumer._end_for_hole", ended_for_hole)
        stepped, commit = asyncio.run(_stepped(Bench(monkeypatch), places))
    assert stepped == list(range(commit))


def ended_for_hole(*_: Any) -> None:
    """Where a process would end."""
    raise SystemExit


async def _stepped(bench: Bench, places: list[tuple[int, int]]) -> tuple[list[int], int]:
    await bench.assigned(None)
    stepped: list[int] = []
    for first, count in places:
        with contextlib.suppress(SystemExit):
            stepped += bench.step(bench.message(*range(first, first + count)))
    return stepped, bench.commit().get(SOURCE, 0)


@given(st.sets(st.integers(0, 2 * MOST_RECORDS), min_size=1))
def test_groups_follow_each_other_and_leave_nothing_out(offsets: set[int]) -> None:
    groups = [[r.offset for r in group] for group in consecutive([record(offset) for offset in sorted(offsets)])]
    assert [offset for group in groups for offset in group] == sorted(offsets)
    assert all(group == list(range(group[0], group[-1] + 1)) and len(group) <= MOST_RECORDS for group in groups)


def test_writes_are_done_before_partitions_are_given_away(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []

    async def writes_are_done() -> None:
        order.append("written")

    async def revoked(*_: Any) -> None:
        order.append("revoked")

    async def scenario() -> None:
        bench = Bench(monkeypatch)
        monkeypatch.setattr(driver.Consumer, "on_partitions_revoked", revoked)
        bench.consumer.transport.release = writes_are_done
        await bench.consumer.on_partitions_revoked({SOURCE})

    asyncio.run(scenario())
    assert order == ["written", "revoked"]

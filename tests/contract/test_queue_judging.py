"""What every assignment queue must keep: judgments claimed, changed, late, and what cannot be claimed."""

from __future__ import annotations

import pytest

from streams.errors import ForbiddenError, GoneError, InputError, NotFoundError
from tests.contract.queues import LEASE, NOW, Desk, task


def test_the_same_judgment_again_is_a_repetition_even_after_the_lease(desk: Desk) -> None:
    desk.commit(task("t"))
    grant = desk.given("ada")
    desk.judge(grant)
    assert desk.queue.claim("t", "ada", 1, NOW + 10 * LEASE).repeated


def test_undo_while_the_lease_lasts(desk: Desk) -> None:
    desk.commit(task("t"))
    grant = desk.given("ada")
    desk.judge(grant)
    assert desk.judge(grant, NOW + LEASE, revision=2)
    with pytest.raises(InputError, match="does not follow"):
        desk.queue.claim("t", "ada", 7, NOW)
    with pytest.raises(GoneError):
        desk.queue.claim("t", "ada", 3, NOW + LEASE + 1)


def test_a_late_one_takes_a_slot_that_is_still_free(desk: Desk) -> None:
    desk.commit(task("t"))
    grant = desk.given("ada")
    desk.queue.expire(NOW + LEASE + 1)
    assert desk.judge(grant, NOW + LEASE + 1)
    assert desk.next("bob", NOW + LEASE + 2) is None


def test_a_late_one_whose_slot_is_gone_stays_outside(desk: Desk) -> None:
    desk.commit(task("t"))
    grant = desk.given("ada")
    desk.queue.expire(NOW + LEASE + 1)
    assert desk.next("bob", NOW + LEASE + 1) is not None
    assert not desk.judge(grant, NOW + LEASE + 2)


def test_a_judgment_that_could_not_be_written_leaves_the_lease(desk: Desk) -> None:
    desk.commit(task("t"))
    grant = desk.given("ada")
    desk.queue.settle_claim(desk.queue.claim("t", "ada", 1, NOW), None)
    assert desk.judge(grant, NOW + 1)


def test_a_lease_does_not_end_while_its_judgment_is_written(desk: Desk) -> None:
    desk.commit(task("t"))
    desk.given("ada")
    claim = desk.queue.claim("t", "ada", 1, NOW + LEASE)
    assert desk.queue.expire(NOW + LEASE + 1) == []
    assert desk.next("bob", NOW + LEASE + 1) is None
    desk.queue.settle_claim(claim, "new")


def test_foreign_and_unknown_tasks(desk: Desk) -> None:
    desk.commit(task("t"))
    with pytest.raises(ForbiddenError, match="not given to you"):
        desk.queue.claim("t", "ada", 1, NOW)
    with pytest.raises(NotFoundError):
        desk.queue.claim("nowhere", "ada", 1, NOW)


def test_the_lease_can_be_looked_at_while_it_lasts(desk: Desk) -> None:
    desk.commit(task("t"))
    desk.next("ada")
    assert desk.queue.held("t", "ada", NOW + LEASE).facts.task == "t"
    with pytest.raises(GoneError):
        desk.queue.held("t", "ada", NOW + LEASE + 1)

"""What any test could find, on records made for it."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.injected import Row
from benchmarks.injected_bounds import by_accuracy, by_item, by_others, by_speed, is_found, is_member, others_of
from services.simulation.annotators import opposite

ITEMS: dict[str, dict[str, Any]] = {
    str(n): {"item": str(n), "prompt": f"q{n}", "a": "x" * 600, "b": "y" * 600, "consensus": "ab"[n % 2]}
    for n in range(60)
}


def rows(who: str, *, wrong_from: int = 0, seconds: float = 40.0) -> list[Row]:
    """Somebody who is right before the item of that number and wrong from it on."""
    return [
        Row(
            item=name,
            annotator=who,
            choice=opposite(item["consensus"]) if n >= wrong_from else item["consensus"],
            answered_at=n,
            seconds=seconds,
            reason="",
        )
        for n, (name, item) in enumerate(ITEMS.items())
    ]


def test_capital_counts_where_it_stood_highest() -> None:
    assert is_found([2.0] * 10)
    assert is_found([*[2.0] * 10, *[0.01] * 10])
    assert not is_found([2.0] * 9)


@pytest.mark.parametrize(("wrong_from", "caught"), [(24, True), (60, False)])
def test_who_turns_is_found_and_who_does_not_is_not(wrong_from: int, caught: bool) -> None:
    assert is_found(by_accuracy(ITEMS, rows("w", wrong_from=wrong_from), "adversarial")) is caught


@pytest.mark.parametrize(("seconds", "caught"), [(5.0, True), (13.0, False)])
def test_haste_is_found_by_the_length_of_the_texts(seconds: float, caught: bool) -> None:
    assert is_found(by_speed(ITEMS, rows("w", seconds=seconds))) is caught


@pytest.mark.parametrize("wrong_from", [24, 60])
def test_the_others_stand_in_for_the_truth(wrong_from: int) -> None:
    """Four who are right say as much as the truth does."""
    crowd = [row for who in "abcd" for row in rows(who, wrong_from=60)]
    mine = rows("w", wrong_from=wrong_from)
    believed = others_of([*crowd, *mine])[len(crowd) :]
    for row, posterior in zip(mine, believed, strict=True):
        assert posterior["ab".index(ITEMS[row.item]["consensus"])] > 0.9
    assert is_found(by_others(mine, believed, "adversarial")) is (wrong_from == 24)


@pytest.mark.parametrize(("mine_from", "theirs_from", "caught"), [(30, 30, True), (60, 60, False), (30, 60, False)])
def test_a_member_is_wrong_where_the_ring_is_and_right_where_it_is(
    mine_from: int, theirs_from: int, caught: bool
) -> None:
    """Always right, like the others: honest. Wrong where they are right: not of the ring."""
    mine, others = rows("w", wrong_from=mine_from), by_item(rows("o", wrong_from=theirs_from))
    assert is_member(ITEMS, mine, others) is caught
    assert not is_member(ITEMS, rows("o"), by_item(rows("o"))), "nobody is their own partner"

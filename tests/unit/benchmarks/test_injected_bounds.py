"""What any test could find, on records made for it."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.injected import Row
from benchmarks.injected_bounds import by_accuracy, by_partners, by_speed, is_found
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


@pytest.mark.parametrize(("others_wrong_from", "caught"), [(0, True), (60, False)])
def test_the_same_mistakes_make_a_ring_and_the_same_right_answers_do_not(others_wrong_from: int, caught: bool) -> None:
    others = {row.item: [row] for row in rows("o", wrong_from=others_wrong_from)}
    assert is_found(by_partners(ITEMS, rows("w"), others)) is caught
    assert not is_found(by_partners(ITEMS, rows("o"), others)), "nobody is their own partner"

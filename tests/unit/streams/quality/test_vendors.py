"""Two simulated sources of known reliability, bias and price."""

import numpy as np
import pytest

from streams.events import Choice
from streams.quality.compared import Compared
from streams.quality.intervals import Estimate
from streams.quality.vendors import Comparison, compare, judgments_needed

NAMES = ("north", "south")


def bought(
    seed: int, *, north: float, south: float, items: int = 1_200, each: int = 2, longer: float = 0.0, own: float = 0.0
) -> tuple[list[Compared], list[str]]:
    """`north`, `south`: accuracies. `longer`: how often south takes the longer one unseen; `own`: share of items that
    south sees the other way round."""
    dice = np.random.default_rng(seed)
    rows, source = [], []
    for item in range(items):
        truth, swap = int(dice.integers(0, 2)), bool(dice.random() < own)
        a, b = (int(x) for x in dice.integers(50, 900, 2))
        for name, accuracy in zip(NAMES, (north, south), strict=True):
            seen = 1 - truth if name == "south" and swap else truth
            for person in range(each):
                right = dice.random() < accuracy
                choice: Choice = "ab"[seen if right else 1 - seen]  # type: ignore[assignment]
                if name == "south" and dice.random() < longer:
                    choice = "a" if a > b else "b"
                rows.append(
                    Compared(
                        item=f"i{item}", annotator=f"{name}-{person}-{item % 9}", choice=choice,
                        swapped=bool(dice.random() < 0.5), length_a=a, length_b=b,
                    )
                )  # fmt: skip
                source.append(name)
    return rows, source


def found(prices: tuple[float, float] = (0.1, 0.1), **crowd: float) -> Comparison:
    rows, source = bought(**crowd)  # type: ignore[arg-type]
    comparison = compare(rows, source, NAMES, prices)
    assert comparison is not None
    return comparison


def holds(estimate: Estimate | None, truth: float) -> bool:
    assert estimate is not None
    return estimate.low <= truth <= estimate.high


def test_reliability_is_known_without_gold() -> None:
    comparison = found(seed=1, north=0.9, south=0.7)
    assert holds(comparison.one.accuracy, 0.9)
    assert holds(comparison.other.accuracy, 0.7)
    assert holds(comparison.accuracy, 0.2)
    assert holds(comparison.shared, 1.0)
    assert comparison.items == 1_200
    assert (comparison.one.people, comparison.one.judgments) == (18, 2_400)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    held = [holds(found(seed=seed, north=0.85, south=0.7, items=300).accuracy, 0.15) for seed in range(40)]
    assert sum(held) >= 34


@pytest.mark.parametrize(("price", "better"), [(0.1, "one"), (3.0, "other")])
def test_the_price_decides_for_the_same_certainty(price: float, better: str) -> None:
    """.9 needs 1.51 judgments an item, .7 needs 7.82: five times as many."""
    comparison = found(seed=2, north=0.9, south=0.7, prices=(price, 0.1))
    assert comparison.better == better
    assert holds(comparison.cost_ratio, price / 0.1 * 1.508 / 7.82)


def test_equal_sources_are_either() -> None:
    comparison = found(seed=3, north=0.8, south=0.8)
    assert comparison.better == "either"
    assert holds(comparison.cost_ratio, 1.0)


def test_a_source_that_likes_length_shows_it_and_teaches_it() -> None:
    comparison = found(seed=4, north=0.85, south=0.85, longer=0.4)
    assert holds(comparison.one.longer, 0.5)
    assert comparison.other.longer is not None
    assert comparison.other.longer.low > 0.6
    assert comparison.longer is not None
    assert comparison.longer.high < 0
    assert comparison.reward is not None
    assert comparison.shared is not None
    assert comparison.shared.high < 1  # it agrees with itself on something that the other does not see


def test_another_view_is_not_taken_for_unreliability() -> None:
    comparison = found(seed=5, north=0.9, south=0.9, own=0.2)
    assert holds(comparison.other.accuracy, 0.9)
    assert holds(comparison.shared, 0.6)
    assert "what the other" not in comparison.reasons[0]
    assert any("populations" in reason for reason in comparison.reasons)


def test_a_source_with_one_judgment_an_item_is_known_from_the_other() -> None:
    rows, source = bought(6, north=0.9, south=0.7)
    kept = [n for n, row in enumerate(rows) if not row.annotator.startswith("south-1")]
    comparison = compare([rows[n] for n in kept], [source[n] for n in kept], NAMES, (0.0, 0.0))
    assert comparison is not None
    assert holds(comparison.other.accuracy, 0.7)
    assert comparison.shared is None
    assert comparison.cost_ratio is None


def test_sources_that_never_meet_cannot_be_compared() -> None:
    rows, source = bought(7, north=0.9, south=0.9, items=80)
    apart = [n for n, row in enumerate(rows) if (int(row.item[1:]) < 40) == (source[n] == "north")]
    assert compare([rows[n] for n in apart], [source[n] for n in apart], NAMES, (1, 1)) is None
    assert compare([], [], NAMES, (1, 1)) is None


def test_walds_number_of_judgments() -> None:
    needed = judgments_needed(np.array([0.9, 0.7, 0.999, 0.3]))
    assert needed[0] == pytest.approx(1.508, abs=0.01)
    assert needed[1] == pytest.approx(7.82, abs=0.05)
    assert needed[2] == 1.0
    assert needed[3] > 1_000


@pytest.mark.slow
def test_a_crowd_split_at_random_shows_no_difference() -> None:
    """People differ much; which vendor got the better ones is luck, and must not pass for quality."""
    clear = 0
    for seed in range(20):
        dice = np.random.default_rng(seed)
        skill = dice.beta(4, 1.5, 24)
        rows, source = [], []
        for item in range(300):
            truth = int(dice.integers(0, 2))
            for person in dice.choice(24, 6, replace=False):
                right = dice.random() < max(skill[person], 0.5)
                choice: Choice = "ab"[truth if right else 1 - truth]  # type: ignore[assignment]
                rows.append(Compared(item=f"i{item}", annotator=f"w{person}", choice=choice))
                source.append(NAMES[person % 2])
        comparison = compare(rows, source, NAMES, (0.1, 0.1))
        assert comparison is not None
        assert comparison.accuracy is not None
        clear += comparison.accuracy.clear
    assert clear <= 3

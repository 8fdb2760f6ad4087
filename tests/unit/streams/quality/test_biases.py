import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from streams.events import Choice
from streams.quality import biases
from streams.quality.compared import Compared
from streams.quality.intervals import Estimate

PAIRS: list[tuple[int, int, Choice]] = [(300, 100, "a"), (100, 300, "b"), (500, 100, "b"), (10, 10, "a"), (9, 5, "tie")]


def test_longer_wins_leaves_ties_and_equal_lengths_out() -> None:
    rate = biases.longer_wins(PAIRS)
    assert rate.rate == pytest.approx(2 / 3)
    assert rate.n == 3
    assert 0 < rate.low < 2 / 3 < rate.high < 1


def test_the_curve_goes_from_a_little_to_much_longer() -> None:
    curve = biases.length_curve([(300, 100, "a"), (100, 300, "a"), *PAIRS])
    told = [(point.difference, point.rate, point.pairs) for point in curve]
    assert told == [(200, 0.75, 4), (400, 0.0, 1)]


@given(st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 2000), st.sampled_from(["a", "b", "tie"]))))
def test_the_curve_is_the_same_whichever_response_a_producer_sends_first(rows: list[tuple[int, int, Choice]]) -> None:
    other: dict[Choice, Choice] = {"a": "b", "b": "a", "tie": "tie"}
    assert biases.length_curve((b, a, other[choice]) for a, b, choice in rows) == biases.length_curve(rows)


def test_the_curve_and_the_one_rate_count_the_same_pairs() -> None:
    curve, rate = biases.length_curve(PAIRS), biases.longer_wins(PAIRS)
    assert sum(point.pairs for point in curve) == rate.n
    assert sum(point.rate * point.pairs for point in curve) / rate.n == pytest.approx(rate.rate)


def test_left_rate_follows_the_order_shown() -> None:
    rate = biases.left_rate([("a", False), ("b", True), ("a", True), ("tie", False)])
    assert rate.rate == pytest.approx(2 / 3)
    assert rate.n == 3


def test_nothing_to_count() -> None:
    assert biases.longer_wins([]) == biases.Rate(rate=None, low=0.0, high=1.0, n=0)
    assert biases.length_curve([]) == []


# ---------------------------------------------------------------- against known truth


def compared(
    seed: int, *, length: float = 0.0, markdown: float = 0.0, side: float = 0.0, strong: float = 0.0, judged: int = 3000
) -> list[Compared]:
    """Choices by a logistic of known weights; long responses have more markdown, and come from the strong model."""
    dice = np.random.default_rng(seed)
    rows = []
    for n in range(judged):
        a, b = dice.integers(20, 1500, 2)
        more_a, more_b = (int(dice.poisson(x / 200)) for x in (a, b))
        strong_a, strong_b = (bool(dice.random() < x / 1500) for x in (a, b))
        swapped = bool(dice.random() < 0.5)
        marks = float(np.sign(more_a - more_b) * np.log1p(abs(more_a - more_b)))
        log_odds = length * float(biases.bent(np.array(float(a - b)))) + markdown * marks
        log_odds += side * (-1 if swapped else 1) + strong * (strong_a - strong_b)
        choice: Choice = "a" if dice.random() < 1 / (1 + np.exp(-log_odds)) else "b"
        rows.append(
            Compared(
                item=f"i{n // 3}", annotator=f"w{n % 7}", choice=choice, swapped=swapped, length_a=int(a),
                length_b=int(b), markdown_a=more_a, markdown_b=more_b, model_a="strong" if strong_a else "weak",
                model_b="strong" if strong_b else "weak",
            )
        )  # fmt: skip
    return rows


def wins(rows: list[Compared]) -> dict[str, Estimate]:
    effects, models = biases.all_else_alike(rows)
    return {effect.name: effect.wins for effect in effects} | {one.model: one.wins for one in models}


def test_the_t_test_is_scipys() -> None:
    dice = np.random.default_rng(0)
    for size in (8, 40, 400):
        values = dice.normal(0.4, 1, size)
        found, oracle = biases.t_test(values), stats.ttest_1samp(values, 0)
        assert found is not None
        interval = oracle.confidence_interval()
        assert found.t == pytest.approx(oracle.statistic)
        assert found.p == pytest.approx(oracle.pvalue, abs=0.004)
        assert (found.mean.low, found.mean.high) == pytest.approx(
            (interval.low, interval.high), abs=0.12 if size == 3 else 0.01
        )


def test_judgments_of_one_item_are_one_observation_of_its_length() -> None:
    once = [Compared(item=f"i{n}", annotator="w", choice="a", length_a=100 + n, length_b=50) for n in range(9)]
    often = [msgspec.structs.replace(row, annotator=f"w{k}") for row in once for k in range(5)]
    assert biases.length_test(once) == biases.length_test(often)
    assert biases.length_test([]) is None


def test_length_and_markdown_are_told_apart() -> None:
    """Markdown sways, length does not; but the longer ones have more of it, and so win more often."""
    rows = compared(1, markdown=0.5)
    longer = biases.longer_wins([(row.length_a, row.length_b, row.choice) for row in rows])
    assert longer.low > 0.5
    found = wins(rows)
    assert found["longer by 200 characters"].low < 0.5 < found["longer by 200 characters"].high
    assert found["4 more marks of markdown"].low > 0.5
    assert found["4 more marks of markdown"].value == pytest.approx(1 / (1 + 5**-0.5), abs=0.03)


def test_side_and_model_are_found_with_their_size() -> None:
    found = wins(compared(2, side=0.4, strong=0.8))
    assert found["on the left"].value == pytest.approx(1 / (1 + np.exp(-0.4)), abs=0.03)
    assert found["strong"].value == pytest.approx(1 / (1 + np.exp(-0.4)), abs=0.03)  # half a step above the mean of two
    assert found["strong"].value + found["weak"].value == pytest.approx(1)
    assert found["longer by 200 characters"].low < 0.5 < found["longer by 200 characters"].high


def test_the_fitted_curve_is_the_truth() -> None:
    curve = {point.difference: point for point in biases.win_curve(compared(3, length=0.5))}
    assert curve[0].rate == 0.5
    for difference, point in curve.items():
        truth = 1 / (1 + np.exp(-0.5 * float(biases.bent(np.array(difference)))))
        assert point.rate == pytest.approx(truth, abs=0.04)
        assert point.low <= point.rate <= point.high


def test_the_fitted_curve_runs_through_the_bins_whatever_ends_in_a_tie() -> None:
    rows = compared(3, length=0.5)
    rows[::3] = [msgspec.structs.replace(row, choice="tie") for row in rows[::3]]
    fitted = biases.win_curve(rows)
    for point in biases.length_curve((row.length_a, row.length_b, row.choice) for row in rows):
        at = np.interp(point.difference, [f.difference for f in fitted], [f.rate for f in fitted])
        assert point.low - 0.02 <= at <= point.high + 0.02


def test_the_fitted_curve_turns_where_people_do() -> None:
    """A little longer loses, much longer wins."""
    dice, rows = np.random.default_rng(5), []
    for n in range(4000):
        more = int(dice.integers(1, 1500))
        wins: Choice = "a" if dice.random() < (0.3 if more < 600 else 0.6) else "b"
        rows.append(Compared(item=f"i{n}", annotator="w", choice=wins, length_a=100 + more, length_b=100))
    fitted = {point.difference: point.rate for point in biases.win_curve(rows)}
    assert fitted[300] < 0.42
    assert fitted[1200] > 0.55
    assert max(fitted) <= 1500, "nothing is told of what was not seen"


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    held = [
        found.low <= 0.5 <= found.high
        for seed in range(60)
        for found in [wins(compared(seed, judged=300))["longer by 200 characters"]]
    ]
    assert 51 <= sum(held) <= 60


@pytest.mark.parametrize("rows", [[], compared(0, judged=5)])
def test_too_little_is_not_fitted(rows: list[Compared]) -> None:
    assert biases.all_else_alike(rows) == ([], [])
    assert biases.win_curve(rows) == []

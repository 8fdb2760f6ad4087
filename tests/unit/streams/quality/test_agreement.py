import random

import krippendorff
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score  # type: ignore[import-untyped]

from streams.quality import agreement
from streams.quality.pairs import numbered, pairs_of

Rows = list[tuple[str, str, str]]

LABELS = ("a", "tie", "b")
rows_of_three = st.lists(
    st.tuples(st.sampled_from("ijklm"), st.sampled_from("wxyz"), st.sampled_from(LABELS)),
    min_size=2,
    max_size=40,
    unique_by=lambda row: row[:2],
)


def crowd(items: int, annotators: int, accuracy: float, seed: int = 0) -> Rows:
    draw = random.Random(seed)
    rows = []
    for item in range(items):
        truth = draw.choice("ab")
        for annotator in range(annotators):
            label = truth if draw.random() < accuracy else draw.choice(LABELS)
            rows.append((f"i{item}", f"w{annotator}", label))
    return rows


def oracle_alpha(rows: Rows, level: str) -> float:
    """The krippendorff package, which wants a matrix annotators × items with gaps as NaN."""
    items, annotators = sorted({row[0] for row in rows}), sorted({row[1] for row in rows})
    table = np.full((len(annotators), len(items)), np.nan)
    for item, annotator, label in rows:
        table[annotators.index(annotator), items.index(item)] = LABELS.index(label)
    return float(krippendorff.alpha(reliability_data=table, level_of_measurement=level))


@pytest.mark.parametrize("level", ["nominal", "ordinal"])
@given(rows=rows_of_three)
def test_alpha_equals_the_reference_package(level: agreement.Level, rows: Rows) -> None:
    pairable = [unit for unit in agreement.units(rows) if unit.total() > 1]
    if len({label for unit in pairable for label in unit}) < 2:
        assert agreement.krippendorff_alpha(rows, level) is None
    else:
        assert agreement.krippendorff_alpha(rows, level) == pytest.approx(oracle_alpha(rows, level), abs=1e-9)


def test_alpha_of_the_textbook() -> None:
    """Krippendorff's example of two coders and ten binary units: alpha 0.095."""
    coders = {"w": "0100000000", "x": "1110010010"}
    rows = [(str(i), name, label) for name, labels in coders.items() for i, label in enumerate(labels)]
    assert agreement.krippendorff_alpha(rows) == pytest.approx(0.095, abs=5e-4)


def test_intervals_hold_the_value_and_are_repeatable() -> None:
    rows = crowd(items=80, annotators=4, accuracy=0.6)
    found = agreement.agreed(rows)
    assert found == agreement.agreed(rows)
    assert found.items == 80
    for estimate in (found.alpha, found.alpha_ordinal, found.fleiss, found.percent):
        assert estimate is not None
        assert estimate.low < estimate.value < estimate.high
    assert found.alpha is not None
    assert found.alpha.value == agreement.krippendorff_alpha(rows)
    assert found.percent is not None
    assert found.percent.value == pytest.approx(agreement.percent(rows))


@pytest.mark.slow
def test_the_resamples_are_those_of_a_plain_bootstrap() -> None:
    """Mean and spread of the vectorised resamples against whole items drawn one by one, with the package's alpha."""
    rows = crowd(items=60, annotators=3, accuracy=0.6, seed=5)
    kinds = agreement.kinds_of(agreement.units(rows))
    fast = agreement.alphas(kinds, kinds.resampled(2_000))
    draw, items = random.Random(1), sorted({row[0] for row in rows})
    by_item = {item: [row for row in rows if row[0] == item] for item in items}
    slow = []
    for _ in range(150):
        drawn = draw.choices(items, k=len(items))
        again = [(f"{n}", who, label) for n, item in enumerate(drawn) for _, who, label in by_item[item]]
        slow.append(oracle_alpha(again, "nominal"))
    assert np.mean(fast) == pytest.approx(np.mean(slow), abs=0.03)
    assert np.std(fast) == pytest.approx(np.std(slow), rel=0.25)


@pytest.mark.slow
def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    truth = agreement.krippendorff_alpha(crowd(items=20_000, annotators=3, accuracy=0.6, seed=99))
    assert truth is not None
    held = 0
    for seed in range(100):
        found = agreement.agreed(crowd(items=100, annotators=3, accuracy=0.6, seed=seed), samples=200).alpha
        assert found is not None
        held += found.low <= truth <= found.high
    assert 88 <= held <= 100


def test_cohen_equals_sklearn() -> None:
    rows = crowd(items=60, annotators=2, accuracy=0.5, seed=3)
    mine = [label for _, annotator, label in rows if annotator == "w0"]
    theirs = [label for _, annotator, label in rows if annotator == "w1"]
    assert agreement.cohen_kappa(rows, "w0", "w1") == pytest.approx(cohen_kappa_score(mine, theirs))
    found = agreement.mean_cohen(rows)
    assert found is not None
    assert (found[0].value, found[1]) == (agreement.cohen_kappa(rows, "w0", "w1"), 1)
    assert found[0].low < found[0].value < found[0].high


def test_mean_cohen_is_the_mean_over_pairs() -> None:
    rows = crowd(items=40, annotators=4, accuracy=0.7, seed=8)
    pairs = [(f"w{x}", f"w{y}") for x in range(4) for y in range(x)]
    found = agreement.mean_cohen(rows, samples=20)
    assert found is not None
    assert found[1] == 6
    assert found[0].value == pytest.approx(np.mean([agreement.cohen_kappa(rows, *pair) for pair in pairs]))


def test_fleiss_of_the_paper() -> None:
    """Fleiss 1971, as tabulated for 14 raters, 10 subjects and 5 categories: kappa 0.210."""
    table = """0 0 0 0 14|0 2 6 4 2|0 0 3 5 6|0 3 9 2 0|2 2 8 1 1|7 7 0 0 0|3 2 6 3 0|2 5 3 2 2|6 5 2 1 0|0 2 2 3 7"""
    rows = [
        (str(subject), f"{category}-{rater}", str(category))
        for subject, line in enumerate(table.split("|"))
        for category, count in enumerate(line.split())
        for rater in range(int(count))
    ]
    assert agreement.fleiss_kappa(rows) == pytest.approx(0.210, abs=5e-4)


def test_percent_counts_every_judgment_once() -> None:
    rows = [("i", "w", "a"), ("i", "x", "a"), ("i", "y", "b"), ("j", "w", "b"), ("j", "x", "b")]
    assert agreement.percent(rows) == pytest.approx((3 * 1 / 3 + 2 * 1) / 5)


def test_percent_is_what_the_causes_explain() -> None:
    """Also where tasks on which people disagree were judged more often."""
    rows = crowd(items=20, annotators=9, accuracy=0.5) + crowd(items=90, annotators=3, accuracy=0.8)[60:]
    items, people, labels = (numbered(column)[0] for column in zip(*rows, strict=True))
    pairs = pairs_of(items, people, labels)
    assert agreement.percent(rows) == pytest.approx(np.average(pairs.same, weights=pairs.weight))


def test_the_later_label_of_an_annotator_counts() -> None:
    rows = [("i", "w", "b"), ("i", "x", "a"), ("i", "w", "a")]
    assert agreement.percent(rows) == 1.0


@pytest.mark.parametrize("rows", [[], [("i", "w", "a")], [("i", "w", "a"), ("j", "x", "b")]])
def test_nothing_can_be_said_without_overlap(rows: Rows) -> None:
    assert agreement.krippendorff_alpha(rows) is None
    assert agreement.percent(rows) is None
    assert agreement.fleiss_kappa(rows) is None
    assert agreement.mean_cohen(rows) is None
    assert agreement.agreed(rows).alpha is None
    assert agreement.cohen_kappa(rows, "w", "x") is None

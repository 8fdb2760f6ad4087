import random

import krippendorff
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score  # type: ignore[import-untyped]

from streams.quality import agreement

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


def test_alpha_interval_holds_the_value_and_is_repeatable() -> None:
    rows = crowd(items=80, annotators=4, accuracy=0.6)
    interval = agreement.alpha_interval(rows)
    assert interval is not None
    alpha = agreement.krippendorff_alpha(rows)
    assert alpha is not None
    assert interval[0] < alpha < interval[1]
    assert interval == agreement.alpha_interval(rows)


def test_cohen_equals_sklearn() -> None:
    rows = crowd(items=60, annotators=2, accuracy=0.5, seed=3)
    mine = [label for _, annotator, label in rows if annotator == "w0"]
    theirs = [label for _, annotator, label in rows if annotator == "w1"]
    assert agreement.cohen_kappa(rows, "w0", "w1") == pytest.approx(cohen_kappa_score(mine, theirs))
    assert agreement.mean_cohen_kappa(rows) == (agreement.cohen_kappa(rows, "w0", "w1"), 1)


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


def test_percent_counts_every_pair_once() -> None:
    rows = [("i", "w", "a"), ("i", "x", "a"), ("i", "y", "b"), ("j", "w", "b"), ("j", "x", "b")]
    assert agreement.percent(rows) == pytest.approx(0.5)


def test_the_later_label_of_an_annotator_counts() -> None:
    rows = [("i", "w", "b"), ("i", "x", "a"), ("i", "w", "a")]
    assert agreement.percent(rows) == 1.0


@pytest.mark.parametrize("rows", [[], [("i", "w", "a")], [("i", "w", "a"), ("j", "x", "b")]])
def test_nothing_can_be_said_without_overlap(rows: Rows) -> None:
    assert agreement.krippendorff_alpha(rows) is None
    assert agreement.alpha_interval(rows) is None
    assert agreement.percent(rows) is None
    assert agreement.fleiss_kappa(rows) is None
    assert agreement.mean_cohen_kappa(rows) is None
    assert agreement.cohen_kappa(rows, "w", "x") is None

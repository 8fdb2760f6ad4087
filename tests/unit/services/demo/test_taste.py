from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from services.demo.policy import HERE
from services.demo.taste import TIE_BAND, score, truth

OPPOSITE = {"a": "b", "b": "a", "tie": "tie"}


def test_a_short_friendly_answer_beats_a_long_dry_one() -> None:
    assert truth("Sure! I am happy to help you.", "The matter " + "is complicated and " * 12) == "a"


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ("Water is wet.", "Water is, as has been known for a very long time by nearly everybody, wet."),
        ("Water is wet, my friend!", "Water is wet, as it is."),
        ("Water is wet and cold.", "Water is wet and cold and"),
        ("Water is wet.", ""),
    ],
)
def test_length_warmth_an_end_and_words_at_all_each_count(better: str, worse: str) -> None:
    assert truth(better, worse) == "a"


@given(st.text(), st.text())
def test_the_truth_does_not_depend_on_the_order(a: str, b: str) -> None:
    assert truth(a, b) == OPPOSITE[truth(b, a)]


@given(st.text())
def test_an_answer_ties_with_itself(text: str) -> None:
    assert truth(text, text) == "tie"


@given(st.text(), st.text())
def test_a_tie_is_what_lies_within_the_band(a: str, b: str) -> None:
    assert (truth(a, b) == "tie") == (abs(score(a) - score(b)) < TIE_BAND)


def test_warmth_is_capped_so_that_exclamation_marks_alone_do_not_win() -> None:
    assert score("Yes!!!") == score("Yes!!!!!!!!!!")


def test_every_gold_pair_is_beyond_doubt() -> None:
    pairs = yaml.safe_load((HERE / "gold.yaml").read_text("utf-8"))
    assert len(pairs) >= 20
    assert all(score(pair["good"]) - score(pair["bad"]) > 3.0 for pair in pairs)

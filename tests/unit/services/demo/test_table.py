from __future__ import annotations

from dataclasses import replace
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from services.coordinator.intervals import Interval
from services.demo.facts import Found, Labels, RoundFacts, Verdict
from services.demo.table import (
    SURELY,
    addresses,
    annotators_table,
    clock,
    closing,
    consensus_cell,
    flagged_line,
    labels_cell,
    win_cell,
)


def facts(number: int = 1, decision: str = "promoted", win: Interval | None = None) -> RoundFacts:
    return RoundFacts(
        number=number,
        prompts=96,
        labels=Labels(pairs=90, judgments=360, clear=80, right=76),
        train_pairs=70,
        holdout_pairs=20,
        decision=decision,
        reasons=("held-out accuracy 0.80 against 0.60: pass",),
        model="m-1",
        win_rate=win,
        words=(38.2, 23.9),
        seconds={"sampling and judging": 90.0, "training": 150.0},
    )


def somebody(name: str, kind: str, found: Found) -> Verdict:
    return Verdict(
        name=name,
        kind=kind,
        judged=40,
        really=0.5,
        estimated=(0.52, 0.4, 0.64),
        standing="active",
        alarms=("side",),
        found=found,
    )


CROWD = [
    somebody("Lena", "one-sided", "found"),
    somebody("Rick", "random", "missed"),
    somebody("Ada", "honest", "false alarm"),
    somebody("Bela", "honest", "left alone"),
]


def printed(*what: object, width: int = 160) -> str:
    console = Console(width=width, file=StringIO())
    with console.capture() as capture:
        console.print(*what)
    return capture.get()


@pytest.mark.parametrize(
    ("interval", "says"),
    [
        (Interval(estimate=0.7, low=0.6, high=0.8), SURELY),
        (Interval(estimate=0.55, low=0.45, high=0.65), "no sure difference"),
        (Interval(estimate=0.5, low=0.5, high=0.5), "no sure difference"),
        (Interval(estimate=0.3, low=0.2, high=0.4), "surely worse"),
        (None, "not measured"),
    ],
)
def test_a_win_rate_says_in_words_what_its_interval_shows(interval: Interval | None, says: str) -> None:
    assert says in win_cell(interval).plain


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_better_is_said_only_where_the_whole_interval_lies_above_one_half(x: float, y: float, z: float) -> None:
    low, middle, high = sorted((x, y, z))
    assert (SURELY in win_cell(Interval(estimate=middle, low=low, high=high)).plain) == (low > 0.5)


def test_the_closing_page_tells_every_round_and_everybody() -> None:
    rounds = [facts(1, win=Interval(estimate=0.7, low=0.6, high=0.8)), facts(2, decision="rejected")]
    page = printed(closing(rounds, [("Why?", "The reason [for it] is long.", "Because!")], CROWD, 0.78))
    for expected in (
        "round 1",
        "round 2",
        "rejected; the champion goes on",
        "held-out accuracy",
        "Lena",
        "one-sided",
        "38, 24",
        "[for it]",
        "Because!",
    ):
        assert expected in page
    assert "360 on 90 pairs (4.0 a pair)" in page
    assert "a single judgment is right in 78 %" in page


def test_everybody_has_one_line_of_80_columns() -> None:
    worst = replace(somebody("Goran", "adjudicator", "found"), alarms=("accuracy", "change"), standing="suspended")
    (line,) = (line for line in printed(annotators_table([worst], 0.5), width=80).splitlines() if "Goran" in line)
    for expected in ("adjudicator", "0.52 0.40-0.64", "suspended", "accuracy, change", "found"):
        assert expected in line


def test_empty_counts_are_told_and_not_divided_by() -> None:
    assert labels_cell(Labels()) == "none"
    assert consensus_cell(Labels()) == "no clear pair"


def test_who_was_flagged_is_one_sentence_with_what_was_missed() -> None:
    line = flagged_line(CROWD)
    assert "1 of 2 bad annotators" in line
    assert "Lena (one-sided)" in line
    assert "not yet: Rick (random)" in line
    assert "false alarms: Ada" in line


def test_the_addresses_name_page_dashboard_and_key() -> None:
    page = printed(
        addresses("http://127.0.0.1:8080", "http://127.0.0.1:8501", "plk_a_b", "http://127.0.0.1:8080/#key=k")
    )
    for expected in ("http://127.0.0.1:8501", "plk_a_b", "http://127.0.0.1:8080/#key=k"):
        assert expected in page


@pytest.mark.parametrize(("seconds", "shown"), [(0, "0:00"), (59.6, "1:00"), (125, "2:05")])
def test_times_are_minutes_and_seconds(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown

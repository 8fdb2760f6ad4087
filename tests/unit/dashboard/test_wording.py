from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as some

from dashboard import wording


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "0"),
        (999, "999"),
        (12_345, "12,345"),
        (123_456, "123 k"),
        (999_499, "999 k"),
        (1_234_567, "1.2 M"),
        (1e9, "1.0 bn"),
        (None, "–"),
    ],
)
def test_count(number: float | None, said: str) -> None:
    assert wording.count(number) == said


@pytest.mark.parametrize(
    ("per_second", "said"), [(0.0, "–"), (0.04, "2.4/min"), (0.5, "0.5/s"), (12.34, "12.3/s"), (30_000.0, "30,000/s")]
)
def test_rate(per_second: float, said: str) -> None:
    assert wording.rate(per_second) == said


@pytest.mark.parametrize(
    ("milliseconds", "said"),
    [
        (400, "0 s"),
        (59_000, "59 s"),
        (61_000, "1 min"),
        (3_600_000, "1 h"),
        (7_500_000, "2 h 5 min"),
        (4 * 86_400_000 + 3_600_000, "4 d 1 h"),
        (4 * 86_400_000, "4 d"),
        (100 * 86_400_000 + 3_600_000, "100 d"),
        (3_927 * 86_400_000, "10 years"),
    ],
)
def test_span(milliseconds: float, said: str) -> None:
    assert wording.span(milliseconds) == said


def test_ago() -> None:
    assert wording.ago(1_000, 2_000) == "just now"
    assert wording.ago(1_000, 61_000) == "1 min ago"
    assert wording.ago(0, 61_000) == wording.ago(None, 61_000) == "never"
    assert wording.ago(90_000, 61_000) == "just now"  # a clock that is ahead says nothing odd


def test_clock_is_the_viewers() -> None:
    at = int(datetime(2026, 11, 21, 9, 35, 41, tzinfo=UTC).timestamp() * 1000)
    assert wording.clock(at, now=at) == "21 Nov 09:35:41"
    assert wording.clock(at, ZoneInfo("Asia/Tokyo"), now=at) == "21 Nov 18:35:41"
    assert wording.clock(at, now=at + 200 * 86_400_000) == "21 Nov 2026 09:35"
    assert wording.clock(0) == "–"


def test_shares_and_intervals() -> None:
    assert wording.percent(0.914) == "91%"
    assert wording.percent(None) == "–"
    assert wording.interval(0.88, 0.97) == "88–97%"
    assert wording.interval(None, 0.97) == "–"
    assert wording.signed(-0.1) == "−0.10"
    assert wording.signed(-0.001) == "+0.00"


@given(some.integers(min_value=0, max_value=10**15), some.integers(min_value=0, max_value=10**15))
def test_any_two_times_can_be_said(at: int, now: int) -> None:
    assert wording.ago(at, now)


@given(some.floats(min_value=0, max_value=1e9))
def test_any_rate_can_be_said_in_a_few_characters(per_second: float) -> None:
    assert len(wording.rate(per_second)) <= 14


def test_a_sentence_keeps_the_names_in_it() -> None:
    assert wording.sentence("retired on 20 Sep") == "Retired on 20 Sep"
    assert wording.sentence("") == ""


def test_a_difference_of_shares_is_told_in_points() -> None:
    change = {"value": -0.147, "low": -0.191, "high": 0.004}
    assert wording.points_between(change) == "−14.7 points (95%: −19.1 to +0.4)"


def test_people_of_one_name_are_told_apart() -> None:
    people = [
        {"annotator": "an_1111aaaa", "name": "Mira"},
        {"annotator": "an_2222bbbb", "name": "Mira"},
        {"annotator": "an_3333cccc", "name": "Bo"},
        {"annotator": "ukp/w1", "name": ""},
        {"annotator": "ukp/w2", "name": ""},
    ]
    names = [row["name"] for row in wording.told_apart(people)]
    assert names == ["Mira (aaaa)", "Mira (bbbb)", "Bo", "", ""]

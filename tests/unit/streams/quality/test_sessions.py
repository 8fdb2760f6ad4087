import numpy as np
import pytest

from streams.events import Choice
from streams.quality.compared import Compared
from streams.quality.sessions import LEAST_PEOPLE, SESSION_GAP_MS, session_order, within


def judged(person: str, start: int, count: int, choice: Choice = "a") -> list[Compared]:
    """One a minute."""
    return [
        Compared(item=f"{n}", annotator=person, choice=choice, answered_at=start + n * 60_000) for n in range(count)
    ]


def test_a_pause_begins_a_new_session() -> None:
    rows = judged("ada", 1, 5) + judged("ada", 1 + 5 * 60_000 + SESSION_GAP_MS, 3) + judged("bob", 1, 2)
    found = session_order(rows, [1.0] * len(rows))
    assert found.sessions == 3
    assert found.judgments == 10
    assert {point.place: point.ties.n for point in found.points} == {1: 8, 4: 2}


def test_growing_tired_is_found_within_people() -> None:
    """Agreement falls by 5 points a doubling; those who go on for longer are the better ones to begin with."""
    dice = np.random.default_rng(0)
    rows: list[Compared] = []
    agrees: list[float | None] = []
    for person in range(60):
        stays = 10 + person * 2
        rows += judged(f"w{person}", 1, stays)
        level = 0.7 + 0.004 * person
        agrees += [float(dice.random() < level - 0.05 * np.log2(place)) for place in range(1, stays + 1)]
    slope = session_order(rows, agrees).agrees_by_doubling
    assert slope is not None
    assert slope.high < 0
    assert slope.value == pytest.approx(-0.05, abs=0.02)


def test_untimed_judgments_say_nothing() -> None:
    found = session_order([Compared(item="i", annotator="w", choice="a")], [1.0])
    assert (found.points, found.sessions, found.agrees_by_doubling) == ([], 0, None)


def test_no_trend_without_variation() -> None:
    assert within(np.ones(30), np.arange(30.0), np.arange(30) // 3) is None


def test_a_few_people_say_nothing_of_all() -> None:
    """Two who mirror each other would give an interval without width."""
    places = np.tile(np.arange(5.0), LEAST_PEOPLE)
    who = np.repeat(np.arange(LEAST_PEOPLE), 5)
    agrees = np.random.default_rng(1).random(len(places))
    few = who < LEAST_PEOPLE - 1
    assert within(places[few], agrees[few], who[few]) is None
    slope = within(places, agrees, who)
    assert slope is not None
    assert slope.low < slope.value < slope.high


def test_the_interval_holds_the_slope_of_ten_people_as_often_as_it_says() -> None:
    dice = np.random.default_rng(2)
    places, who, held = np.tile(np.arange(20.0), 10), np.repeat(np.arange(10), 20), 0
    for _ in range(400):
        own = 0.01 + 0.02 * dice.standard_normal(10)  # everybody's own slope, around the one that is asked for
        slope = within(places, own[who] * places + 0.1 * dice.standard_normal(200), who)
        assert slope is not None
        held += slope.low <= 0.01 <= slope.high
    assert held >= 360  # 95 % stated; the normal quantile is a little narrow for ten people

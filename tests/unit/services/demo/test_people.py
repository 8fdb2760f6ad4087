from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.demo.people import CROWD, TURNS_AFTER, Kind, Person, answer, seconds

GOOD = "Sure! I am happy to help you."
BAD = "The matter that was raised " + "is complicated and long and " * 8
FLOOR = 100.0  # characters a second that nobody reads (streams/quality/speed.py)


def choices(person: Person, count: int = 400, start: int = 0) -> list[str]:
    random = Random(1)
    return [answer(person, GOOD, BAD, start + nth, random).choice for nth in range(count)]


def test_the_crowd_is_mostly_honest_and_has_every_kind() -> None:
    assert {person.kind for person in CROWD} == {"honest", "adjudicator", "random", "one-sided", "hasty", "turncoat"}
    assert sum(person.is_bad for person in CROWD) < len(CROWD) / 2
    assert len({person.name for person in CROWD}) == len(CROWD)


@pytest.mark.parametrize("kind", ["honest", "adjudicator", "hasty"])
def test_who_means_well_is_right_about_a_clear_pair(kind: Kind) -> None:
    assert choices(Person(name="x", kind=kind)).count("left") > 390


def test_more_noise_means_more_mistakes_on_a_close_pair() -> None:
    close = ("Good tea needs hot water.", "Good tea needs hot water, of course, and some time to draw in it")
    right = {}
    for noise in (0.1, 1.5):
        random, person = Random(3), Person(name="x", noise=noise)
        right[noise] = sum(answer(person, *close, nth, random).choice == "left" for nth in range(500))
    assert right[0.1] > right[1.5] + 100


def test_a_random_spammer_does_not_look_at_the_answers() -> None:
    given_ = choices(Person(name="x", kind="random"), 2_000)
    assert abs(given_.count("left") - given_.count("right")) < 150


def test_a_one_sider_always_picks_the_left_one() -> None:
    assert set(choices(Person(name="x", kind="one-sided"))) == {"left"}


def test_a_turncoat_is_honest_first_and_says_the_opposite_then() -> None:
    turncoat = Person(name="x", kind="turncoat", noise=0.1)
    assert set(choices(turncoat, TURNS_AFTER)) == {"left"}
    assert set(choices(turncoat, 50, start=TURNS_AFTER)) == {"right"}


@given(st.integers(min_value=50, max_value=4_000), st.integers())
def test_only_the_hasty_answer_faster_than_anybody_reads(characters: int, seed: int) -> None:
    for person in CROWD:
        taken = seconds(person, characters, Random(seed))
        assert taken > 0
        if person.kind != "hasty":
            assert taken > min(characters / FLOOR, 15.0)


def test_the_hasty_are_too_fast_for_two_answers_of_usual_length() -> None:
    hasty = Person(name="x", kind="hasty")
    assert all(seconds(hasty, 400, Random(seed)) < 400 / FLOOR for seed in range(100))


@given(st.text(), st.text(), st.integers(min_value=0, max_value=100), st.integers())
def test_anybody_can_answer_about_any_texts_and_the_same_seed_answers_alike(
    left: str, right: str, nth: int, seed: int
) -> None:
    for person in CROWD:
        first = answer(person, left, right, nth, Random(seed))
        assert first == answer(person, left, right, nth, Random(seed))
        assert first.choice in ("left", "right", "tie")

"""Made-up people do what their kind says."""

from __future__ import annotations

from collections import Counter
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.simulation.annotators import (
    ARCHETYPES,
    BEHAVIOURS,
    DESCRIPTIONS,
    FLOOR,
    Annotator,
    Answer,
    Archetype,
    Item,
    chance_right,
    make_crowd,
    make_items,
)

N = 1_500


def people(kind: Archetype, count: int = 1, accuracy: float = 0.8) -> list[Annotator]:
    return make_crowd({kind: count}, accuracy=accuracy, concentration=1e6, activity_sd=0.5, since=0.4, seed=1)


def items(**changes: float) -> list[Item]:
    shape = {"ties": 0.0, "difficulty_sd": 0.0, **changes}
    return make_items(N, length=660, seed=2, **shape)


def answers(one: Annotator, of: list[Item], progress: float = 0.9) -> list[Answer]:
    return [one.answer(item, swapped=number % 2 == 1, progress=progress) for number, item in enumerate(of)]


def share_right(one: Annotator, of: list[Item], progress: float = 0.9) -> float:
    said = answers(one, of, progress)
    return sum(answer.choice == item.truth for answer, item in zip(said, of, strict=True)) / len(of)


def test_every_kind_has_a_behaviour_and_a_description() -> None:
    assert set(BEHAVIOURS) == set(DESCRIPTIONS) == set(ARCHETYPES)


def test_honest_people_are_as_right_as_their_accuracy_and_read_at_a_human_pace() -> None:
    (one,), of = people("honest"), items()
    assert share_right(one, of) == pytest.approx(0.8, abs=0.03)
    assert 15 < median(answer.seconds for answer in answers(one, of)) < 45


def test_difficulty_makes_items_harder_and_ties_are_said() -> None:
    (one,) = people("honest")
    assert share_right(one, items(difficulty_sd=3.0)) < 0.75
    said = Counter(answer.choice for answer in answers(one, items(ties=0.2)))
    assert said["tie"] / N == pytest.approx(0.2 * 0.8 + 0.8 * 0.2 * 0.2, abs=0.03)


@pytest.mark.parametrize(("kind", "right"), [("random", 0.5), ("fast", 0.55), ("language_model", 0.72), ("ring", 0.5)])
def test_who_does_not_judge_is_right_by_chance_or_by_the_model(kind: Archetype, right: float) -> None:
    assert share_right(people(kind)[0], items()) == pytest.approx(right, abs=0.04)


def test_one_sided_people_pick_the_left_response() -> None:
    said = answers(people("one_sided")[0], items())
    assert all(answer.choice == ("b" if number % 2 else "a") for number, answer in enumerate(said))


def test_fast_people_answer_before_they_can_have_read() -> None:
    assert max(answer.seconds for answer in answers(people("fast")[0], items())) <= 2.0


def test_adversaries_turn_at_their_time() -> None:
    (one,), of = people("adversarial"), items()
    assert share_right(one, of, progress=0.39) == pytest.approx(0.8, abs=0.03)
    assert share_right(one, of, progress=0.4) == pytest.approx(0.2, abs=0.03)
    assert (one.is_bad(0.39), one.is_bad(0.4)) == (False, True)


def test_drifters_end_by_guessing_and_are_bad_from_the_floor_on() -> None:
    (one,), of = people("drifting"), items()
    assert share_right(one, of, progress=0.0) == pytest.approx(0.8, abs=0.03)
    assert share_right(one, of, progress=one.since) == pytest.approx(FLOOR, abs=0.04)
    assert share_right(one, of, progress=1.0) == pytest.approx(0.5, abs=0.04)


@pytest.mark.parametrize("kind", ["ring", "sybil", "language_model"])
def test_who_colludes_answers_alike_on_what_they_get_wrong(kind: Archetype) -> None:
    (one, other), of = people(kind, 2), items()
    mine, theirs = answers(one, of), answers(other, of)
    wrong = [n for n, item in enumerate(of) if mine[n].choice != item.truth]
    assert sum(mine[n].choice == theirs[n].choice for n in wrong) / len(wrong) > 0.85


def test_the_same_seed_is_the_same_crowd_whoever_else_is_there() -> None:
    shape = {"accuracy": 0.8, "concentration": 12.0, "activity_sd": 0.6, "since": 0.4}
    alone = make_crowd({"honest": 3}, seed=5, **shape)
    among = make_crowd({"honest": 3, "ring": 4}, seed=5, **shape)[:3]
    of = items()[:50]
    assert [answers(one, of) for one in alone] == [answers(one, of) for one in among]
    assert make_crowd({"honest": 3}, seed=6, **shape)[0].accuracy != alone[0].accuracy


@given(st.floats(0.05, 0.95), st.floats(-4, 4))
def test_chance_is_the_accuracy_on_a_usual_item_and_falls_with_difficulty(accuracy: float, difficulty: float) -> None:
    assert chance_right(accuracy, 0.0) == pytest.approx(accuracy)
    assert (chance_right(accuracy, difficulty) < accuracy) == (difficulty > 1e-12) or abs(difficulty) < 1e-9

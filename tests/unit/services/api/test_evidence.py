"""The curves of an annotator's tests against the stage itself."""

import random

import pytest

from services.api.routes.evidence import MOST_POINTS, Point, Seen, curves, thinned
from streams.events import Agreement, Choice, Judgment
from streams.quality.alarms import evidence
from streams.stages.assessments import State, checked, step


def life(n: int, seed: int) -> tuple[State, list[Seen]]:
    """Somebody who guesses in half the time that reading takes: the stage's state, and what the views would hold."""
    draw, state, seen = random.Random(seed), State(), []
    for at in range(1, n + 1):
        choice: Choice = draw.choice(("a", "b"))
        gold: Choice | None = draw.choice(("a", "b")) if at % 4 == 0 else None
        judgment = Judgment(
            id=f"j{at}", judgment=f"j{at}", task=f"t{at}", annotator="w", choice=choice, gold=gold, mode="recorded",
            swapped=draw.random() < 0.5, length_a=700, length_b=700, shown_at=at * 10**5, answered_at=at * 10**5 + 7000,
        )  # fmt: skip
        checks, sure = tuple(checked(state, judgment)), draw.choice((0.8, 0.9))
        state = step(state, judgment)[0] or state
        mine = draw.choice((sure, 1 - sure))
        others = (mine, 1 - mine, 0.0) if choice == "a" else (1 - mine, mine, 0.0)
        told = Agreement(
            id=f"g{at}", judgment=f"j{at}", task=f"t{at}", annotator="w", choice=choice, swapped=False, gold=gold,
            probability=mine, others=others, others_count=2, answered_at=at * 10**5 + 7000,
        )  # fmt: skip
        state = step(state, told)[0] or state
        seen.append(Seen(judgment=judgment, checks=checks, agreement=None if gold else mine))
    return state, seen


def test_the_last_values_are_the_stages() -> None:
    state, seen = life(80, seed=1)
    found = curves(seen, [])
    assert set(found) == set(state.running) >= {"accuracy", "change", "speed", "pattern", "gold", "left", "right"}
    for name, points in found.items():
        assert points[-1].evidence == pytest.approx(evidence(name, state.running[name]))
        assert [point.at for point in points] == [seen[point.number - 1].judgment.answered_at for point in points]
        assert [point.number for point in points] == sorted(point.number for point in points)


def test_reinstated_the_curves_start_again() -> None:
    _, seen = life(60, seed=2)
    restart = seen[40].judgment.answered_at
    whole, again = curves(seen, []), curves(seen, [restart])
    assert whole["speed"][39] == again["speed"][39]
    assert whole["speed"][40].evidence > 100 > again["speed"][40].evidence


def test_thinned_keeps_the_peaks_and_the_order() -> None:
    points = [Point(n, n, float(n % 97)) for n in range(10 * MOST_POINTS)]
    found = thinned(points)
    assert len(found) <= MOST_POINTS
    assert max(point.evidence for point in found) == 96
    assert thinned([]) == []
    assert thinned(points[:10]) == points[:10]

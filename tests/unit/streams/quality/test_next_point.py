"""What the next point of quality costs, held against a random walk whose equations are solved."""

from __future__ import annotations

import numpy as np
import pytest

from streams.quality import next_point
from streams.quality.decided import Decided
from streams.quality.next_point import LEAST_TASKS, effort, expit, logit, outlook


def steps(start: int, beyond: int, up: float) -> float:
    """Expected steps of a walk on the whole numbers until it leaves (-beyond, beyond), by its linear equations."""
    inside = range(1 - beyond, beyond)
    equations = np.eye(len(inside))
    for row, _ in enumerate(inside):
        if row + 1 < len(inside):
            equations[row, row + 1] -= up
        if row > 0:
            equations[row, row - 1] -= 1 - up
    return float(np.linalg.solve(equations, np.ones(len(inside)))[start + beyond - 1])


@pytest.mark.parametrize(("start", "beyond"), [(0, 9), (6, 12), (9, 12), (11, 12)])
def test_the_effort_is_that_of_a_walk_that_hits_its_bounds(start: int, beyond: int) -> None:
    accuracy = 0.56
    step = float(logit(np.array(accuracy)))
    belief = float(expit(np.array(start * step)))
    told = (2 * accuracy - 1) * step  # nats a step
    walked = belief * steps(start, beyond, accuracy) + (1 - belief) * steps(start, beyond, 1 - accuracy)
    assert float(effort(np.array([belief]), beyond * step)[0]) == pytest.approx(told * walked, abs=1e-9)


def decided(count: int, belief: float = 0.9, target: float | None = 0.85) -> list[Decided]:
    return [Decided(belief=belief, judgments=2, target=target) for _ in range(count)]


def test_too_few_tasks_or_judgments_that_tell_nothing_give_no_outlook() -> None:
    assert outlook(decided(LEAST_TASKS - 1)) is None
    assert outlook(decided(LEAST_TASKS, belief=0.5)) is None


def test_a_higher_target_gives_more_and_costs_more() -> None:
    found = outlook([*decided(100, 0.86), *decided(100, 0.97)])
    assert found is not None
    assert found.right.value == pytest.approx(0.915)
    rights = [found.right.value, *(point.right.value for point in found.points)]
    prices = [found.judgments.value, *(point.judgments.value for point in found.points)]
    assert rights == sorted(rights)
    assert prices == sorted(prices)
    assert found.points[0].target == 0.9  # no task is short of a lower one
    assert found.next_point is not None
    assert 0 < found.next_point.low <= found.next_point.value <= found.next_point.high


def test_where_all_is_sure_no_target_gives_a_point_more() -> None:
    found = outlook(decided(100, 0.989, target=0.985))
    assert found is not None
    assert found.next_point is None
    assert [point.target for point in found.points] == [0.99]


def test_an_interval_knows_that_tasks_of_one_time_are_alike() -> None:
    """The same tasks, once one after the other and once half of the campaign on its own."""
    hard, easy = [Decided(belief=0.9, judgments=n, target=0.85) for n in (3, 1)]
    mixed, apart = outlook([hard, easy] * 100), outlook([hard] * 100 + [easy] * 100)
    assert mixed is not None
    assert apart is not None
    assert apart.told.value == mixed.told.value
    assert apart.told.high - apart.told.low > 0.1 > mixed.told.high - mixed.told.low


def test_its_targets_rise() -> None:
    assert sorted(next_point.TARGETS) == list(next_point.TARGETS)

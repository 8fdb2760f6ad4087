"""Trials in a few numbers."""

from __future__ import annotations

import pytest
from scipy import stats

from services.simulation.summary import student, summarised
from services.simulation.trial import Record, Result


def result(target: float, seed: int, judgments: int, right: float, *records: Record) -> Result:
    return Result(
        target=target,
        seed=seed,
        pairs=100,
        judgments=judgments,
        adjudicated=10,
        right=right,
        undecided=0.0,
        calibration_error=None,
        cost=float(judgments),
        hours=1.0,
        requests=2 * judgments,
        records=records,
    )


def honest(suspended: bool, accuracy: float = 0.8) -> Record:
    return Record(kind="honest", accuracy=accuracy, judgments=50, counted=50, suspended_after=50 if suspended else None)


def ringer(delay: int | None) -> Record:
    return Record(kind="ring", accuracy=0.8, judgments=90, counted=80, weighted_after=5, suspended_after=delay)


RESULTS = [
    result(0.9, 0, 290, 0.92, honest(True), honest(False), honest(True, accuracy=0.5), ringer(20)),
    result(0.9, 1, 310, 0.94, honest(False), honest(False), ringer(None)),
    result(0.8, 0, 190, 0.83, honest(False), ringer(None)),
    result(0.8, 1, 210, 0.83, honest(False), ringer(40)),
]


def test_targets_rise_and_intervals_are_students() -> None:
    low, high = summarised(RESULTS).targets
    assert (low.target, high.target, high.trials) == (0.8, 0.9, 2)
    assert high.labels_per_pair.value == pytest.approx(3.1)
    assert high.right.value == pytest.approx(0.93)
    assert low.right.low == low.right.high == 0.83


def test_the_next_point_costs_what_lies_between_two_targets() -> None:
    low, high = summarised(RESULTS).targets
    assert low.next_point == pytest.approx((300 - 200) / 10)
    assert high.next_point is None


def test_what_people_ask_in_vain_and_what_is_given_in_misconduct() -> None:
    low, _ = summarised(RESULTS).targets
    assert low.in_vain.value == 0.5
    assert low.by_bad.value == pytest.approx((80 / 190 + 80 / 210) / 2)


def test_honest_people_below_the_floor_may_be_suspended() -> None:
    _, high = summarised(RESULTS).targets
    assert high.honest_suspended.value == pytest.approx(1 / 4)


def test_kinds_with_their_delay() -> None:
    kinds = {(kind.target, kind.kind): kind for kind in summarised(RESULTS).kinds}
    rings = kinds[0.9, "ring"]
    assert (rings.people, rings.suspended.value, rings.weighted.value, rings.delay) == (2, 0.5, 1.0, 20)
    assert set(kinds) == {(target, kind) for target in (0.8, 0.9) for kind in ("honest", "ring")}


def test_who_had_no_time_to_misbehave_is_not_counted() -> None:
    unborn = Record(kind="sybil", accuracy=0.8)
    assert [kind.kind for kind in summarised([result(0.9, 0, 300, 0.9, honest(False), unborn)]).kinds] == ["honest"]


@pytest.mark.parametrize("freedom", [3, 4, 9, 30, 200])
def test_students_quantile_is_scipys(freedom: int) -> None:
    assert student(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=0.02)

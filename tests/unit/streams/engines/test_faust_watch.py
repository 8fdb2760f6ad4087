"""Lag without progress ends the process; a backlog, a recovery that moves and silence do not."""

from __future__ import annotations

from streams.engines.faust_watch import (
    ALL_STALLED_S,
    LOOP_STALLED_S,
    ONE_STALLED_S,
    STALLED_EXIT,
    Glance,
    Progress,
    Watchdog,
)

A, B = ("by-task", 0), ("by-task", 1)


def glance(a: tuple[int, int], b: tuple[int, int] = (0, 0)) -> Glance:
    """(lag, commit) of two partitions."""
    return Glance(ready=True, lags={A: a[0], B: b[0]}, commits={A: a[1], B: b[1]})


def verdicts(*looks: tuple[float, Glance]) -> list[bool]:
    progress = Progress(started=0.0)
    return [bool(progress.look(now, seen)) for now, seen in looks]


def test_a_backlog_that_shrinks_is_fine() -> None:
    assert not any(verdicts(*((now * 20.0, glance((1_000 - now, now))) for now in range(50))))


def test_silence_is_fine() -> None:
    assert not any(verdicts(*((now * 20.0, glance((0, 7))) for now in range(50))))


def test_lag_and_no_commit_anywhere_is_a_stall() -> None:
    late = ALL_STALLED_S + 1
    assert verdicts((0.0, glance((5, 7))), (late - 2, glance((5, 7))), (late, glance((6, 7)))) == [False, False, True]


def test_one_partition_may_starve_for_a_while_but_not_for_ever() -> None:
    looks = [(now * 10.0, glance((5, 7), (0, now))) for now in range(15)]
    found = verdicts(*looks)
    assert found.index(True) == int(ONE_STALLED_S // 10) + 1


def test_a_recovery_that_reads_on_is_fine_and_one_that_does_not_is_a_stall() -> None:
    moving = [(now * 20.0, Glance(ready=False, lags={}, commits={}, restored=now)) for now in range(20)]
    hanging = [(now * 20.0, Glance(ready=False, lags={}, commits={}, restored=9)) for now in range(4)]
    assert not any(verdicts(*moving))
    assert verdicts(*hanging)[-1]


def test_partitions_that_are_given_away_are_forgotten() -> None:
    gone = Glance(ready=True, lags={B: 0}, commits={B: 3})
    assert not any(verdicts((0.0, glance((5, 7))), (20.0, gone), (ONE_STALLED_S + 30, gone)))


def test_a_loop_that_does_not_turn_ends_the_process() -> None:
    ended: list[int] = []
    now = [0.0]
    watchdog = Watchdog(ended.append, lambda: now[0])
    watchdog.look(glance((0, 1)))
    now[0] = LOOP_STALLED_S - 1
    watchdog.check_loop()
    assert ended == []
    now[0] = LOOP_STALLED_S + 1
    watchdog.check_loop()
    assert ended == [STALLED_EXIT]

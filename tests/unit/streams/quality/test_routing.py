import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.events import Reliability
from streams.quality import routing
from streams.quality.routing import ABOUT, ABOUT_MS, HEARD, NEWCOMER, SELDOM, SHARE_BETTER, Crowd, bar_of, worth

LONG_AGO = -2 * ABOUT_MS  # ms


def known(accuracy: float, evidence: float = 50.0) -> Reliability:
    return Reliability(
        accuracy=accuracy,
        accuracy_low=0.0,
        accuracy_high=1.0,
        side_bias=0.0,
        tie_rate=0.1,
        judgments=round(evidence),
        evidence=evidence,
    )


def crowd_of(accuracies: dict[str, float], rounds: int = 400) -> Crowd:
    """Everybody asks and judges as often as everybody else."""
    crowd = Crowd()
    names = sorted(accuracies)
    draw = random.Random(0)
    for _ in range(rounds * len(names)):
        name = draw.choice(names)
        crowd.asks(name, LONG_AGO)
        crowd.learn(name, known(accuracies[name]))
    return crowd


def test_nobody_known_everybody_may_follow_up() -> None:
    assert Crowd().asks("new", 0) == "better"


def test_a_crowd_that_is_hardly_known_is_not_told_apart() -> None:
    crowd = Crowd()
    for _ in range(HEARD - 1):
        crowd.asks("good", 0)
        crowd.learn("coin", known(0.5))
    crowd.learn("good", known(0.9))
    assert crowd.grade("coin") == "seldom"
    assert crowd.asks("new", 0) == "usual"


def test_the_better_part_of_the_requests_is_the_better_ones() -> None:
    accuracies = {f"w{n}": 0.65 + 0.003 * n for n in range(100)}
    crowd = crowd_of(accuracies)
    better = {name for name in accuracies if crowd.grade(name) == "better"}
    assert len(better) / len(accuracies) == pytest.approx(SHARE_BETTER, abs=0.1)
    assert better == set(sorted(accuracies, key=accuracies.__getitem__)[-len(better) :])


@given(st.lists(st.none() | st.floats(0.03, 0.98).map(known), min_size=1, max_size=ABOUT))
def test_the_better_ones_make_their_share_of_the_requests_at_least(requests: list[Reliability | None]) -> None:
    bar = bar_of(requests, HEARD)
    assert sum(bar.grade(one) == "better" for one in requests) >= SHARE_BETTER * len(requests)


def test_the_bar_does_not_follow_those_who_alone_still_find_something() -> None:
    """Late in a campaign the better judge and the others wait; that must not make the better ever fewer."""
    accuracies = {f"w{n}": 0.6 + 0.03 * n for n in range(10)}
    crowd = crowd_of(accuracies)
    before = crowd.bar.accuracy
    for n in range(2_000):
        name = f"w{n % 10}"
        if crowd.asks(name, 0) == "better":
            crowd.learn(name, known(accuracies[name]))
    assert crowd.bar.accuracy == pytest.approx(before, abs=0.031)  # one person up or down, by chance


def test_a_newcomer_to_a_good_crowd_begins_with_fresh_tasks() -> None:
    crowd = crowd_of({f"w{n}": 0.85 + 0.001 * n for n in range(50)})
    assert crowd.bar.accuracy > NEWCOMER
    assert crowd.asks("new", 0) == "usual"


def test_what_a_judgment_is_worth_grows_from_nothing_at_a_coin() -> None:
    assert worth(0.3) == worth(0.5) == 0
    assert worth(0.6) == pytest.approx(0.2 * math.log(0.6 / 0.4))
    assert worth(0.7) < worth(0.8) < worth(0.9) < math.inf
    assert worth(1.0) < math.inf


@pytest.mark.parametrize(("good", "seldom", "usual"), [(0.9, 0.7, 0.75), (0.7, 0.6, 0.63)])
def test_who_is_asked_seldom_depends_on_what_better_ones_tell(good: float, seldom: float, usual: float) -> None:
    bar = bar_of([known(good)], HEARD)
    assert bar.grade(known(seldom)) == "seldom"
    assert bar.grade(known(usual)) == "usual"


def test_in_a_crowd_of_coins_nobody_is_asked_seldom() -> None:
    assert bar_of([known(0.5)] * 5, HEARD).grade(known(0.5)) == "better"


def test_a_coin_is_asked_seldom_and_yet_asked() -> None:
    crowd = crowd_of({"good": 0.85, "coin": 0.52})
    assert crowd.asks("coin", 0) == "seldom"
    assert sum(not crowd.is_refused("coin", reasons=1) for _ in range(10 * SELDOM)) == 10
    assert sum(not crowd.is_refused("coin", reasons=2) for _ in range(2 * SELDOM**2)) == 2


def test_little_evidence_makes_nobody_a_coin() -> None:
    crowd = crowd_of({"good": 0.9})
    crowd.learn("unlucky", known(0.55, evidence=routing.LEAST_EVIDENCE - 1))
    assert crowd.grade("unlucky") == "usual"


def test_a_task_is_left_to_better_ones_who_are_about_and_have_not_had_it() -> None:
    crowd = crowd_of({"good": 0.9, "usual": 0.7})
    assert not crowd.is_left_to_better((), 0)  # nobody has asked yet
    crowd.asks("good", 0)
    crowd.asks("usual", 0)
    assert crowd.is_left_to_better(("usual",), 0)
    assert not crowd.is_left_to_better(("good",), 0)
    assert not crowd.is_left_to_better(("usual",), ABOUT_MS + 1)  # the good one is gone home
    for _ in range(ABOUT):
        crowd.asks("usual", 0)
    assert not crowd.is_left_to_better((), 0)  # many asked since

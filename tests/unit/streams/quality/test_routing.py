import random

import pytest

from streams.events import Reliability
from streams.quality import routing
from streams.quality.routing import ABOUT, ABOUT_MS, HEARD, NEWCOMER, SELDOM, SHARE_BETTER, Crowd


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
    crowd = Crowd()
    names = sorted(accuracies)
    draw = random.Random(0)
    for _ in range(rounds * len(names)):
        name = draw.choice(names)
        crowd.learn(name, known(accuracies[name]))
    return crowd


def test_nobody_known_everybody_may_follow_up() -> None:
    assert Crowd().asks("new", 0) == "better"


def test_a_crowd_that_is_hardly_known_is_not_told_apart() -> None:
    crowd = Crowd()
    for _ in range(HEARD - 1):
        crowd.learn("coin", known(0.5))
    assert crowd.asks("coin", 0) == "better"
    crowd.learn("coin", known(0.5))
    assert crowd.asks("coin", 0) == "seldom"


def test_the_better_part_of_the_judgments_is_the_better_ones() -> None:
    accuracies = {f"w{n}": 0.65 + 0.003 * n for n in range(100)}
    crowd = crowd_of(accuracies)
    better = sum(crowd.grade(name) == "better" for name in accuracies) / len(accuracies)
    assert better == pytest.approx(SHARE_BETTER, abs=0.1)
    assert all(
        accuracies[name] >= crowd.bar.accuracy - routing.STEP for name in accuracies if crowd.grade(name) == "better"
    )


def test_a_newcomer_to_a_good_crowd_begins_with_fresh_tasks() -> None:
    crowd = crowd_of({f"w{n}": 0.85 + 0.001 * n for n in range(50)})
    assert crowd.bar.accuracy > NEWCOMER
    assert crowd.asks("new", 0) == "usual"


def test_a_coin_is_asked_seldom_and_yet_asked() -> None:
    crowd = crowd_of({"good": 0.85, "coin": 0.52})
    assert crowd.asks("coin", 0) == "seldom"
    assert sum(not crowd.is_refused("coin") for _ in range(10 * SELDOM)) == 10


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

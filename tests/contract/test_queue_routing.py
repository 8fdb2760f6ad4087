"""What every assignment queue must keep: whom it asks for what, by what is known of them."""

from __future__ import annotations

from streams.quality.routing import ABOUT_MS, SELDOM
from tests.contract.queues import NOW, Desk, name_of, task

CROWD = {"good": 0.9, "fine": 0.9, "usual": 0.75, "coin": 0.5}


def test_the_better_ones_finish_what_others_begin(desk: Desk) -> None:
    desk.learn(CROWD)
    desk.commit(*[task(f"t{i}", overlap=3) for i in range(3)])
    assert name_of(desk.next("usual")) == "t0"
    assert name_of(desk.next("usual")) == "t1"
    assert name_of(desk.next("good")) == "t0"
    assert name_of(desk.next("newcomer")) == "t2"  # the bar is above what is expected of who is not known


def test_what_is_begun_is_left_to_the_better_ones_while_one_is_about(desk: Desk) -> None:
    desk.learn(CROWD)
    desk.commit(task("t", overlap=3), task("u", skills=("law",)))
    assert name_of(desk.next("good")) == "t"
    assert name_of(desk.next("usual")) == "t"  # nobody better is about who has not had it
    assert name_of(desk.next("good", skills=frozenset({"law"}))) == "u"
    desk.learn({"better": 0.9}, count=1)
    assert name_of(desk.next("better", exclude=("t",))) is None
    assert desk.next("newcomer") is None
    assert name_of(desk.next("newcomer", NOW + ABOUT_MS + 1)) == "t"


def test_who_waits_for_better_ones_does_not_wait_for_ever(desk: Desk) -> None:
    desk.learn(CROWD)
    desk.commit(task("t", overlap=3), task("u", skills=("law",)))
    assert name_of(desk.next("usual")) == "t"
    assert name_of(desk.next("good", skills=frozenset({"law"}), exclude=("t",))) == "u"
    assert [name_of(desk.next("newcomer")) for _ in range(SELDOM)] == [None] * (SELDOM - 1) + ["t"]
    assert [name_of(desk.next("coin")) for _ in range(SELDOM**2)] == [None] * (SELDOM**2 - 1) + ["t"]


def test_a_coin_is_asked_seldom(desk: Desk) -> None:
    desk.learn(CROWD)
    desk.commit(*[task(f"t{i}") for i in range(3)])
    given = [name_of(desk.next("coin")) for _ in range(2 * SELDOM)]
    assert given == [None] * (SELDOM - 1) + ["t0"] + ["t0"] * (SELDOM - 1) + ["t1"]


def test_it_says_where_everybody_stands(desk: Desk) -> None:
    assert desk.queue.grades(["good"]) == {}, "nobody can be told apart yet"
    desk.learn(CROWD)
    assert desk.queue.grades([*CROWD, "newcomer"]) == {
        "good": "better",
        "fine": "better",
        "usual": "usual",
        "coin": "seldom",
        "newcomer": "usual",
    }

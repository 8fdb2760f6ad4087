from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from streams.events import GoldPolicy
from streams.quality.hygiene import TURN, Item, plan
from streams.quality.leaks import Leak

LEAKED = Leak(right=1e6, answers=90)


def told(items: list[Item], policy: GoldPolicy) -> dict[str, str]:
    return {change.task: change.status for change in plan(items, policy)}


def item(task: str, exposures: int = 0, *, offered: bool = True, leak: Leak | None = None) -> Item:
    found = Item(task=task, offered=offered, exposures=exposures)
    return replace(found, leak=leak) if leak else found


def test_without_a_policy_everything_is_offered() -> None:
    assert plan([item("g", 10_000, leak=LEAKED)], GoldPolicy()) == []
    assert told([item("g", offered=False)], GoldPolicy()) == {"g": "open"}


def test_what_was_seen_by_as_many_as_it_may_is_retired() -> None:
    (change,) = plan([item("g", 50), item("h", 49)], GoldPolicy(exposure_cap=50))
    assert (change.task, change.status) == ("g", "closed")
    assert "seen by 50 of at most 50" in change.reason


def test_what_got_around_is_retired_and_says_why() -> None:
    (change,) = plan([item("g", leak=LEAKED), item("h")], GoldPolicy(leak_rate=0.01))
    assert (change.task, change.status) == ("g", "closed")
    assert "suddenly always right" in change.reason


def test_items_take_turns_when_others_were_seen_far_less() -> None:
    policy = GoldPolicy(in_use=1)
    assert told([item("g", TURN), item("h", 0, offered=False)], policy) == {}
    assert told([item("g", TURN + 1), item("h", 0, offered=False)], policy) == {"g": "closed", "h": "open"}


def test_a_retired_item_makes_room_for_the_least_seen() -> None:
    items = [item("g", 9), item("h", 2, offered=False), item("i", 1, offered=False)]
    assert told(items, GoldPolicy(in_use=1, exposure_cap=9)) == {"g": "closed", "i": "open"}


@given(
    st.lists(
        st.builds(item, st.text(min_size=1), st.integers(0, 60), offered=st.booleans()), unique_by=lambda x: x.task
    ),
    st.builds(
        GoldPolicy,
        exposure_cap=st.none() | st.integers(1, 50),
        in_use=st.none() | st.integers(1, 5),
        leak_rate=st.none() | st.just(0.01),
    ),
)
def test_once_done_nothing_is_left_to_do_and_the_limits_hold(items: list[Item], policy: GoldPolicy) -> None:
    changes = told(items, policy)
    after = [
        replace(one, offered=changes.get(one.task, "open" if one.offered else "closed") == "open") for one in items
    ]
    assert plan(after, policy) == []
    offered = [one for one in after if one.offered]
    assert policy.in_use is None or len(offered) <= policy.in_use
    assert policy.exposure_cap is None or all(one.exposures < policy.exposure_cap for one in offered)

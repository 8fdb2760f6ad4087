from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.coordinator.registry import (
    champion_of,
    champions,
    promotion_by_override,
    rollback,
    statuses,
)
from streams.errors import ConflictError
from streams.events import Promotion


def promoted(model: str) -> Promotion:
    return Promotion(model=model, decision="promoted")


def rejected(model: str) -> Promotion:
    return Promotion(model=model, decision="rejected")


def rolled_back(model: str) -> Promotion:
    return Promotion(model=model, decision="rolled_back")


def test_nobody_is_champion_of_nothing() -> None:
    assert champion_of([]) == ""
    assert champion_of([rejected("m1")]) == ""


def test_the_last_promoted_is_champion_and_a_rollback_goes_one_back() -> None:
    history = [promoted("m1"), rejected("m2"), promoted("m3")]
    assert champions(history) == ["m1", "m3"]
    assert champion_of([*history, rolled_back("m1")]) == "m1"
    assert champion_of([*history, rolled_back("m1"), promoted("m4"), rolled_back("m1")]) == "m1"


def test_statuses() -> None:
    history = [promoted("m1"), rejected("m2"), promoted("m3"), rolled_back("m1")]
    assert statuses(history) == {"m1": "champion", "m2": "rejected", "m3": "retired"}


def test_a_rejected_model_that_a_person_promotes_is_champion() -> None:
    assert statuses([rejected("m1"), promoted("m1")]) == {"m1": "champion"}


def test_rollback_names_the_champion_before() -> None:
    event = rollback([promoted("m1"), promoted("m2")], campaign="c", by="key:k", reason="worse in French", at=5)
    assert (event.decision, event.model, event.previous) == ("rolled_back", "m1", "m2")
    assert (event.reasons, event.by, event.override) == (("worse in French",), "key:k", False)


@pytest.mark.parametrize("history", [[], [promoted("m1")], [promoted("m1"), promoted("m2"), rolled_back("m1")]])
def test_rollback_is_refused_where_there_is_nothing_to_go_back_to(history: list[Promotion]) -> None:
    with pytest.raises(ConflictError, match="no earlier champion"):
        rollback(history, campaign="c", by="key:k", reason="", at=5)


def test_override_is_recorded_as_one() -> None:
    event = promotion_by_override([promoted("m1")], campaign="c", model="m2", by="key:k", reason="I know", at=5)
    assert (event.decision, event.model, event.previous, event.override) == ("promoted", "m2", "m1", True)


def test_override_of_the_champion_is_refused() -> None:
    with pytest.raises(ConflictError, match="already the champion"):
        promotion_by_override([promoted("m1")], campaign="c", model="m1", by="key:k", reason="", at=5)


decisions = st.lists(st.tuples(st.sampled_from("pro"), st.sampled_from(["m1", "m2", "m3"])), max_size=30)


@given(decisions)
def test_one_champion_at_most_whatever_is_decided(steps: list[tuple[str, str]]) -> None:
    history: list[Promotion] = []
    for step, model in steps:
        try:
            if step == "p":
                event = promotion_by_override(history, campaign="c", model=model, by="k", reason="", at=1)
            elif step == "r":
                event = rollback(history, campaign="c", by="k", reason="", at=1)
            else:
                event = rejected(model)
        except ConflictError:
            continue
        history.append(event)
        if event.decision != "rejected":
            assert champion_of(history) == event.model
    found = statuses(history)
    assert [model for model, status in found.items() if status == "champion"] == [
        model for model in [champion_of(history)] if model
    ]
    assert found.keys() == {event.model for event in history}

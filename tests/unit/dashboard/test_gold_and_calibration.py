"""What a lead sees of the gold and of the calibration rounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.dashboard.opening import words
from tests.unit.dashboard.stub import Stub, quality


def test_gold_says_what_was_retired_and_what_may_have_got_around(opened: Callable[..., Any], service: Stub) -> None:
    service.clock = lambda: 1_790_000_000_000
    said = words(opened("gold"))
    assert "Retired: seen by 60 of at most 60 annotators" in said
    assert "20 Sep 14:13:20" in said
    assert "May have got around: 48 to one" in said
    assert "only 9 gold items are in use" in said


def test_the_share_of_right_answers_is_of_all_answers_and_not_of_items(
    opened: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, service: Stub
) -> None:
    found = quality.gold(service)
    for item, (judged, right) in zip(found["items"], [(1, 0.0), (9, 1.0)], strict=False):
        item |= {"judged": judged, "right": right}
    monkeypatch.setattr(quality, "gold", lambda _: found | {"items": found["items"][:2]})
    said = words(opened("gold"))
    assert "90%" in said
    assert "of 10 answers" in said


def test_gold_says_what_grew_from_which_task_and_what_became_of_it(opened: Callable[..., Any]) -> None:
    said = words(opened("gold"))
    assert "601d0001 from 7a5c0001" in said
    assert "in use, 91% of 54 right" in said
    assert "what adjudicators decide, by itself" in said


@pytest.mark.parametrize("page", ["gold", "calibration"])
def test_a_campaign_that_somebody_made_is_opened_before_the_one_that_was_there(
    opened: Callable[..., Any], page: str
) -> None:
    campaign = opened(page).selectbox(key=f"{page}-campaign")
    assert (campaign.value, campaign.options) == ("triage", ["triage", "default"])


def test_a_calibration_round_says_how_far_it_is_and_who_stands_apart(opened: Callable[..., Any]) -> None:
    said = words(opened("calibration"))
    assert "9 of 12 tasks are closed" in said
    assert "of 10" in said
    assert "Sofia Rossi" in said
    assert "Nobody is clearly below" not in said


def test_a_campaign_that_waits_for_its_first_round_says_for_what(
    opened: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting: dict[str, Any] = {
        "campaign": "default",
        "policy": {"tasks": 5, "every_days": 7},
        "next_at": None,
        "rounds": [],
    }
    monkeypatch.setattr(quality, "calibration", lambda _: waiting)
    assert "as soon as 5 tasks are decided" in words(opened("calibration"))

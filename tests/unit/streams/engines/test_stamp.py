"""Ids of derived events."""

from __future__ import annotations

from streams.engines.port import Record
from streams.engines.stamp import stamp
from streams.events import Origin, Signal

CAUSE = Record(
    topic="signals", partition=2, offset=7, key="o", event=Signal(id="s", signal="s", output="o", kind="edit")
)
DERIVED = Signal(signal="d", output="o", kind="other")


def test_the_same_step_on_the_same_input_makes_the_same_event() -> None:
    assert stamp(DERIVED, "stage", CAUSE, "signals", 0) == stamp(DERIVED, "stage", CAUSE, "signals", 0)


def test_every_output_of_every_stage_has_an_id_of_its_own() -> None:
    places = [("a", "t", 0), ("a", "t", 1), ("a", "u", 0), ("b", "t", 0)]
    ids = {stamp(DERIVED, stage, CAUSE, topic, ordinal).id for stage, topic, ordinal in places}
    assert len(ids) == len(places)


def test_the_origin_is_the_place_of_the_input() -> None:
    assert stamp(DERIVED, "stage", CAUSE, "t", 3).origin == Origin(topic="signals", partition=2, offset=7, ordinal=3)

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from services.replay.feed import (
    CHUNK,
    FIRST_CHUNK,
    Tally,
    annotator_id,
    chunks,
    growing_chunks,
    output_id,
    raw_judgment,
    raw_output,
    side_of,
    task_of_item,
)
from services.replay.recordings import Item, Recorded
from streams.admission import admit_output, canonical
from streams.events import Campaign, Choice, Task
from streams.stages import tasks

CAMPAIGN = Campaign(name="c", version=1, mode="recorded")
NOW = 1_500_000_000_000


def item(a: str = "yes", b: str = "no") -> Item:
    return Item(item="i1", prompt="Is it?", a=a, b=b, topic="t", model_a="m1")


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("label", ["a", "b", "tie"])
def test_the_side_shown_leads_back_to_the_label(label: Choice, swapped: bool) -> None:
    assert canonical(side_of(label, swapped), swapped) == label


def test_an_item_becomes_the_task_that_its_judgments_look_for() -> None:
    output, text = admit_output(raw_output(item(), "c"), CAMPAIGN, NOW, "replay")
    _, (task,) = tasks.step(None, output)
    assert isinstance(task, Task)
    assert task.task == task_of_item("c", "i1")
    assert (output.trace, output.tags, output.responses[0].model) == ("i1", {"topic": "t"}, "m1")
    assert [parts[0].text for parts in text.responses] == ["yes", "no"]


def test_empty_responses_are_legal_and_equal_ones_make_no_task() -> None:
    output, _ = admit_output(raw_output(item(a=""), "c"), CAMPAIGN, NOW, "replay")
    assert len(tasks.step(None, output)[1]) == 1
    output, _ = admit_output(raw_output(item(a="", b=""), "c"), CAMPAIGN, NOW, "replay")
    assert tasks.step(None, output)[1] == []


def test_ids_of_different_recordings_never_meet() -> None:
    assert output_id("c", "1") != output_id("d", "1")
    assert annotator_id("c", "w") != annotator_id("d", "w")


def recorded(**times: object) -> Recorded:
    return Recorded(item="i1", annotator="w", label="b", **times)  # type: ignore[arg-type]


END = datetime(2016, 1, 31, 13, 0, 0, tzinfo=UTC)
END_MS = 1_454_245_200_000


@pytest.mark.parametrize(
    ("times", "shown_at", "answered_at"),
    [
        ({}, None, None),
        ({"t_end": END}, None, END_MS),
        ({"t_end": END, "seconds": 51.0}, END_MS - 51_000, END_MS),
        ({"t_end": END, "t_start": END.replace(minute=0, hour=12)}, END_MS - 3_600_000, END_MS),
        ({"t_end": END, "t_start": END.replace(hour=12), "seconds": 1.5}, END_MS - 1_500, END_MS),
        ({"seconds": 2.0}, NOW - 2_000, NOW),
    ],
)
def test_times(times: dict[str, object], shown_at: int | None, answered_at: int | None) -> None:
    raw = raw_judgment(recorded(**times), "t", NOW)
    assert (raw.shown_at, raw.answered_at) == (shown_at, answered_at)


def test_the_order_shown_is_kept() -> None:
    assert raw_judgment(recorded(), "t", NOW).choice == "right"
    assert raw_judgment(recorded(shown_swapped=True), "t", NOW).choice == "left"


def test_chunks_lose_nothing() -> None:
    assert list(chunks(range(5), 2)) == [[0, 1], [2, 3], [4]]
    assert list(chunks([], 2)) == []


def test_chunks_grow_to_a_bound_and_lose_nothing() -> None:
    found = list(growing_chunks(range(20_000)))
    assert [n for chunk in found for n in chunk] == list(range(20_000))
    sizes = [len(chunk) for chunk in found[:-1]]
    assert (sizes[0], max(sizes), sizes) == (FIRST_CHUNK, CHUNK, sorted(sizes))


def test_rejections_are_counted_by_reason_with_a_few_examples() -> None:
    tally = Tally()
    for n in range(9):
        tally.reject("too long", f"line {n}")
    assert tally.rejected == {"too long": 9}
    assert tally.examples == {"too long": ["line 0", "line 1", "line 2"]}

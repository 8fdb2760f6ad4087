"""Live numbers: rates of full seconds, one point an interval, errors that do not hide each other."""

from __future__ import annotations

from services.api.live import INTERVAL_MS, ONLINE_MS, LiveCounts
from streams import events as e
from streams.engines.port import Record


def records(topic: str, count: int) -> list[Record]:
    event = e.Signal(signal="s", output="o", kind="retry")
    return [Record(topic=topic, partition=0, offset=i, key="k", event=event) for i in range(count)]


def test_a_rate_is_of_the_last_ten_full_seconds() -> None:
    live = LiveCounts(0)
    live.load({"outputs": 100})
    live.add(records("outputs", 7), 1_000)  # too old by now
    live.add(records("outputs", 20), 5_500)
    live.add(records("outputs", 30), 13_999)
    live.add(records("outputs", 40), 14_001)  # its second is not full yet
    assert live.topics(["outputs", "tasks"], 14_500) == {
        "outputs": {"events": 197, "rate": 5.0},
        "tasks": {"events": 0, "rate": 0.0},
    }


def test_history_has_one_point_an_interval_of_three_topics() -> None:
    live = LiveCounts(0)
    for at in (0, 1, INTERVAL_MS):
        live.add([*records("outputs", 2), *records("tasks", 5)], at)
    assert live.history() == [
        {"at": 0, "outputs": 4, "judgments": 0, "preferences": 0},
        {"at": INTERVAL_MS, "outputs": 2, "judgments": 0, "preferences": 0},
    ]


def test_the_same_error_again_only_moves_its_time() -> None:
    live = LiveCounts(0)
    live.error(1, "gate", "x" * 900)
    for at in range(2, 80):
        live.error(at, "batches", "disk gone")
    assert [(error["at"], error["where"], len(error["message"])) for error in live.newest_errors()] == [
        (1, "gate", 500),
        (79, "batches", 9),
    ]
    assert live.errors_by_place() == {"gate": 1, "batches": 78}


def test_a_dead_letter_is_an_error() -> None:
    live = LiveCounts(0)
    letter = e.DeadLetter(topic="t", partition=0, offset=0, key="", stage="views", reason="broken", payload=b"")
    live.add([Record(topic="dead_letters", partition=0, offset=0, key="", event=letter)], 5)
    assert live.newest_errors() == [{"at": 5, "where": "views", "message": "broken"}]


def test_who_was_heard_of_lately_is_online() -> None:
    live = LiveCounts(0)
    live.seen("ada", 0)
    live.seen("bob", ONLINE_MS)
    assert live.online(ONLINE_MS) == 1

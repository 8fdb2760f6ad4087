from __future__ import annotations

from random import Random
from typing import Any

import pytest

from services.demo.crowd import Hired
from services.demo.facts import found, labels_of, lone_accuracy, mean_words, rows_of, verdict
from services.demo.people import Kind, Person

GOOD, BAD = "Sure, my friend!", "The question " + "is a long and difficult one and " * 8


def row(task: str, chosen: str, rejected: str, verdict: str = "a", judgments: int = 3) -> dict[str, Any]:
    return {
        "task": task,
        "chosen": [{"role": "assistant", "content": chosen}],
        "rejected": [{"role": "assistant", "content": rejected}],
        "verdict": verdict,
        "judgments": ["j"] * judgments,
    }


def person(kind: Kind = "honest", clear: int = 0, right: int = 0) -> Hired:
    return Hired(
        person=Person(name="x", kind=kind), annotator="an_x", key="", clear=clear, right=right, random=Random(0)
    )


def test_the_consensus_is_right_where_it_prefers_what_the_hidden_truth_prefers() -> None:
    rows = [
        row("1", GOOD, BAD, "a"),
        row("2", GOOD, BAD, "b"),
        row("3", BAD, GOOD),
        row("4", GOOD, BAD, "tie"),
        row("5", GOOD, GOOD),
    ]
    labels = labels_of(rows, set())
    assert (labels.pairs, labels.judgments, labels.clear, labels.right) == (5, 15, 4, 2)


def test_a_held_out_pair_of_an_earlier_round_is_not_counted_again() -> None:
    seen: set[str] = set()
    assert labels_of([row("1", GOOD, BAD)], seen).pairs == 1
    assert labels_of([row("1", GOOD, BAD), row("2", GOOD, BAD)], seen).pairs == 1


@pytest.mark.parametrize(
    ("is_bad", "flagged", "expected"),
    [
        (True, True, "found"),
        (True, False, "missed"),
        (False, True, "false alarm"),
        (False, False, "left alone"),
    ],
)
def test_what_a_flag_is_worth(is_bad: bool, flagged: bool, expected: str) -> None:
    assert found(is_bad=is_bad, flagged=flagged) == expected


def test_an_alarm_flags_and_so_does_a_standing() -> None:
    alert = {"annotator": "an_x", "hypothesis": "side"}
    assert verdict(person("one-sided"), {}, [alert, alert]).alarms == ("side",)
    assert verdict(person("one-sided"), {}, [alert]).found == "found"
    assert verdict(person("random"), {"standing": "suspended"}, []).found == "found"
    assert (
        verdict(person(), {"standing": "active"}, [{"annotator": "an_y", "hypothesis": "side"}]).found == "left alone"
    )


def test_somebody_who_has_not_judged_has_no_estimate() -> None:
    known = {"judgments": 4, "accuracy": 0.8, "accuracy_low": 0.6, "accuracy_high": 0.9}
    assert verdict(person(), {**known, "judgments": 0}, []).estimated is None
    assert verdict(person(), known, []).estimated == (0.8, 0.6, 0.9)
    assert verdict(person(), known, []).really is None
    assert verdict(person(clear=4, right=3), known, []).really == 0.75


def test_the_lone_judgment_is_measured_over_everybody() -> None:
    assert lone_accuracy([person(clear=3, right=3), person(clear=1, right=0)]) == 0.75
    assert lone_accuracy([person()]) is None


def test_rows_are_read_line_by_line() -> None:
    assert rows_of(['{"task": "1"}', '{"task": "2"}']) == [{"task": "1"}, {"task": "2"}]


def test_an_empty_response_has_no_words_and_counts_in_the_mean() -> None:
    assert mean_words([["one two", ""], ["one two three four", "one two"]]) == 2.0

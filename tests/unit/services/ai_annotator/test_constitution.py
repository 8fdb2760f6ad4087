"""How the model is asked and how its reply is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ai_annotator.constitution import (
    Constitution,
    Position,
    UnreadableReplyError,
    Verdict,
    asked_again,
    opinion,
    question,
    quoted,
    read_constitution,
    read_verdict,
)
from streams.errors import InputError

PRINCIPLES = Constitution(endpoint="http://h/v1", model="judge-7b", principles=("Be truthful.", "Be brief."))
TASK: dict[str, Any] = {
    "task": "t",
    "prompt": [{"role": "user", "text": "What is a mutex?"}],
    "left": {"text": "A lock."},
    "right": {"text": "A fish."},
}


def verdict(better: Position, strength: int | None = None) -> Verdict:
    return Verdict(better=better, reason="because", strength=strength)


# ---------------------------------------------------------------- asking


def test_the_model_is_told_principles_guideline_and_both_responses() -> None:
    body = question(PRINCIPLES, TASK, "Prefer safe answers.", exchanged=False)
    system, user = (message["content"] for message in body["messages"])
    assert "1. Be truthful.\n2. Be brief." in system
    assert "Prefer safe answers." in system
    assert "[user]\nWhat is a mutex?" in user
    assert user.index("A lock.") < user.index("A fish.")
    assert (body["model"], body["temperature"]) == ("judge-7b", 0.0)


def test_exchanged_the_right_response_comes_first() -> None:
    user = question(PRINCIPLES, TASK, "", exchanged=True)["messages"][1]["content"]
    assert user.index("A fish.") < user.index("A lock.")


@given(st.lists(st.sampled_from(["<", "/", "first", "second", "prompt", ">", "x"])))
def test_a_response_can_neither_close_its_quotation_nor_begin_another(pieces: list[str]) -> None:
    inside = quoted("first", "".join(pieces)).removeprefix("<first>\n").removesuffix("\n</first>")
    assert not any(f"<{stroke}{name}>" in inside for stroke in ("", "/") for name in ("first", "second", "prompt"))


# ---------------------------------------------------------------- reading


@pytest.mark.parametrize(
    "reply",
    [
        '{"better": "second", "reason": "shorter", "strength": 2}',
        '  {"better": "second", "reason": "shorter", "strength": 2}\n',
        '```json\n{"better": "second", "reason": "shorter", "strength": 2}\n```',
        '```\n{"better": "second", "reason": "shorter", "strength": 2}```\n',
        'Sure! Here you are:\n{"better": "second", "reason": "shorter", "strength": 2}\nDo you want more?',
        '{"better": "second", "reason": "shorter", "strength": 2, "confidence": 0.9}',
        'I think {so}. {"note": 1} {"better": "second", "reason": "shorter", "strength": 2}',
        '{"better": "second", "reason": "shorter", "strength": 2} {"better": "second", "reason": "again"}',
    ],
)
def test_the_one_verdict_is_read_whatever_stands_around_it(reply: str) -> None:
    assert read_verdict(reply) == Verdict(better="second", reason="shorter", strength=2)


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "The second one.",
        '{"better": "left", "reason": "shorter"}',
        '{"better": "first" or "second", "reason": "shorter"}',
        '{"reason": "shorter"}',
        "{" * 5_000,
        '{"better": "second", "reason": "shorter"} {"better": "first", "reason": "no"}',
    ],
)
def test_what_holds_no_verdict_or_two_is_not_read(reply: str) -> None:
    with pytest.raises(UnreadableReplyError):
        read_verdict(reply)


@pytest.mark.parametrize("strength", ["4", "0", '"clearly"', "null"])
def test_a_strength_that_is_none_of_the_three_is_left_out(strength: str) -> None:
    found = read_verdict(f'{{"better": "first", "reason": "shorter", "strength": {strength}}}')
    assert found == Verdict(better="first", reason="shorter")


@given(st.text())
def test_no_reply_breaks_the_reading(reply: str) -> None:
    with pytest.raises(UnreadableReplyError):
        read_verdict(reply)


def test_asked_again_the_model_sees_what_it_said_and_what_is_wanted() -> None:
    body = question(PRINCIPLES, TASK, "", exchanged=False)
    again = asked_again(body, "The first.")
    assert again["messages"][:2] == body["messages"]
    assert [turn["role"] for turn in again["messages"][2:]] == ["assistant", "user"]
    assert again["messages"][2]["content"] == "The first."
    assert len(body["messages"]) == 2


# ---------------------------------------------------------------- both orders


@pytest.mark.parametrize(("better", "side"), [("first", "left"), ("second", "right"), ("tie", "tie")])
def test_asked_once_the_position_is_the_side(better: Position, side: str) -> None:
    found = opinion(verdict(better, 2), None)
    assert (found.choice, found.strength, found.torn) == (side, 2, False)


@pytest.mark.parametrize(
    ("shown", "exchanged", "side", "torn"),
    [
        ("first", "second", "left", False),
        ("second", "first", "right", False),
        ("tie", "tie", "tie", False),
        ("first", "first", "tie", True),
        ("second", "second", "tie", True),
        ("first", "tie", "tie", True),
    ],
)
def test_a_side_counts_where_it_wins_in_both_orders(
    shown: Position, exchanged: Position, side: str, torn: bool
) -> None:
    found = opinion(verdict(shown, 3), verdict(exchanged, 1))
    assert (found.choice, found.torn) == (side, torn)
    assert found.strength == (None if torn else 1)


# ---------------------------------------------------------------- the file


def test_a_constitution_is_read_from_yaml(tmp_path: Path) -> None:
    file = tmp_path / "constitution.yaml"
    file.write_text(json.dumps({"endpoint": "http://h/v1", "model": "m", "principles": ["Be kind."]}))
    read = read_constitution(file)
    assert (read.principles, read.both_orders) == (("Be kind.",), True)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("model: m\nprinciples: [x]", "endpoint"),
        ("endpoint: h\nmodel: m\nprinciples: []", "principles"),
        ("endpoint: h\nmodel: m\nprinciples: [x]\nprinciple: y", "principle"),
        ("{", "cannot use"),
    ],
)
def test_a_bad_constitution_is_refused_by_name(tmp_path: Path, text: str, word: str) -> None:
    file = tmp_path / "constitution.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match=word):
        read_constitution(file)

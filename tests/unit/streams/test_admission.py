from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.admission import (
    MOST_BYTES,
    MOST_SKEW_MS,
    RawJudgment,
    RawOutput,
    RawSignal,
    Shown,
    TaskFacts,
    admit_output,
    admit_signal,
    canonical,
    is_held_out,
    is_sampled,
    judgment_hash,
    judgment_id,
    matching_rule,
    stamp_judgment,
)
from streams.content import RawMessage, RawPart
from streams.errors import InputError
from streams.events import Campaign, Part, Rule, Training

NOW = 1_790_000_000_000
CAMPAIGN = Campaign(name="default", version=3)
RECORDED = Campaign(name="old", version=1, mode="recorded")


def raw(**changes: Any) -> RawOutput:
    return RawOutput(**{"id": "o-1", "prompt": "What is a mutex?", "responses": ["A lock.", "A fish."], **changes})


def refusal(sent: RawOutput, campaign: Campaign = CAMPAIGN) -> InputError:
    with pytest.raises(InputError) as caught:
        admit_output(sent, campaign, NOW, "key:1")
    assert caught.value.mend
    return caught.value


def test_strings_become_parts_and_the_envelope_names_the_campaigns_version() -> None:
    output, words = admit_output(raw(), CAMPAIGN, NOW, "key:1")
    assert words.owner == output.output == "o-1"
    assert words.prompt[0].role == "user"
    assert words.responses == ((Part(text="A lock."),), (Part(text="A fish."),))
    assert (output.campaign_version, output.actor, output.occurred_at, output.ingested_at) == (3, "key:1", NOW, NOW)
    assert [response.length for response in output.responses] == [7, 7]
    assert output.prompt_length == len("What is a mutex?")


def test_a_string_and_its_long_form_are_the_same_content() -> None:
    long_form = raw(prompt=[RawMessage(role="user", content=[RawPart(text="What is a mutex?")])])
    short, long = (admit_output(sent, CAMPAIGN, NOW, "key:1")[0] for sent in (raw(), long_form))
    assert short.prompt_digest == long.prompt_digest
    assert short.content_hash == long.content_hash


def test_turns_and_parts_cannot_be_mistaken_for_each_other() -> None:
    two_turns = raw(prompt=[RawMessage(role="user", content="a"), RawMessage(role="user", content="b")])
    two_parts = raw(prompt=[RawMessage(role="user", content=[RawPart(text="a"), RawPart(text="b")])])
    digests = {
        admit_output(sent, CAMPAIGN, NOW, "k")[0].prompt_digest for sent in (two_turns, two_parts, raw(prompt="ab"))
    }
    assert len(digests) == 3


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": "Other?"},
        {"responses": ["A fish.", "A lock."]},
        {"tags": {"locale": "en"}},
        {"model": "m1"},
        {"trace": "t"},
        {"gold": "a"},
    ],
)
def test_other_content_has_another_hash(change: dict[str, Any]) -> None:
    first, other = (admit_output(sent, CAMPAIGN, NOW, "k")[0].content_hash for sent in (raw(), raw(**change)))
    assert first != other


def test_a_retry_may_stamp_the_time_anew() -> None:
    first, again = (admit_output(raw(time=time), CAMPAIGN, NOW, "k")[0] for time in (NOW - 5, NOW - 4))
    assert first.content_hash == again.content_hash


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": " \n\t"}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": "a\x00b"}, "prompt"),
        ({"prompt": "a\ud800b"}, "prompt"),
        ({"prompt": "ä" * (MOST_BYTES // 2 + 1)}, "prompt"),
        ({"responses": ["ok", ""]}, "responses[1]"),
        ({"responses": ["ok", "\x00"]}, "responses[1]"),
        ({"tags": {"a": "\x00"}}, "tags"),
        ({"id": "o\x00"}, "id, trace or model"),
        ({"time": NOW + MOST_SKEW_MS + 1}, "time"),
        ({"time": NOW * 1000}, "time"),
        ({"time": -1}, "time"),
        ({"gold": "a", "responses": ["one"]}, "gold"),
    ],
)
def test_bad_input_is_refused_by_its_field(change: dict[str, Any], field: str) -> None:
    assert refusal(raw(**change)).field == field


def test_a_clock_that_is_a_little_ahead_is_set_to_now() -> None:
    assert admit_output(raw(time=NOW + 60_000), CAMPAIGN, NOW, "k")[0].occurred_at == NOW


def test_text_of_exactly_the_limit_is_taken() -> None:
    responses = ["a", "b"]
    admit_output(raw(prompt="ä" * ((MOST_BYTES - 2) // 2), responses=responses), CAMPAIGN, NOW, "k")


def test_recorded_campaigns_take_empty_responses() -> None:
    output, _ = admit_output(raw(responses=["", ""]), RECORDED, NOW, "k")
    assert output.mode == "recorded"
    assert output.responses[0].digest == output.responses[1].digest


@pytest.mark.parametrize(
    "body",
    [
        b'{"prompt": "p", "responses": []}',
        b'{"prompt": "p", "responses": ["1","2","3","4","5","6","7","8","9"]}',
        b'{"prompt": "p", "responses": ["r"], "surprise": 1}',
        b'{"prompt": 7, "responses": ["r"]}',
        b'{"prompt": "p", "responses": ["r"], "gold": "left"}',
        b'{"prompt": "p", "responses": ["r"], "tags": {"": "x"}}',
        b'{"prompt": [{"role": "robot", "content": "x"}], "responses": ["r"]}',
    ],
)
def test_what_the_types_rule_out(body: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(body, type=RawOutput)


def test_a_million_tags_are_refused() -> None:
    tags = ",".join(f'"t{i}":"v"' for i in range(1_000_000))
    body = f'{{"prompt": "p", "responses": ["r"], "tags": {{{tags}}}}}'.encode()
    with pytest.raises(msgspec.ValidationError, match="length <= 64"):
        msgspec.json.decode(body, type=RawOutput)


# ---------------------------------------------------------------- rules, sampling, hold-out


def test_the_first_rule_that_matches_decides() -> None:
    rules = (
        Rule(match={"locale": ["de", "fr"], "domain": "law"}, overlap=7),
        Rule(match={"locale": "de"}, overlap=5),
    )
    assert matching_rule(rules, {"locale": "de", "domain": "law"}) == rules[0]
    assert matching_rule(rules, {"locale": "de"}) == rules[1]
    assert matching_rule(rules, {"locale": "en"}) is None


def test_what_no_rule_matches_is_kept_and_not_sampled() -> None:
    campaign = Campaign(name="c", version=1, rules=(Rule(match={"locale": "de"}),))
    assert not admit_output(raw(), campaign, NOW, "k")[0].sampled
    assert admit_output(raw(gold="a"), campaign, NOW, "k")[0].sampled


@given(st.text(min_size=1), st.floats(0, 1), st.floats(0, 1))
def test_sampling_is_stable_and_grows_with_the_rate(output: str, low: float, high: float) -> None:
    low, high = sorted((low, high))
    assert is_sampled(output, low) <= is_sampled(output, high)
    assert not is_sampled(output, 0.0)
    assert is_sampled(output, 1.0)


def test_shares_are_kept() -> None:
    assert 250 < sum(is_sampled(f"o-{i}", 0.3) for i in range(1000)) < 350


def test_hold_out_depends_on_the_prompt_alone() -> None:
    half = Campaign(name="c", version=1, training=Training(holdout_rate=0.5))
    for number in range(20):
        sent = [raw(id=str(i), prompt=f"p {number}", responses=[str(i), "x"]) for i in range(3)]
        outputs = [admit_output(one, half, NOW, "k")[0] for one in sent]
        assert len({output.holdout for output in outputs}) == 1
        assert outputs[0].holdout == is_held_out(outputs[0].prompt_digest, 0.5)


# ---------------------------------------------------------------- signals


def test_a_signal_with_an_edit_keeps_the_words_apart() -> None:
    sent = RawSignal(output="o-1", kind="edit", edit="A better answer.")
    signal, words, _ = admit_signal(sent, "default", NOW, "key:1", "s-1")
    assert words is not None
    assert words.owner == signal.signal == "s-1"
    assert words.responses == ((Part(text="A better answer."),),)


def test_an_edit_belongs_to_the_kind_edit() -> None:
    with pytest.raises(InputError, match="has no edit"):
        admit_signal(RawSignal(output="o", kind="retry", edit="x"), "default", NOW, "k", "s")


# ---------------------------------------------------------------- judgments

FACTS = TaskFacts(
    task="t",
    campaign="default",
    campaign_version=2,
    gold="b",
    prompt_length=5,
    length_a=3,
    length_b=4,
    mode="live",
    correlation="o-1",
)


def judged(swapped: bool = False, **changes: Any) -> Any:
    sent = RawJudgment(**{"task": "t", "choice": "left", **changes})
    shown = Shown(annotator="an_1", swapped=swapped)
    return stamp_judgment(sent, FACTS, shown, CAMPAIGN, NOW, "annotator:an_1")


@given(st.sampled_from(["left", "right", "tie"]), st.booleans())
def test_sides_are_canonical_whatever_was_shown(side: Any, swapped: bool) -> None:
    assert canonical(side, False) == {"left": "a", "right": "b", "tie": "tie"}[side]
    mirrored = {"left": "right", "right": "left", "tie": "tie"}[side]
    assert canonical(side, swapped) == canonical(mirrored, not swapped)  # type: ignore[arg-type]


def test_the_judgment_is_stamped_with_what_scoring_needs() -> None:
    judgment, words = judged(swapped=True, marks={"helpful": "right"}, flags=["unsure", "unsure"], reason="short")
    assert (judgment.choice, judgment.marks, judgment.flags) == ("b", {"helpful": "a"}, ("unsure",))
    assert (judgment.gold, judgment.length_a, judgment.length_b, judgment.swapped) == ("b", 3, 4, True)
    assert judgment.judgment == judgment.id == judgment_id("t", "an_1", 1)
    assert words is not None
    assert (words.owner, words.reason, judgment.reason_length) == (judgment.judgment, "short", 5)


def test_an_unknown_criterion_is_named() -> None:
    with pytest.raises(InputError, match="'polite' is no criterion") as caught:
        judged(marks={"polite": "left"})
    assert "helpful" in caught.value.mend


@pytest.mark.parametrize(
    ("shown_at", "answered_at", "expected"),
    [
        (NOW - 9_000, NOW - 1_000, (NOW - 9_000, NOW - 1_000)),
        (NOW + 51_000, NOW + 60_000, (NOW - 9_000, NOW)),  # a clock ahead: the time taken stays
        (None, None, (0, NOW)),
        (NOW - 1_000, NOW - 9_000, (0, NOW - 9_000)),  # shown after it was answered: unknown
    ],
)
def test_times(shown_at: int | None, answered_at: int | None, expected: tuple[int, int]) -> None:
    judgment, _ = judged(shown_at=shown_at, answered_at=answered_at)
    assert (judgment.shown_at, judgment.answered_at) == expected


def test_the_hash_is_of_what_was_said() -> None:
    first = RawJudgment(task="t", choice="left", answered_at=1)
    assert judgment_hash(first) == judgment_hash(RawJudgment(task="t", choice="left", answered_at=2))
    assert judgment_hash(first) != judgment_hash(RawJudgment(task="t", choice="right", answered_at=1))
    assert judgment_hash(first) != judgment_hash(RawJudgment(task="t", choice="left", strength=1))

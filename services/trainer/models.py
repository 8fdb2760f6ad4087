"""Models by name: a Hugging Face id or a folder, as a policy or as a reward model, and its tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from streams.errors import TrainingError

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def pick_device(name: str) -> str:
    """`auto` is the GPU where there is one; asking for a GPU that is not there is an error."""
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise TrainingError(f"device is {name!r}, but torch sees no GPU; set device to auto or cpu")
    return name


def fast_bfloat16(device: str) -> bool:
    """Whether bfloat16 is faster than float32 there: a GPU, or a CPU with instructions for it."""
    if device.startswith("cuda"):
        return bool(torch.cuda.is_bf16_supported())
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") or capabilities.get("bf16"))


def pick_dtype(name: str, device: str) -> torch.dtype:
    """`auto` is bfloat16 where that is fast and float32 elsewhere."""
    if name == "auto":
        return torch.bfloat16 if fast_bfloat16(device) else torch.float32
    return DTYPES[name]


def local_path(uri: str) -> str:
    """What `from_pretrained` takes: a folder's path, or a Hugging Face id as it is. `file://` is taken off."""
    path = uri.removeprefix("file://")
    if "://" in path:
        raise TrainingError(f"cannot load a model from {uri!r}; copy it to a folder and give the folder's path")
    if Path(path).is_dir() or not path.startswith((".", "/", "~")):
        return path
    raise TrainingError(f"there is no model folder {path!r}; give a folder that exists or a Hugging Face id")


def load_tokenizer(uri: str) -> Any:
    """The tokenizer, with a pad token that is not the end of turn (padding would mask it out of the loss)."""
    tokenizer = AutoTokenizer.from_pretrained(local_path(uri))
    if tokenizer.chat_template is None:
        raise TrainingError(f"the tokenizer of {uri!r} has no chat template; choose an instruction-tuned base model")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load(uri: str, *, dtype: torch.dtype = torch.float32, device: str = "cpu") -> tuple[Any, Any]:
    """The policy and its tokenizer from a folder or a Hugging Face id, in evaluation mode.

    Raises TrainingError where nothing loads.
    """
    return _pretrained(AutoModelForCausalLM, uri, dtype).to(device).eval(), load_tokenizer(uri)


def load_reward_model(uri: str, *, dtype: torch.dtype = torch.float32, device: str = "cpu") -> tuple[Any, Any]:
    """A sequence classifier with one output: the reward. Of a plain language model the head starts random."""
    tokenizer = load_tokenizer(uri)
    model = _pretrained(AutoModelForSequenceClassification, uri, dtype, num_labels=1)
    model.config.pad_token_id = tokenizer.pad_token_id
    return model.to(device).eval(), tokenizer


def _pretrained(kind: Any, uri: str, dtype: torch.dtype, **options: Any) -> Any:
    try:
        return kind.from_pretrained(local_path(uri), dtype=dtype, **options)
    except (OSError, ValueError) as error:
        raise TrainingError(f"cannot load the model {uri!r} ({error}); check the folder or the id") from error

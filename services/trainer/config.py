"""One typed, frozen configuration of a training run. Recipes (recipes/*.yaml) are values for it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import yaml

from streams.errors import SettingsError
from streams.mismatch import explained

RECIPES = Path(__file__).parent / "recipes"

Positive = Annotated[int, msgspec.Meta(ge=1)]
Natural = Annotated[int, msgspec.Meta(ge=0)]
Rate = Annotated[float, msgspec.Meta(gt=0)]
Device = Annotated[str, msgspec.Meta(pattern=r"^(auto|cpu|cuda(:\d+)?)$")]
Weight = Annotated[float, msgspec.Meta(ge=0)]


class TrainingConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything a run depends on beside its dataset and its parent model."""

    # where it starts and what it runs on
    base_model: str = ""  # Hugging Face id or folder; used where the campaign has no champion yet
    device: Device = "auto"  # auto: the GPU where there is one, else the CPU
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"  # of the weights; auto: bfloat16 where it is fast
    threads: Natural = 0  # CPU threads of torch; 0 leaves torch's own choice
    seed: Natural = 0  # of everything random

    # what is trained
    lora: bool = True  # adapters on frozen weights; false trains all weights
    lora_rank: Positive = 16
    lora_alpha: Positive = 32  # the adapter's output is scaled by alpha / rank
    lora_targets: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")

    # how the policy is trained
    learning_rate: Rate = 5e-5  # at the peak; linear warm-up, then linear to 0
    warmup_ratio: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.1  # share of the steps
    epochs: Rate = 1.0  # passes over the training pairs, where max_steps is 0
    max_steps: Natural = 0  # optimiser steps; 0 goes by epochs
    batch_size: Positive = 8  # pairs on the device at once
    gradient_accumulation: Positive = 1  # batches summed into one optimiser step
    max_length: Annotated[int, msgspec.Meta(ge=8)] = 1024  # tokens, prompt and response; longer pairs are left out
    gradient_checkpointing: bool = False  # less memory, about a third slower
    precompute_ref: bool = True  # reference log-probabilities once, before training
    save_steps: Positive = 50  # a checkpoint to resume from, every so many steps

    # the loss
    beta: Rate = 0.1  # how strongly the policy is held to the reference
    length_normalised: bool = False  # log-ratios a token instead of a response; wants a beta 10 to 50 times larger
    nll_weight: Weight = 0.0  # adds this times the negative log-likelihood a token of the chosen response
    pair_weight: Literal["uniform", "confidence"] = "uniform"  # confidence: |2p - 1|, so that unsure pairs count less
    ties: Literal["use", "skip"] = "use"  # for the policy; the reward model always learns from ties

    # the reward model
    reward_model: bool = True
    reward_learning_rate: Rate = 1e-4
    reward_epochs: Rate = 1.0
    reward_max_steps: Natural = 0  # 0 goes by reward_epochs
    reward_batch_size: Positive = 8

    # the evaluation
    evaluation_batch_size: Positive = 16
    over_refusal_prompts: str = ""  # CSV file in XSTest's format (id,prompt,type,label,...); "" measures nothing
    over_refusal_limit: Natural = 0  # so many safe and so many unsafe prompts, spread over the file; 0 is all
    refusal_tokens: Positive = 24  # a refusal shows in a response's first words
    kl_prompts: Natural = 16  # held-out prompts sampled for the KL estimate; 0 measures none
    kl_tokens: Positive = 48  # longest sample for it


def load_config(overrides: Mapping[str, Any] | None = None) -> TrainingConfig:
    """The recipe named by `overrides["recipe"]` (a name in recipes/ or a YAML file; default `default`), overridden.

    Raises SettingsError, which names key, value and what is allowed.
    """
    values = dict(overrides or {})
    recipe = read_recipe(str(values.pop("recipe", "default")))
    merged = {**recipe, **values}
    try:
        return msgspec.convert(merged, TrainingConfig, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(_explain(explained(error, TrainingConfig), merged)) from error


def read_recipe(name: str) -> dict[str, Any]:
    """The values of a recipe, by its name or by the path of a YAML file."""
    path = Path(name) if name.endswith((".yaml", ".yml")) else RECIPES / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in RECIPES.glob("*.yaml")))
        raise SettingsError(f"recipe = {name!r}: there is no such recipe; allowed: {known}, or the path of a YAML file")
    values = yaml.safe_load(path.read_text("utf-8")) or {}
    if not isinstance(values, dict):
        raise SettingsError(f"recipe {path} is not a table of settings; write one `key: value` a line")
    return values


def _explain(message: str, values: Mapping[str, Any]) -> str:
    """`training.beta = -1: Expected float > 0.0` out of msgspec's `Expected float > 0.0 - at $.beta`."""
    allowed, _, path = message.partition(" - at `$.")
    key = path.rstrip("`").split("[")[0]
    if key:
        return f"training.{key} = {values.get(key)!r}: {allowed.replace('`', '')}"
    known = ", ".join(TrainingConfig.__struct_fields__)
    return f"training: {message.replace('`', '')}; allowed keys: {known}"

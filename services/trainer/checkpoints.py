"""What both trainings share: arguments for TRL, adapters, progress, and resuming after a kill."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig
from transformers import TrainerCallback

from services.trainer.config import TrainingConfig

Report = Callable[[str, int, int, dict[str, float]], None]  # stage, step, steps, metrics; may raise to stop the run


def silent(stage: str, step: int, steps: int, metrics: dict[str, float]) -> None:
    """A Report that tells nobody."""


class ProgressCallback(TrainerCallback):  # type: ignore[misc]
    """Passes every step's metrics on; what the report raises stops the training."""

    def __init__(self, stage: str, report: Report) -> None:
        self.stage, self.report = stage, report

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        """Called by transformers after each logged step."""
        metrics = _numbers(logs or {})
        if "loss" in metrics:  # the summary at the end has none
            self.report(self.stage, int(state.global_step), int(state.max_steps), metrics)


def curve(trainer: Any) -> list[dict[str, float]]:
    """The metrics of every step, those before a kill included: transformers keeps them in its checkpoints."""
    return [_numbers(entry) for entry in trainer.state.log_history if "loss" in entry]


def _numbers(entry: dict[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in entry.items() if isinstance(value, int | float)}


def lora(config: TrainingConfig, task: str, **options: Any) -> LoraConfig | None:
    """The adapter's configuration, or None where all weights are trained."""
    if not config.lora:
        return None
    return LoraConfig(
        r=config.lora_rank,
        lora_alpha=config.lora_alpha,
        target_modules=list(config.lora_targets),
        task_type=task,
        **options,
    )


def common_arguments(config: TrainingConfig, folder: Path, *, device: str, mixed: bool) -> dict[str, Any]:
    """The arguments of TRL's configurations that a policy and a reward model share.

    `mixed` trains float32 weights with bfloat16 arithmetic; adapters on bfloat16 weights need no such thing.
    """
    return {
        "output_dir": str(folder),
        "seed": config.seed,
        "data_seed": config.seed,
        "gradient_accumulation_steps": config.gradient_accumulation,
        "activation_checkpointing": config.gradient_checkpointing,  # transformers 5.23 renamed it
        "warmup_steps": config.warmup_ratio,  # transformers 5 reads a value below 1 as a share of the steps
        "lr_scheduler_type": "linear",
        "max_length": config.max_length,
        "bf16": mixed,
        "use_cpu": device == "cpu",
        "dataloader_pin_memory": device != "cpu",
        "logging_steps": 1,
        "save_steps": config.save_steps,
        "save_total_limit": 2,
        "report_to": "none",
        "disable_tqdm": True,
    }


def weights_dtype(config: TrainingConfig, dtype: torch.dtype) -> tuple[torch.dtype, bool]:
    """The dtype the weights are loaded in, and whether arithmetic is mixed.

    Frozen weights may be bfloat16; weights that are trained stay float32, or small updates would be lost.
    """
    return (dtype, False) if config.lora else (torch.float32, dtype is torch.bfloat16)


def last_checkpoint(folder: Path) -> str | None:
    """The newest complete checkpoint, or None. Torn ones, which a kill leaves, are removed.

    transformers writes `trainer_state.json` last, so a checkpoint where it reads is whole.
    """
    whole = []
    for checkpoint in folder.glob("checkpoint-*"):
        if _is_whole(checkpoint):
            whole.append((int(checkpoint.name.split("-")[1]), checkpoint))
        else:
            shutil.rmtree(checkpoint)
    return str(max(whole)[1]) if whole else None


def _is_whole(checkpoint: Path) -> bool:
    try:
        return bool(json.loads((checkpoint / "trainer_state.json").read_text("utf-8")))
    except (OSError, json.JSONDecodeError):
        return False

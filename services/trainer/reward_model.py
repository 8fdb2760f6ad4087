"""The reward model: TRL's trainer with Bradley-Terry on the posterior, ties included."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from torch import Tensor
from transformers import PrinterCallback
from trl import RewardConfig, RewardTrainer
from trl.trainer.reward_trainer import DataCollatorForPreference

from services.trainer.checkpoints import (
    ProgressCallback,
    Report,
    common_arguments,
    curve,
    last_checkpoint,
    lora,
    silent,
    weights_dtype,
)
from services.trainer.config import TrainingConfig
from services.trainer.dataset import Pair
from services.trainer.losses import bradley_terry
from services.trainer.models import load_reward_model, pick_device, pick_dtype


class SoftRewardCollator(DataCollatorForPreference):  # type: ignore[misc]
    """Carries p of each pair into the batch."""

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        """TRL's batch, and a float tensor p [pairs]."""
        batch: dict[str, Any] = super().torch_call(examples)
        batch["p"] = torch.tensor([example["p"] for example in examples], dtype=torch.float32)
        return batch


class SoftRewardTrainer(RewardTrainer):  # type: ignore[misc]
    """A reward model whose label is p = P(chosen is better), a tie counted half."""

    def _set_signature_columns_if_needed(self) -> None:
        super()._set_signature_columns_if_needed()
        if "p" not in self._signature_columns:
            self._signature_columns.append("p")

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The mean loss of a batch; `inputs` as SoftRewardCollator makes them, rewards [2 x pairs]."""
        inputs = dict(inputs)
        p = inputs.pop("p")
        outputs = model(**inputs, use_cache=False)
        chosen, rejected = outputs.logits.float().squeeze(-1).chunk(2)
        loss = bradley_terry(chosen, rejected, p).mean()
        self._log_rewards(chosen.detach(), rejected.detach(), p)
        return (loss, outputs) if return_outputs else loss

    def _log_rewards(self, chosen: Tensor, rejected: Tensor, p: Tensor) -> None:
        metrics = self._metrics["train" if self.model.training else "eval"]
        metrics["margin"].append((chosen - rejected).mean().item())
        decided = p != 0.5
        if decided.any():
            metrics["accuracy"].append(((chosen > rejected) == (p > 0.5))[decided].float().mean().item())

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """No card a checkpoint: the run's manifest says more."""


def train_reward_model(
    config: TrainingConfig, pairs: Sequence[Pair], base: str, folder: Path, report: Report = silent
) -> tuple[Path, list[dict[str, float]]]:
    """Train a reward model on `base` and save it, merged, under `folder`/trained. Returns that path and the curve.

    Called again after a kill, it goes on from the last checkpoint in `folder`.
    """
    device = pick_device(config.device)
    dtype, mixed = weights_dtype(config, pick_dtype(config.dtype, device))
    torch.manual_seed(config.seed)  # the head starts random
    model, tokenizer = load_reward_model(base, dtype=dtype, device=device)
    trainer = SoftRewardTrainer(
        model=model,
        args=_arguments(config, folder, device=device, mixed=mixed),
        train_dataset=Dataset.from_list([_columns(pair) for pair in pairs]),
        processing_class=tokenizer,
        data_collator=SoftRewardCollator(pad_token_id=tokenizer.pad_token_id),
        peft_config=lora(config, "SEQ_CLS", modules_to_save=["score"]),
        callbacks=[ProgressCallback("reward_model", report)],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train(resume_from_checkpoint=last_checkpoint(folder))
    return _save(trainer, tokenizer, folder / "trained"), curve(trainer)


def _save(trainer: SoftRewardTrainer, tokenizer: Any, target: Path) -> Path:
    model = trainer.accelerator.unwrap_model(trainer.model)
    merged = model.merge_and_unload() if hasattr(model, "merge_and_unload") else model
    merged.save_pretrained(target)
    tokenizer.save_pretrained(target)
    return target


def _arguments(config: TrainingConfig, folder: Path, *, device: str, mixed: bool) -> RewardConfig:
    return RewardConfig(
        **common_arguments(config, folder, device=device, mixed=mixed),
        learning_rate=config.reward_learning_rate,
        per_device_train_batch_size=config.reward_batch_size,
        num_train_epochs=config.reward_epochs,
        max_steps=config.reward_max_steps or -1,
    )


def _columns(pair: Pair) -> dict[str, Any]:
    return {"prompt": pair.prompt, "chosen": pair.chosen, "rejected": pair.rejected, "p": pair.p}

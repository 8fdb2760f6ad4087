"""DPO on people's posterior: TRL's trainer with each pair's probability as its soft label.

TRL 1.16 has neither soft labels nor weights of pairs (its `label_smoothing` is ignored by the sigmoid loss), so
SoftDPOTrainer takes the loss over. It leans on private parts of TRL: tests/unit/services/trainer/test_dpo.py
compares it with the stock loss at p = 1.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import PeftModel
from torch import Tensor
from transformers import AutoModelForCausalLM, PrinterCallback
from trl import DPOConfig, DPOTrainer
from trl.trainer.dpo_trainer import DataCollatorForPreference

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
from services.trainer.losses import confidence, nll_per_token, soft_dpo, weighted_mean
from services.trainer.models import load, load_tokenizer, local_path, pick_device, pick_dtype
from services.trainer.scoring import response_log_probabilities

LABELS = ("p", "weight")


class SoftCollator(DataCollatorForPreference):  # type: ignore[misc]
    """Carries p and weight of each pair into the batch."""

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        """TRL's batch, and two float tensors [pairs]."""
        batch: dict[str, Any] = super().torch_call(examples)
        for name in LABELS:
            batch[name] = torch.tensor([example[name] for example in examples], dtype=torch.float32)
        return batch


class SoftDPOTrainer(DPOTrainer):  # type: ignore[misc]
    """DPO whose label is p = P(chosen is better), with optional length normalisation and NLL term."""

    def __init__(self, *, config: TrainingConfig, **options: Any) -> None:
        self.recipe = config
        super().__init__(**options)

    def _set_signature_columns_if_needed(self) -> None:
        super()._set_signature_columns_if_needed()
        self._signature_columns += [name for name in LABELS if name not in self._signature_columns]

    def compute_ref_log_probs(self, model: Any, inputs: dict[str, Any]) -> tuple[Tensor, Tensor]:
        """Sums over the response of log reference, shapes [pairs] each: the parent is the model without its adapter."""
        trained = self.accelerator.unwrap_model(self.model)
        adapter = trained.disable_adapter() if isinstance(trained, PeftModel) else contextlib.nullcontext()
        with torch.no_grad(), adapter:
            return self._log_probabilities(model, inputs)

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Tensor:
        """The mean loss of a batch; `inputs` as SoftCollator makes them."""
        inputs = dict(inputs)
        p, weight = inputs.pop("p"), inputs.pop("weight")
        chosen, rejected = self._log_probabilities(model, inputs)
        reference_chosen, reference_rejected = self._reference(inputs)
        chosen_ratio, rejected_ratio = chosen - reference_chosen, rejected - reference_rejected
        chosen_length, rejected_length = inputs["completion_mask"].sum(1).chunk(2)
        if self.recipe.length_normalised:
            chosen_ratio = chosen_ratio / chosen_length.clamp(min=1)
            rejected_ratio = rejected_ratio / rejected_length.clamp(min=1)
        losses = soft_dpo(chosen_ratio, rejected_ratio, p, self.beta)
        if self.recipe.nll_weight:
            losses = losses + self.recipe.nll_weight * nll_per_token(chosen, chosen_length)
        self._log_rewards(chosen_ratio.detach(), rejected_ratio.detach(), p)
        return weighted_mean(losses, weight)

    def _log_probabilities(self, model: Any, inputs: dict[str, Any]) -> tuple[Tensor, Tensor]:
        """Sums over the response of log policy, shapes [pairs] each, chosen then rejected."""
        ids, completion = inputs["input_ids"], inputs["completion_mask"]
        if ids.is_cuda:  # TRL's head never holds all logits, which saves the memory that bounds the batch there
            labels = ids.masked_fill(completion == 0, -100)
            output = model(
                input_ids=ids,
                attention_mask=inputs["attention_mask"],
                labels=labels,
                use_cache=False,
                fused_lm_head=True,
            )
            sums = output.log_probs.float().sum(1)
        else:  # without its Triton kernels that head takes half of the whole step
            sums = response_log_probabilities(model, ids, inputs["attention_mask"], completion)
        chosen, rejected = sums.chunk(2)
        return chosen, rejected

    def _reference(self, inputs: dict[str, Any]) -> tuple[Tensor, Tensor]:
        if self.precompute_ref_logps:
            return inputs["ref_chosen_logps"], inputs["ref_rejected_logps"]
        return self.compute_ref_log_probs(self.ref_model or self.model, inputs)

    def _log_rewards(self, chosen_ratio: Tensor, rejected_ratio: Tensor, p: Tensor) -> None:
        """Accuracy is against what people prefer: the response with the larger p; pairs at 1/2 say nothing."""
        margin = self.beta * (chosen_ratio - rejected_ratio)
        decided = p != 0.5
        metrics = self._metrics["train" if self.model.training else "eval"]
        metrics["margin"].append(margin.mean().item())
        metrics["reward_chosen"].append((self.beta * chosen_ratio).mean().item())
        metrics["reward_rejected"].append((self.beta * rejected_ratio).mean().item())
        if decided.any():
            metrics["accuracy"].append(((margin > 0) == (p > 0.5))[decided].float().mean().item())

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """No card a checkpoint: the run's manifest says more."""


def train_policy(
    config: TrainingConfig, pairs: Sequence[Pair], parent: str, folder: Path, report: Report = silent
) -> list[dict[str, float]]:
    """Train a fresh adapter (or all weights) on `parent` and save it under `folder`/trained. Returns the curve.

    The reference is the parent itself. Called again after a kill, it goes on from the last checkpoint in `folder`.
    """
    trainer = build_trainer(config, pairs, parent, folder, report)
    trainer.train(resume_from_checkpoint=last_checkpoint(folder))
    trainer.save_model(str(folder / "trained"))
    return curve(trainer)


def build_trainer(
    config: TrainingConfig, pairs: Sequence[Pair], parent: str, folder: Path, report: Report = silent
) -> SoftDPOTrainer:
    """The trainer, its reference log-probabilities computed, ready to train."""
    device = pick_device(config.device)
    dtype, mixed = weights_dtype(config, pick_dtype(config.dtype, device))
    model, tokenizer = load(parent, dtype=dtype, device=device)
    trainer = SoftDPOTrainer(
        config=config,
        model=model,
        args=_arguments(config, folder, device=device, mixed=mixed),
        train_dataset=Dataset.from_list([_columns(config, pair) for pair in pairs]),
        processing_class=tokenizer,
        data_collator=SoftCollator(pad_token_id=tokenizer.pad_token_id, max_length=config.max_length),
        peft_config=lora(config, "CAUSAL_LM"),
        callbacks=[ProgressCallback("dpo", report)],
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _arguments(config: TrainingConfig, folder: Path, *, device: str, mixed: bool) -> DPOConfig:
    return DPOConfig(
        **common_arguments(config, folder, device=device, mixed=mixed),
        beta=config.beta,
        learning_rate=config.learning_rate,
        per_device_train_batch_size=config.batch_size,
        num_train_epochs=config.epochs,
        max_steps=config.max_steps or -1,
        precompute_ref_log_probs=config.precompute_ref,
    )


def _columns(config: TrainingConfig, pair: Pair) -> dict[str, Any]:
    weight = 1.0
    if config.pair_weight == "confidence":
        weight = float(confidence(torch.tensor(pair.p)))
    return {"prompt": pair.prompt, "chosen": pair.chosen, "rejected": pair.rejected, "p": pair.p, "weight": weight}


def merge(config: TrainingConfig, parent: str, folder: Path, target: Path) -> None:
    """Write the trained policy as one plain folder of weights and tokenizer, which `load` takes.

    An adapter is merged into the parent's weights in the precision they are stored in, not the one they were trained
    in: merging in bfloat16 would round most of a small adapter away.
    """
    trained = folder / "trained"
    if config.lora:
        base = AutoModelForCausalLM.from_pretrained(local_path(parent), dtype="auto")
        model = PeftModel.from_pretrained(base, str(trained)).merge_and_unload()
    else:
        model = AutoModelForCausalLM.from_pretrained(str(trained), dtype="auto")
    model.save_pretrained(target)
    load_tokenizer(parent).save_pretrained(target)

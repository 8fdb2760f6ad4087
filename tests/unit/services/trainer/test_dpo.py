"""TRL is imported here and in test_training alone: it takes seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from trl import DPOTrainer

from services.trainer.checkpoints import last_checkpoint
from services.trainer.config import load_config
from services.trainer.dataset import Pair
from services.trainer.dpo import build_trainer, merge, train_policy
from services.trainer.models import load
from services.trainer.reward_model import train_reward_model
from services.trainer.scoring import log_probability_per_token

# Peft 0.21 still asks transformers 5.23 by the old name.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
CONFIG = load_config({"recipe": "tiny"})


class StoppedError(Exception):
    pass


def certain(pairs: list[Pair]) -> list[Pair]:
    return [msgspec.structs.replace(pair, p_a=1.0, p_b=0.0, probability=1.0) for pair in pairs]


def batch_of(trainer: Any, size: int = 4) -> dict[str, Any]:
    dataset = trainer.train_dataset
    return dict(trainer.data_collator([dataset[number] for number in range(size)]))


def losses(curve: list[dict[str, float]]) -> list[float]:
    return [point["loss"] for point in curve]


@pytest.mark.parametrize("precompute", [True, False])
def test_with_p_one_the_loss_is_stock_trl(tiny: str, pairs: list[Pair], tmp_path: Path, precompute: bool) -> None:
    config = msgspec.structs.replace(CONFIG, precompute_ref=precompute)
    trainer = build_trainer(config, certain(pairs), tiny, tmp_path)
    torch.manual_seed(0)
    for name, weight in trainer.model.named_parameters():
        if "lora_B" in name:  # starts at 0, where every loss is log 2
            torch.nn.init.normal_(weight, std=0.3)
    inputs = batch_of(trainer)

    ours = trainer.compute_loss(trainer.model, dict(inputs))
    stock = DPOTrainer.compute_loss(
        trainer, trainer.model, {k: v for k, v in inputs.items() if k not in ("p", "weight")}
    )

    assert abs(stock.item() - 0.6931) > 0.01
    assert ours.item() == pytest.approx(stock.item(), rel=1e-5)


def test_the_posterior_reaches_the_loss(tiny: str, pairs: list[Pair], tmp_path: Path) -> None:
    split = [msgspec.structs.replace(pair, p_a=0.5, p_b=0.5) for pair in pairs]
    trainer = build_trainer(CONFIG, split, tiny, tmp_path)

    loss = trainer.compute_loss(trainer.model, batch_of(trainer))
    loss.backward()  # type: ignore[no-untyped-call]
    gradients = [w.grad for n, w in trainer.model.named_parameters() if "lora_B" in n]

    assert all(g is not None and g.abs().max() < 1e-6 for g in gradients)  # nothing is learned where people are split


@pytest.mark.parametrize(
    "variant", [{"length_normalised": True, "beta": 2.0}, {"nll_weight": 0.5}, {"pair_weight": "confidence"}]
)
def test_the_variants_train(tiny: str, pairs: list[Pair], tmp_path: Path, variant: dict[str, Any]) -> None:
    mixed = [*pairs[:4], *(msgspec.structs.replace(pair, p_a=0.5, p_b=0.5) for pair in pairs[4:])]

    curve = train_policy(load_config({"recipe": "tiny", **variant}), mixed, tiny, tmp_path)

    assert len(curve) == 4
    assert all(abs(loss) < 20 for loss in losses(curve))


def test_training_moves_the_policy_the_way_people_prefer(tiny: str, pairs: list[Pair], tmp_path: Path) -> None:
    config = msgspec.structs.replace(CONFIG, max_steps=12, save_steps=100)
    train_policy(config, pairs, tiny, tmp_path)
    merge(config, tiny, tmp_path, tmp_path / "model")

    def margin(uri: str) -> float:
        model, tokenizer = load(uri)
        prompts = [pair.prompt for pair in pairs]
        chosen = log_probability_per_token(model, tokenizer, prompts, [pair.chosen for pair in pairs], 4)
        rejected = log_probability_per_token(model, tokenizer, prompts, [pair.rejected for pair in pairs], 4)
        return sum(chosen) - sum(rejected)

    assert margin(str(tmp_path / "model")) > margin(tiny) + 0.1


def test_all_weights_can_be_trained(tiny: str, pairs: list[Pair], tmp_path: Path) -> None:
    config = msgspec.structs.replace(CONFIG, lora=False, max_steps=1, learning_rate=1e-2)
    train_policy(config, pairs, tiny, tmp_path)
    merge(config, tiny, tmp_path, tmp_path / "model")
    before, after = load(tiny)[0], load(str(tmp_path / "model"))[0]

    assert not torch.equal(before.model.embed_tokens.weight, after.model.embed_tokens.weight)


def stopping_at(step: int) -> Any:
    def report(stage: str, at: int, steps: int, metrics: dict[str, float]) -> None:
        if at == step:
            raise StoppedError

    return report


def test_killed_and_resumed_the_losses_are_the_same(tiny: str, pairs: list[Pair], tmp_path: Path) -> None:
    whole = train_policy(CONFIG, pairs, tiny, tmp_path / "whole")
    with pytest.raises(StoppedError):
        train_policy(CONFIG, pairs, tiny, tmp_path / "torn", stopping_at(3))
    assert last_checkpoint(tmp_path / "torn") == str(tmp_path / "torn" / "checkpoint-2")

    resumed = train_policy(CONFIG, pairs, tiny, tmp_path / "torn")

    assert [point["step"] for point in resumed] == [1.0, 2.0, 3.0, 4.0]
    assert losses(resumed) == pytest.approx(losses(whole), rel=1e-6)


def test_killed_after_the_last_step_nothing_is_trained_again(tiny: str, pairs: list[Pair], tmp_path: Path) -> None:
    whole = train_policy(CONFIG, pairs, tiny, tmp_path)
    told: list[int] = []

    again = train_policy(CONFIG, pairs, tiny, tmp_path, lambda stage, step, steps, metrics: told.append(step))

    assert again == whole
    assert told == []


def test_the_same_seed_gives_the_same_losses_and_another_seed_others(
    tiny: str, pairs: list[Pair], tmp_path: Path
) -> None:
    first, second, other = (
        losses(train_policy(msgspec.structs.replace(CONFIG, seed=seed), pairs, tiny, tmp_path / name))
        for seed, name in ((1, "a"), (1, "b"), (2, "c"))
    )

    assert first == second
    assert first != other


def test_the_reward_model_learns_and_resumes(tiny: str, pairs: list[Pair], tmp_path: Path) -> None:
    config = msgspec.structs.replace(CONFIG, reward_max_steps=8)
    _, whole = train_reward_model(config, pairs, tiny, tmp_path / "whole")
    with pytest.raises(StoppedError):
        train_reward_model(config, pairs, tiny, tmp_path / "torn", stopping_at(5))
    path, resumed = train_reward_model(config, pairs, tiny, tmp_path / "torn")

    assert losses(whole)[-1] < losses(whole)[0]
    assert losses(resumed) == pytest.approx(losses(whole), rel=1e-6)
    assert (path / "config.json").is_file()


def test_a_torn_checkpoint_is_passed_over(tmp_path: Path) -> None:
    for step, state in ((5, '{"global_step": 5}'), (10, '{"global_st'), (15, None)):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        if state:
            (folder / "trainer_state.json").write_text(state)

    assert last_checkpoint(tmp_path) == str(tmp_path / "checkpoint-5")
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-5"]

"""What reward models say of pairs that they were not trained on: people's judgments are compared with it.

The run's own reward model scores the held-out pairs, its parent's scores the training pairs that are new in this run.
Both are made calibrated on held-out pairs by a temperature (Guo et al. 2017, section 4.2); where these are too few to
tell, nothing is scored. What is made of it: streams/quality/disagreement.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import msgspec

from services.trainer.artifacts import read_manifest
from services.trainer.calibration import temperature
from services.trainer.config import TrainingConfig
from services.trainer.dataset import Pair
from services.trainer.dataset import read as read_dataset
from services.trainer.evaluation import decided, score_sides
from services.trainer.models import load_reward_model, pick_device, pick_dtype
from services.trainer.scoring import rewards

FEW = 20  # decided held-out pairs below which no temperature can be told


class PairScore(msgspec.Struct, frozen=True, kw_only=True):
    """What a reward model says of a pair. `probability`: that canonical a is better."""

    task: str
    probability: float


def name_of(run: str) -> str:
    """What a run's reward model is called in the log."""
    return f"rm-{run}"


def score_unseen(
    config: TrainingConfig,
    run: str,
    reward_model: str,
    parent: Path | None,
    train: Sequence[Pair],
    holdout: Sequence[Pair],
) -> dict[str, list[PairScore]]:
    """Reward model -> its scores. `reward_model` is the run's own folder ("": none), `parent` the champion's folder."""
    found = {}
    if reward_model:
        found[name_of(run)] = scored(config, reward_model, holdout, holdout)
    earlier = read_manifest(parent) if parent else None
    if earlier and earlier.get("reward_model") and Path(earlier["reward_model"]).is_dir():
        known = {pair.task for pair in read_dataset(Path(earlier["dataset"]["folder"])).train}
        new = [pair for pair in train if pair.task not in known]
        found[name_of(earlier["run"])] = scored(config, earlier["reward_model"], new, holdout)
    return {name: scores for name, scores in found.items() if scores}


def scored(config: TrainingConfig, uri: str, pairs: Sequence[Pair], holdout: Sequence[Pair]) -> list[PairScore]:
    """The pairs as this reward model sees them, calibrated on the held-out ones; none where those are too few."""
    measured = decided(holdout)
    if len(measured) < FEW or not pairs:
        return []
    device = pick_device(config.device)
    model, tokenizer = load_reward_model(uri, dtype=pick_dtype(config.dtype, device), device=device)

    def margins(of: Sequence[Pair]) -> list[float]:
        both = score_sides(of, lambda p, r: rewards(model, tokenizer, p, r, config.evaluation_batch_size))
        return [chosen - rejected for chosen, rejected in both]

    warmth = temperature(margins(measured), [pair.p for pair in measured])
    return [
        PairScore(task=pair.task, probability=probability(pair, margin / warmth))
        for pair, margin in zip(pairs, margins(pairs), strict=True)
    ]


def probability(pair: Pair, margin: float) -> float:
    """P(canonical a is better) where the chosen response is ahead by this margin, in nats. Of a tie a is chosen."""
    p_chosen = 1.0 / (1.0 + math.exp(-max(-50.0, min(50.0, margin))))
    return round(1.0 - p_chosen if pair.verdict == "b" else p_chosen, 6)

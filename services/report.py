"""The evaluation report: written by the trainer, read by the gate. One schema for both."""

from __future__ import annotations

from streams.events import Struct


class Holdout(Struct, frozen=True, kw_only=True):
    """Held-out preference pairs, ranked by new model and champion in the same run (paired)."""

    pairs: int = 0
    new_correct: int = 0  # the log-probability a token under the new policy ranks the pair as people did
    champion_correct: int = 0
    only_new_correct: int = 0
    only_champion_correct: int = 0


class OverRefusal(Struct, frozen=True, kw_only=True):
    """Refusals on prompts that look unsafe and are safe (and on unsafe ones), of both models."""

    safe_prompts: int = 0
    new_refused_safe: int = 0
    champion_refused_safe: int = 0
    unsafe_prompts: int = 0
    new_refused_unsafe: int = 0
    champion_refused_unsafe: int = 0


class Samples(Struct, frozen=True, kw_only=True):
    """Answers that both models sampled to the same held-out prompts, one each."""

    prompts: int = 0
    new_empty: int = 0  # answers without a letter or digit
    champion_empty: int = 0
    new_length: float = 0.0  # mean characters an answer, stripped
    champion_length: float = 0.0


class RewardModelReport(Struct, frozen=True, kw_only=True):
    """The reward model on held-out pairs."""

    pairs: int = 0
    accuracy: float = 0.0
    calibration_error: float = 0.0  # expected calibration error, 10 equal-mass bins
    length_correlation: float = 0.0  # Spearman of reward and response length


class EvaluationReport(Struct, frozen=True, kw_only=True):
    """What is known of a checkpoint."""

    holdout: Holdout = Holdout()
    over_refusal: OverRefusal = OverRefusal()
    kl: float | None = None  # nats a response, new policy to the reference model, on held-out prompts
    reward_model: RewardModelReport | None = None
    slices: dict[str, Holdout] = {}  # "tag=value" -> the same, for the slices with pairs
    train_pairs: int = 0
    skipped_pairs: int = 0  # too long and the like; never silent
    seconds: float = 0.0
    samples: Samples = Samples()

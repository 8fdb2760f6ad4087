"""Batches, runs, models and what became of them."""

from __future__ import annotations

from typing import Any, Literal

from streams.events.envelope import Event


class Score(Event, frozen=True, kw_only=True):
    """Topic `scores` (key = task): what a reward model that was not trained on the task says of it."""

    task: str
    model: str  # the reward model
    probability: float  # that canonical a is the better response, as calibrated as its sender made it


class Batch(Event, frozen=True, kw_only=True):
    """Topic `batches` (key = campaign): a dataset's members, by task and revision, cut at recorded offsets."""

    batch: str  # digest of campaign and members
    members: tuple[tuple[str, int], ...]  # (task, preference revision)
    holdout: tuple[tuple[str, int], ...] = ()
    refined: tuple[tuple[float, float, float] | None, ...] = ()  # posteriors of members, then holdout; None: as decided
    offsets: dict[str, int] = {}  # topic -> offset the view had reached
    reason: str = ""


class RunUpdate(Event, frozen=True, kw_only=True):
    """Topic `run_updates` (key = campaign): the life of a training run."""

    run: str
    batch: str
    status: Literal["requested", "claimed", "progress", "finished", "failed"]
    trainer: str = ""
    base_model: str = ""
    parent: str = ""  # the champion it starts from; "" is the base model
    config: dict[str, Any] = {}
    step: int = 0
    steps: int = 0
    stage: str = ""  # dataset, reward_model, dpo, evaluation
    metrics: dict[str, float] = {}
    error: str = ""


class Checkpoint(Event, frozen=True, kw_only=True):
    """Topic `checkpoints` (key = campaign): a trained model with its report."""

    model: str
    run: str
    batch: str
    parent: str
    uri: str
    report: dict[str, Any] = {}
    manifest: dict[str, Any] = {}


class Promotion(Event, frozen=True, kw_only=True):
    """Topic `promotions` (key = campaign): a decision with its reasons."""

    model: str  # the model decided about; for a rollback the one that becomes champion again
    decision: Literal["promoted", "rejected", "rolled_back"]
    previous: str = ""  # champion before
    reasons: tuple[str, ...] = ()
    override: bool = False  # a person decided against the gate
    by: str = "gate"

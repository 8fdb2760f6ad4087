"""A run from its pairs to a model with a report: dataset, reward model, policy, evaluation.

Every stage ends by writing its manifest. A stage whose manifest is there is not done again, so a run that was
killed goes on where it was: inside a training from the last checkpoint, elsewhere from the stage's beginning.

    ARTIFACTS/datasets/HASH/   train.parquet, holdout.parquet, manifest.json
    ARTIFACTS/runs/RUN/        dataset/, reward_model/, dpo/, scores/, each with a manifest.json; trained weights
    ARTIFACTS/models/MODEL/    weights and tokenizer, as `from_pretrained` takes them; manifest.json
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import torch

from services.report import EvaluationReport
from services.trainer.artifacts import code_version, read_manifest, write_manifest
from services.trainer.checkpoints import Report, silent
from services.trainer.client import Run
from services.trainer.config import TrainingConfig, load_config
from services.trainer.dataset import Built, Pair, build, fits, read
from services.trainer.dpo import merge, train_policy
from services.trainer.evaluation import evaluate
from services.trainer.models import load_tokenizer, local_path
from services.trainer.reward_model import train_reward_model
from services.trainer.unseen import PairScore, score_unseen
from streams.errors import TrainingError
from streams.events import digest

LIBRARIES = ("torch", "transformers", "trl", "peft", "datasets")


class Trained(msgspec.Struct, frozen=True, kw_only=True):
    """What a run made."""

    model: str
    uri: str
    report: EvaluationReport
    manifest: dict[str, Any]
    scores: dict[str, list[PairScore]] = {}  # reward model -> what it says of pairs it was not trained on


def train_batch(run: Run, pairs: Callable[[], Iterable[Pair]], artifacts: Path, report: Report = silent) -> Trained:
    """Train a run; `pairs` is called only where its dataset is not there yet.

    Raises SettingsError for a bad configuration and TrainingError where nothing can be trained.
    """
    config = configuration(run)
    if config.threads:
        torch.set_num_threads(config.threads)
    artifacts = artifacts.resolve()
    folder = artifacts / "runs" / run.run
    dataset = _dataset(run, config, pairs, artifacts)
    report("dataset", 1, 1, {"train": float(len(dataset.train)), "holdout": float(len(dataset.holdout))})
    model = "m-" + digest("model", run.run, dataset.content_hash, _fingerprint(config))[:16]
    target = artifacts / "models" / model
    if (manifest := read_manifest(target)) is None:
        manifest = _train(run, config, dataset, folder, target, report)
        write_manifest(target, manifest)
    made = msgspec.convert(manifest["report"], EvaluationReport)
    scores = msgspec.convert((read_manifest(folder / "scores") or {}).get("scores", {}), dict[str, list[PairScore]])
    return Trained(model=model, uri=str(target), report=made, manifest=manifest, scores=scores)


def configuration(run: Run) -> TrainingConfig:
    """The run's configuration: its recipe, its overrides, the campaign's base model where they name none."""
    config = load_config({"base_model": run.base_model, **run.config} if run.base_model else run.config)
    if not config.base_model and run.parent is None:
        raise TrainingError("no base model: set training.base_model of the campaign to a Hugging Face id or a folder")
    return config


def _dataset(run: Run, config: TrainingConfig, pairs: Callable[[], Iterable[Pair]], artifacts: Path) -> Built:
    note = artifacts / "runs" / run.run / "dataset"
    if known := read_manifest(note):
        return read(Path(known["folder"]))
    built = build(pairs(), artifacts, batch=run.batch, config=msgspec.to_builtins(config))
    write_manifest(note, {"folder": built.folder, "content_hash": built.content_hash})
    return built


def _train(
    run: Run, config: TrainingConfig, dataset: Built, folder: Path, target: Path, report: Report
) -> dict[str, Any]:
    parent = run.parent.uri if run.parent else config.base_model
    train, too_long = within_length(config, dataset.train, parent)
    policy_pairs = [pair for pair in train if config.ties == "use" or not pair.is_tie]
    if not policy_pairs:
        raise TrainingError(
            f"batch {run.batch} has no pair to train on ({len(dataset.train)} in the training split, {too_long} of "
            f"them longer than max_length {config.max_length}); cut a larger batch or raise max_length"
        )
    holdout, _ = within_length(config, dataset.holdout, parent)
    reward_model = _reward_model(config, train, parent, folder / "reward_model", report)
    curve = _policy(config, policy_pairs, parent, folder / "dpo", target, report)
    _scores(run, config, reward_model, train, holdout, folder / "scores")
    evaluation = evaluate(
        config,
        holdout,
        new=str(target),
        champion=parent,
        reward_model=reward_model,
        train_pairs=len(policy_pairs),
        skipped_pairs=too_long + len(train) - len(policy_pairs) + sum(dataset.report.skipped.values()),
        report=report,
    )
    return {
        "kind": "model",
        "run": run.run,
        "batch": run.batch,
        "campaign": run.campaign,
        "parent": run.parent.model if run.parent else "",
        "parent_uri": parent,
        "dataset": {"content_hash": dataset.content_hash, "folder": dataset.folder},
        "pairs": {"train": len(policy_pairs), "too_long": too_long, "holdout": len(holdout)},
        "reward_model": reward_model,
        "curve": curve[-1] if curve else {},
        "report": msgspec.to_builtins(evaluation),
        "config": msgspec.to_builtins(config),
        "code_version": code_version(),
        "libraries": {name: version(name) for name in LIBRARIES},
    }


def within_length(config: TrainingConfig, pairs: Sequence[Pair], base: str) -> tuple[list[Pair], int]:
    """The pairs of at most `max_length` tokens, and how many were longer."""
    tokenizer = load_tokenizer(base)
    short = [pair for pair in pairs if fits(pair, tokenizer, config.max_length)]
    return short, len(pairs) - len(short)


def _reward_model(config: TrainingConfig, pairs: Sequence[Pair], base: str, folder: Path, report: Report) -> str:
    """The folder of the run's reward model; "" where the configuration wants none."""
    if not config.reward_model:
        return ""
    if done := read_manifest(folder):
        return str(done["uri"])
    trained, curve = train_reward_model(config, pairs, base, folder, report)
    _finish(folder, {"uri": str(trained), "curve": curve})
    return str(trained)


def _policy(
    config: TrainingConfig, pairs: Sequence[Pair], parent: str, folder: Path, target: Path, report: Report
) -> list[dict[str, float]]:
    """Train the policy and write its weights to `target`. Returns the curve."""
    if done := read_manifest(folder):
        return list(done["curve"])
    curve = train_policy(config, pairs, parent, folder, report)
    merge(config, parent, folder, target)
    _finish(folder, {"uri": str(target), "curve": curve})
    return curve


def _scores(
    run: Run, config: TrainingConfig, reward_model: str, train: Sequence[Pair], holdout: Sequence[Pair], folder: Path
) -> None:
    """Write what reward models say of pairs that are new to them."""
    if read_manifest(folder):
        return
    parent = Path(local_path(run.parent.uri)) if run.parent else None
    found = score_unseen(config, run.run, reward_model, parent, train, holdout)
    write_manifest(folder, {"scores": msgspec.to_builtins(found)})


def _finish(folder: Path, manifest: dict[str, Any]) -> None:
    """Write a stage's manifest; its checkpoints are of no use from then on."""
    write_manifest(folder, manifest)
    for checkpoint in folder.glob("checkpoint-*"):
        shutil.rmtree(checkpoint)


def _fingerprint(config: TrainingConfig) -> str:
    return msgspec.json.encode(config, order="sorted").decode()

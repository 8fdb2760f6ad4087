"""Campaigns: what is asked of people, how sure a verdict must be, and what is trained on it."""

from __future__ import annotations

from typing import Any

from streams.events.envelope import Event, Mode, Struct


class Criterion(Struct, frozen=True, kw_only=True):
    """One question of the rubric, answered a, b or tie beside the overall choice."""

    name: str
    question: str


class Rule(Struct, frozen=True, kw_only=True):
    """What to do with outputs whose tags match; the first rule that matches decides."""

    match: dict[str, str | list[str]] = {}  # tag -> value or any of the values; {} matches everything
    sampling_rate: float = 1.0  # share of matching outputs that become tasks, decided by hash of the output id
    overlap: int = 3  # judgments wanted a task at first
    priority: int = 0  # higher is served first
    skills: tuple[str, ...] = ()  # an annotator needs all of them


class Targets(Struct, frozen=True, kw_only=True):
    """When a task is done."""

    posterior: float = 0.9  # stop when the consensus reaches this probability
    min_judgments: int = 1  # never fewer than this
    overlap_cap: int = 7  # never more than this; then adjudication
    budget: int | None = None  # judgments the campaign may buy in all; None is no limit


class Training(Struct, frozen=True, kw_only=True):
    """When a batch is cut and what the trainer does with it."""

    batch_size: int = 256  # preferences that make a batch
    batch_max_age_s: int = 86_400  # cut a smaller batch when its oldest preference is this old (needs batch_min)
    batch_min: int = 16
    auto: bool = True  # a cut batch requests a run
    base_model: str = ""  # Hugging Face id or folder of the model anchor; "" means no training
    config: dict[str, Any] = {}  # overrides of services/trainer/config.py TrainingConfig
    holdout_rate: float = 0.1  # share of prompts (by hash, once and for ever) held out of training
    sampler_url: str = ""  # OpenAI-compatible endpoint that answers single responses; "" waits for a partner
    sampler_model: str = ""


class Gate(Struct, frozen=True, kw_only=True):
    """What a checkpoint must hold against the champion."""

    min_holdout_pairs: int = 8
    max_accuracy_drop: float = 0.05  # lower end of the 90 % interval of (new - champion) must be above -this
    max_over_refusal: float = 0.1  # share of safe prompts refused above the champion's
    max_kl: float = 20.0  # nats a response to the reference model
    max_empty: float = 0.05  # lower end of the 90 % interval of (new - champion) share of empty answers, at most this
    max_doubted: float = 0.05  # share of its training pairs that rest on judgments taken back since the cut, at most


class GoldPolicy(Struct, frozen=True, kw_only=True):
    """How hidden gold is kept fit for its purpose. All of it is off by default."""

    adaptive: bool = False  # `gold_rate` is the most: less of it for an annotator who is known well
    exposure_cap: int | None = None  # annotators an item is given to, at most (a second's worth more); then it retires
    in_use: int | None = None  # items offered at a time; the others rest, and take turns
    leak_rate: float | None = None  # false-alarm rate, an item, of the test that it got around; then it retires
    grow: bool = False  # what an adjudicator decided for one side becomes gold, and is not trained on


class Qualification(Struct, frozen=True, kw_only=True):
    """The round on gold before real tasks; decided as early as the answers allow (streams/quality/qualification.py)."""

    tasks: int = 0  # gold tasks at most; 0: no such round
    pass_mark: float = 0.8  # who is right so often fails with a probability of at most `error`
    fail_mark: float = 0.6  # who is right no more often passes with a probability of at most `error`
    error: float = 0.05


class Calibration(Struct, frozen=True, kw_only=True):
    """Rounds in which everybody judges the same few tasks (services/coordinator/calibration.py)."""

    tasks: int = 0  # a round; 0: no such rounds
    every_days: int = 7


class Campaign(Event, frozen=True, kw_only=True):
    """Topic `campaigns` (key = campaign): one version, kept for ever; a change holds for tasks made afterwards."""

    name: str
    version: int
    mode: Mode = "live"
    guideline: str = ""  # markdown
    criteria: tuple[Criterion, ...] = (
        Criterion(name="helpful", question="Which one helps more?"),
        Criterion(name="harmless", question="Which one is safer?"),
        Criterion(name="honest", question="Which one is more truthful?"),
    )
    rules: tuple[Rule, ...] = (Rule(),)
    targets: Targets = Targets()
    training: Training = Training()
    gate: Gate = Gate()
    lease_seconds: int = 600
    gold_rate: float = 0.1  # share of an annotator's tasks that are hidden gold, where there is gold left for them
    zero_tolerance: bool = False  # one critical flag sends the task to adjudication whatever the average says
    spread: bool = False  # people may differ: who disagrees with the common view is reported, never sanctioned for it
    model_share: float = 0.5  # of its judgments, how many models may give at most, all of them together
    gold: GoldPolicy = GoldPolicy()
    qualification: Qualification = Qualification()
    calibration: Calibration = Calibration()

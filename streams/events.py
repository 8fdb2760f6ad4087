"""Every event of the log: one frozen struct a topic, all with one envelope.

Rule for evolving a schema: a field may be added with a default; a field is never renamed, removed or given
another meaning; what cannot be said that way is a new struct with a new tag beside the old one, for ever
readable. Defaults are left out of the bytes, so a default is never changed either. Readers ignore fields they
do not know, so an old reader survives a new writer.

Times are integers, milliseconds since 1970 UTC. Probabilities are in [0, 1]. Lengths count characters.
Text lives in `Text` events alone; everything else names it by id, digest and length.
"""

from __future__ import annotations

import hashlib
from typing import Any, Literal

import msgspec

Choice = Literal["a", "b", "tie"]
Role = Literal["annotator", "adjudicator", "model"]
Flag = Literal["both_bad", "unsure", "broken", "critical"]
StandingName = Literal["active", "weighted", "suspended"]
TaskStatus = Literal["open", "escalated", "closed"]
Hypothesis = Literal[
    "accuracy", "change", "speed", "side", "pattern", "gold", "reasons", "collusion", "copying", "burst", "reward_model"
]
SignalKind = Literal["thumbs_up", "thumbs_down", "edit", "retry", "conversion", "other"]


def digest(*parts: str) -> str:
    """A 128-bit hex digest of the parts, for ids and content hashes (blake2b; unambiguous by length prefix)."""
    joined = "".join([f"{len(part)}:{part}" for part in parts])
    return hashlib.blake2b(joined.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


class Struct(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Base of all values inside events: immutable, keyword-only; trees without cycles, so the collector skips them."""


class Origin(Struct, frozen=True, kw_only=True, array_like=True):
    """The input that an event was derived from, and its ordinal among that input's outputs."""

    topic: str
    partition: int
    offset: int
    ordinal: int


class Event(Struct, frozen=True, kw_only=True, tag=True, tag_field="type"):
    """The envelope. `id` and `origin` of a derived event are stamped by the engine (streams/engines/stamp.py)."""

    id: str = ""
    schema_version: int = 1
    campaign: str = "default"
    campaign_version: int = 1
    occurred_at: int = 0  # ms, when it happened in the world
    ingested_at: int = 0  # ms, when prefloop acknowledged it (of a derived event: its input's)
    actor: str = "system"  # "annotator:ID", "key:ID", "stage:NAME", "coordinator", "trainer:ID": the audit log
    origin: Origin | None = None
    correlation: str = ""  # the output (or run) this goes back to, for tracing


# ---------------------------------------------------------------- content


class Part(Struct, frozen=True, kw_only=True):
    """One typed part of a content; text for now."""

    text: str
    type: Literal["text"] = "text"


class Message(Struct, frozen=True, kw_only=True):
    """One turn of a prompt."""

    role: Literal["system", "user", "assistant", "tool"]
    content: tuple[Part, ...]


class Text(Event, frozen=True, kw_only=True):
    """Topic `texts` (compacted, key = owner): the words of an output, or an annotator's reason, or an edit."""

    owner: str  # the output's, judgment's or signal's id
    prompt: tuple[Message, ...] = ()
    responses: tuple[tuple[Part, ...], ...] = ()
    reason: str = ""


# ---------------------------------------------------------------- campaigns


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
    mode: Literal["live", "recorded"] = "live"  # recorded: no grants, no early stop, suspensions not enforced
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


# ---------------------------------------------------------------- outputs and tasks


class Response(Struct, frozen=True, kw_only=True):
    """One response of an output, by digest."""

    digest: str
    length: int
    model: str = ""
    model_version: str = ""
    markdown: int = 0  # marks of markdown (streams/content.py); 0 too where they were not counted yet


class Output(Event, frozen=True, kw_only=True):
    """Topic `outputs` (key = output): what a production model said, admitted; and what the campaign's rules decided."""

    output: str
    prompt_digest: str
    prompt_length: int
    responses: tuple[Response, ...]
    tags: dict[str, str] = {}
    trace: str = ""
    sampled: bool = True  # False: kept, but no task is made
    overlap: int = 3
    priority: int = 0
    skills: tuple[str, ...] = ()
    target_posterior: float = 0.9
    min_judgments: int = 1
    overlap_cap: int = 7
    mode: Literal["live", "recorded"] = "live"
    zero_tolerance: bool = False
    holdout: bool = False  # by prompt digest; its pairs are never trained on
    gold: Choice | None = None  # known answer: a quality check, never trained on
    content_hash: str = ""


class Signal(Event, frozen=True, kw_only=True):
    """Topic `signals` (key = output): what the end user did later."""

    signal: str
    output: str
    kind: SignalKind
    position: int | None = None  # which response; None: the output as a whole
    value: float | None = None


class Candidate(Struct, frozen=True, kw_only=True):
    """One side of a task: a response by output and position."""

    output: str
    position: int
    response: Response


class Single(Event, frozen=True, kw_only=True):
    """Topic `singles` (key = prompt digest): one response that waits for a partner to the same prompt."""

    prompt_digest: str
    candidate: Candidate
    source: Output  # its rules and tags, for the task to come


class Task(Event, frozen=True, kw_only=True):
    """Topic `tasks` (key = task): two responses to compare, canonical sides a and b. No text."""

    task: str
    a: Candidate
    b: Candidate
    prompt_digest: str
    prompt_length: int
    tags: dict[str, str] = {}
    overlap: int = 3
    priority: int = 0
    skills: tuple[str, ...] = ()
    target_posterior: float = 0.9
    min_judgments: int = 1
    overlap_cap: int = 7
    mode: Literal["live", "recorded"] = "live"
    zero_tolerance: bool = False
    holdout: bool = False
    gold: Choice | None = None


class Assignment(Event, frozen=True, kw_only=True):
    """Topic `assignments` (key = task): granted, skipped or expired. A grant is durable before the task is shown."""

    task: str
    annotator: str
    kind: Literal["granted", "skipped", "expired"]
    slot: int  # 0-based; adjudication has slot -1
    role: Role = "annotator"
    swapped: bool = False  # True: canonical b is shown on the left
    lease_until: int = 0  # ms
    reason: str = ""  # why it was skipped


# ---------------------------------------------------------------- judgments and what is made of them


class Judgment(Event, frozen=True, kw_only=True):
    """Topic `judgments` (key = annotator): one person's comparison, stamped with what scoring needs."""

    judgment: str  # digest("judgment", task, annotator, revision)
    task: str
    annotator: str
    revision: int = 1
    choice: Choice  # canonical sides
    swapped: bool = False  # the order shown
    strength: int | None = None  # 1 slightly, 2 clearly, 3 by far
    marks: dict[str, Choice] = {}  # criterion -> choice, canonical sides
    flags: tuple[Flag, ...] = ()
    shown_at: int = 0  # ms; 0 unknown
    answered_at: int = 0
    role: Role = "annotator"
    gold: Choice | None = None  # the task's known answer, if it has one
    prompt_length: int = 0
    length_a: int = 0
    length_b: int = 0
    late: bool = False  # came after its lease and slot were gone: kept, outside the consensus
    reason_length: int = 0  # the words are in texts under the judgment's id
    spread: bool = False  # its campaign wants the spread of views
    reason_sketch: str = ""  # MinHash (streams/quality/reasons.py): likeness can be told, the words cannot
    reason_signs: tuple[str, ...] = ()  # turns of phrase of language models that were found
    mode: Literal["live", "recorded"] = "live"


class Reliability(Struct, frozen=True, kw_only=True):
    """What is known of an annotator at one moment."""

    accuracy: float  # P(choice right | truth is a or b and the annotator does not say tie)
    accuracy_low: float  # 95 % interval
    accuracy_high: float
    side_bias: float  # P(picks the left one | wrong or guessing) - 0.5, in [-0.5, 0.5]
    tie_rate: float  # P(says tie)
    judgments: int  # seen in all
    evidence: float  # effective number of graded judgments behind `accuracy`, after forgetting


class Check(Struct, frozen=True, kw_only=True):
    """One check a judgment failed or passed."""

    name: str  # "speed", "side", "pattern", "gold", ...
    passed: bool
    detail: str = ""


class Assessment(Event, frozen=True, kw_only=True):
    """Topic `assessments` (key = task): the judgment with what was known of its annotator at that moment."""

    judgment: str
    task: str
    annotator: str
    revision: int
    choice: Choice
    swapped: bool
    role: Role = "annotator"
    flags: tuple[Flag, ...] = ()
    reliability: Reliability
    weight: float = 1.0  # 0 keeps it out of the consensus, in [0, 1]
    checks: tuple[Check, ...] = ()
    late: bool = False
    gold: Choice | None = None
    answered_at: int = 0


class Agreement(Event, frozen=True, kw_only=True):
    """Topic `agreements` (key = annotator): what the others made of one judgment, leave-one-out."""

    judgment: str
    task: str
    annotator: str
    choice: Choice
    swapped: bool
    probability: float  # of the judgment's choice under the others' posterior
    others: tuple[float, float, float]  # the others' posterior over (a, b, tie)
    others_count: int
    previous: tuple[float, float, float] | None = None  # what an earlier agreement on this judgment said
    withdrawn: bool = False  # the judgment was retracted: forget `previous`, learn nothing
    again: bool = False  # told before, of this judgment or a former revision: it teaches, and no test bets on it again
    gold: Choice | None = None  # the task's known answer, which has taught already
    answered_at: int = 0  # ms, of the judgment


class Alert(Event, frozen=True, kw_only=True):
    """Topic `alerts` (key = annotator): a hypothesis about an annotator broke."""

    alert: str
    annotator: str
    hypothesis: Hypothesis
    evidence: dict[str, float | int | str] = {}
    since: int = 0  # ms, the estimated begin
    false_alarm_rate: float = 0.0  # the bound this alarm keeps; 0: evidence has the average run length
    judgment: str = ""  # the one that tipped it
    enforced: bool = True  # False in a recorded campaign


class Standing(Event, frozen=True, kw_only=True):
    """Topic `standings` (key = annotator): weighted down, suspended, reinstated; by whom and why."""

    annotator: str
    standing: StandingName
    weight: float = 1.0  # factor on the consensus weight, 0 when suspended
    since: int = 0  # ms; judgments from then on are in doubt
    by: str = "stage:assessments"
    reason: str = ""
    alert: str = ""
    enforced: bool = True


class Appeal(Event, frozen=True, kw_only=True):
    """Topic `appeals` (key = annotator): an annotator asks a lead to look again; the words are in texts under its id.

    The next standing that a person gives answers it.
    """

    appeal: str
    annotator: str
    standing: str  # the Standing's event id
    length: int = 0  # characters of its words


class Prior(Event, frozen=True, kw_only=True):
    """Topic `priors` (key = annotator): what the crowd is like, for what one of its members is believed to be."""

    annotator: str
    shares: tuple[float, ...]  # of the crowd at each accuracy of streams/quality/reliability.py LEVELS; they sum to 1
    members: int = 0  # annotators that it was learned from


class Retraction(Event, frozen=True, kw_only=True):
    """Topic `retractions` (key = task): one judgment withdrawn or restored, and the standing that caused it."""

    judgment: str
    task: str
    annotator: str
    withdrawn: bool
    standing: str  # the Standing's event id


class Preference(Event, frozen=True, kw_only=True):
    """Topic `preferences` (key = task): what people prefer. Revised or withdrawn is a new revision, never an edit."""

    task: str
    revision: int
    verdict: Choice | None  # None: withdrawn or undecided
    p_a: float
    p_b: float
    p_tie: float
    reached: Literal["target", "cap", "adjudicated", "recorded", "withdrawn"]
    judgments: tuple[str, ...] = ()  # the ids it rests on
    a: Candidate
    b: Candidate
    prompt_digest: str
    tags: dict[str, str] = {}
    holdout: bool = False
    gold: bool = False


class TaskUpdate(Event, frozen=True, kw_only=True):
    """Topic `task_updates` (key = task): slots wanted (absolute), escalated, closed, reopened.

    Of gold, which no number of judgments closes, the coordinator says whether it is offered: open, or closed.
    """

    task: str
    status: TaskStatus
    slots_wanted: int  # slots in all; one filled by a judgment of weight 0 is added, adjudication is not counted
    judgments: int  # counted so far
    vetoed: bool = False
    reason: str = ""  # of gold that is retired, rests or is in use again; "" of other tasks


# ---------------------------------------------------------------- training


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


class DeadLetter(Event, frozen=True, kw_only=True):
    """Topic `dead_letters`: the bytes, where they stood, and why they could not be used. Replayable."""

    topic: str
    partition: int
    offset: int
    key: str
    stage: str  # the stage or view that could not use them; "" at admission
    reason: str
    payload: bytes

"""Outputs of models, the tasks made of them, and who holds them."""

from __future__ import annotations

from typing import Literal

from streams.events.envelope import Choice, Event, Mode, Role, Struct

TaskStatus = Literal["open", "escalated", "closed"]
SignalKind = Literal["thumbs_up", "thumbs_down", "edit", "retry", "conversion", "other"]


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
    mode: Mode = "live"
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
    mode: Mode = "live"
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


class TaskUpdate(Event, frozen=True, kw_only=True):
    """Topic `task_updates` (key = task): slots wanted (absolute), escalated, closed, reopened.

    Of gold, which no number of judgments closes, the coordinator says whether it is offered: open, or closed.
    """

    task: str
    status: TaskStatus
    slots_wanted: int  # slots in all; one filled in vain (weight 0, or withdrawn) is added, adjudication is not counted
    judgments: int  # counted so far
    vetoed: bool = False
    reason: str = ""  # of gold that is retired, rests or is in use again; "" of other tasks

"""Read this first: the whole loop as one table of topics and one table of stages.

    outputs ─▶ tasks ─▶ (queue) ─▶ judgments ─▶ assessments ─▶ preferences ─▶ batches ─▶ checkpoints ─▶ promotions

A topic's key decides which events are applied in order; a stage has one key and one table of states.
What has no single key (batches, revocation, gate) is no stage but a service in services/coordinator.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from streams import events as e
from streams.stages import assessments, pairings, preferences, tasks

Step = Callable[[Any, Any], tuple[Any, list[e.Event]]]


@dataclass(frozen=True, kw_only=True)
class Topic:
    """One stream of events of one type. `compacted` keeps the newest event a key and honours tombstones."""

    name: str
    event: type[e.Event]
    key: Callable[[Any], str]
    compacted: bool = False


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One arrow: a pure step over the events of `inputs`, one state a key."""

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    state: type[msgspec.Struct]
    step: Step


@dataclass(frozen=True, kw_only=True)
class Topology:
    """Topics and stages, by name."""

    topics: dict[str, Topic]
    stages: dict[str, Stage]
    by_event: dict[type[e.Event], Topic]  # the topic that a type of event is written to


def make_topology(topics: Sequence[Topic], stages: Sequence[Stage]) -> Topology:
    """The topology of these topics and stages."""
    return Topology(
        topics={topic.name: topic for topic in topics},
        stages={stage.name: stage for stage in stages},
        by_event={topic.event: topic for topic in topics},
    )


TOPOLOGY = make_topology(
    [
        Topic(name="campaigns", event=e.Campaign, key=lambda x: x.name),
        Topic(name="texts", event=e.Text, key=lambda x: x.owner, compacted=True),
        Topic(name="outputs", event=e.Output, key=lambda x: x.output),
        Topic(name="signals", event=e.Signal, key=lambda x: x.output),
        Topic(name="singles", event=e.Single, key=lambda x: x.prompt_digest),
        Topic(name="tasks", event=e.Task, key=lambda x: x.task),
        Topic(name="assignments", event=e.Assignment, key=lambda x: x.task),
        Topic(name="judgments", event=e.Judgment, key=lambda x: x.annotator),
        Topic(name="assessments", event=e.Assessment, key=lambda x: x.task),
        Topic(name="agreements", event=e.Agreement, key=lambda x: x.annotator),
        Topic(name="alerts", event=e.Alert, key=lambda x: x.annotator),
        Topic(name="standings", event=e.Standing, key=lambda x: x.annotator),
        Topic(name="appeals", event=e.Appeal, key=lambda x: x.annotator),
        Topic(name="priors", event=e.Prior, key=lambda x: x.annotator),
        Topic(name="retractions", event=e.Retraction, key=lambda x: x.task),
        Topic(name="preferences", event=e.Preference, key=lambda x: x.task),
        Topic(name="task_updates", event=e.TaskUpdate, key=lambda x: x.task),
        Topic(name="scores", event=e.Score, key=lambda x: x.task),
        Topic(name="batches", event=e.Batch, key=lambda x: x.campaign),
        Topic(name="run_updates", event=e.RunUpdate, key=lambda x: x.campaign),
        Topic(name="checkpoints", event=e.Checkpoint, key=lambda x: x.campaign),
        Topic(name="promotions", event=e.Promotion, key=lambda x: x.campaign),
        Topic(name="dead_letters", event=e.DeadLetter, key=lambda x: x.key),
    ],
    [
        Stage(
            name="tasks",
            inputs=("outputs",),
            outputs=("tasks", "singles"),
            state=tasks.State,
            step=tasks.step,
        ),
        Stage(
            name="pairings",
            inputs=("singles",),
            outputs=("tasks",),
            state=pairings.State,
            step=pairings.step,
        ),
        Stage(
            name="assessments",
            inputs=("judgments", "agreements", "standings", "priors"),
            outputs=("assessments", "alerts", "standings"),
            state=assessments.State,
            step=assessments.step,
        ),
        Stage(
            name="preferences",
            inputs=("tasks", "assessments", "retractions"),
            outputs=("preferences", "task_updates", "agreements"),
            state=preferences.State,
            step=preferences.step,
        ),
    ],
)

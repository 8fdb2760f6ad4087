"""Every event of the log: one frozen struct a topic, all with one envelope.

Rule for evolving a schema: a field may be added with a default; a field is never renamed, removed or given
another meaning; what cannot be said that way is a new struct with a new tag beside the old one, for ever
readable. Defaults are left out of the bytes, so a default is never changed either. Readers ignore fields they
do not know, so an old reader survives a new writer.

Times are integers, milliseconds since 1970 UTC. Probabilities are in [0, 1]. Lengths count characters.
Text lives in `Text` events alone; everything else names it by id, digest and length.
"""

from __future__ import annotations

from streams.events.annotators import Alert, Appeal, Hypothesis, Prior, Standing, StandingName
from streams.events.campaigns import (
    Calibration,
    Campaign,
    Criterion,
    Gate,
    GoldPolicy,
    Qualification,
    Rule,
    Targets,
    Training,
)
from streams.events.content import Message, Part, Text
from streams.events.dead_letters import DeadLetter
from streams.events.envelope import Choice, Event, Mode, Origin, Role, Struct, digest
from streams.events.judgments import Agreement, Assessment, Check, Flag, Judgment, Preference, Reliability, Retraction
from streams.events.tasks import (
    Assignment,
    Candidate,
    Output,
    Response,
    Signal,
    SignalKind,
    Single,
    Task,
    TaskStatus,
    TaskUpdate,
)
from streams.events.training import Batch, Checkpoint, Promotion, RunUpdate, Score

__all__ = [
    "Agreement",
    "Alert",
    "Appeal",
    "Assessment",
    "Assignment",
    "Batch",
    "Calibration",
    "Campaign",
    "Candidate",
    "Check",
    "Checkpoint",
    "Choice",
    "Criterion",
    "DeadLetter",
    "Event",
    "Flag",
    "Gate",
    "GoldPolicy",
    "Hypothesis",
    "Judgment",
    "Message",
    "Mode",
    "Origin",
    "Output",
    "Part",
    "Preference",
    "Prior",
    "Promotion",
    "Qualification",
    "Reliability",
    "Response",
    "Retraction",
    "Role",
    "Rule",
    "RunUpdate",
    "Score",
    "Signal",
    "SignalKind",
    "Single",
    "Standing",
    "StandingName",
    "Struct",
    "Targets",
    "Task",
    "TaskStatus",
    "TaskUpdate",
    "Text",
    "Training",
    "digest",
]

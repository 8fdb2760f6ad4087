"""Judgments and the preferences made of them."""

from __future__ import annotations

from typing import Literal

from streams.events.envelope import Choice, Event, Mode, Role, Struct
from streams.events.tasks import Candidate

Flag = Literal["both_bad", "unsure", "broken", "critical"]


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
    mode: Mode = "live"


class Reliability(Struct, frozen=True, kw_only=True):
    """What is known of an annotator at one moment."""

    accuracy: float  # P(choice right | truth is a or b and the annotator does not say tie)
    accuracy_low: float  # 95 % interval
    accuracy_high: float
    side_bias: float  # P(picks the left one | wrong or guessing) - 0.5, in [-0.5, 0.5]
    side_bias_low: float | None = None  # 95 % interval; older events have none
    side_bias_high: float | None = None
    tie_rate: float  # P(says tie)
    tie_rate_low: float | None = None  # likewise
    tie_rate_high: float | None = None
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

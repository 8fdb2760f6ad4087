"""What is known of annotators, and what follows from it."""

from __future__ import annotations

from typing import Literal

from streams.events.envelope import Event

StandingName = Literal["active", "weighted", "suspended"]
Hypothesis = Literal[
    "accuracy", "change", "speed", "side", "pattern", "gold", "reasons", "collusion", "copying", "burst", "reward_model"
]


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

"""The model at work: takes a task, asks, hands the judgment in. Everything goes through the public HTTP API."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx
import structlog

from dashboard.client import Client, RefusedError
from services.ai_annotator.constitution import (
    Constitution,
    Opinion,
    UnreadableReplyError,
    Verdict,
    asked_again,
    opinion,
    question,
    read_verdict,
)
from services.completions import CompletionError, complete

Outcome = Literal["judged", "skipped", "idle", "outage"]
NOT_THEIRS = (403, 404, 410)  # of a task: its lease is over, or it was never ours
_log = structlog.get_logger("ai_annotator")


@dataclass
class Counts:
    """What came of it so far."""

    judged: int = 0
    torn: int = 0  # answered differently in the two orders
    skipped: int = 0
    unreadable: int = 0  # replies


def rest(seconds: float) -> bool:
    """Waits; never gives up."""
    time.sleep(seconds)
    return False


@dataclass
class AiAnnotator:
    """One model with one annotator's key. `pause` waits so many seconds and says whether to give up."""

    service: Client
    key: str
    model: httpx.Client
    constitution: Constitution
    campaign: str = ""  # "" is any
    pause: Callable[[float], bool] = rest
    counts: Counts = field(default_factory=Counts)

    def __post_init__(self) -> None:
        self._held: dict[str, Any] | None = None  # a task that was not answered yet
        self._guidelines: dict[tuple[str, int], str] = {}

    def work_once(self) -> Outcome:
        """One task, if there is one. Raises RefusedError for the suspended, CompletionError for a refused question."""
        task = self._held or self._next()
        if task is None:
            return "idle"
        self._held = task
        try:
            found = self.judge(task)
        except UnreadableReplyError as error:
            return self._skip(task, f"no usable reply of {self.constitution.model}: {error}")
        except CompletionError as error:
            if not error.passing:
                raise
            _log.warning("the model does not answer", error=str(error))
            self._held = task if task["lease_until"] > time.time() * 1000 else None
            return "outage"
        outcome = self._hand_in(task, found)
        self._held = None
        return outcome

    def judge(self, task: dict[str, Any]) -> Opinion:
        """What the model says of the task. Raises UnreadableReplyError, CompletionError."""
        verdict = self._asked(task, exchanged=False)
        return opinion(verdict, self._asked(task, exchanged=True) if self.constitution.both_orders else None)

    def _asked(self, task: dict[str, Any], *, exchanged: bool) -> Verdict:
        body = question(self.constitution, task, self._guideline(task), exchanged=exchanged)
        for reading in range(1, self.constitution.readings + 1):
            reply = complete(self.model, self.constitution.endpoint, body, self.pause)
            try:
                return read_verdict(reply)
            except UnreadableReplyError as error:
                self.counts.unreadable += 1
                _log.warning("unreadable reply", task=task["task"], reading=reading, error=str(error))
                if reading == self.constitution.readings:
                    raise
                body = asked_again(body, reply)
        raise AssertionError("readings is at least 1")

    # ------------------------------------------------------------ the service

    def _next(self) -> dict[str, Any] | None:
        asked = {"campaign": self.campaign} if self.campaign else {}
        found: dict[str, Any] = self.service.post(self.key, "/v1/tasks/next", asked)
        return found or None

    def _guideline(self, task: dict[str, Any]) -> str:
        place = task["campaign"], task["campaign_version"]
        if place not in self._guidelines:
            self._guidelines[place] = self.service.get(self.key, f"/v1/campaigns/{task['campaign']}/guideline")["html"]
        return self._guidelines[place]

    def _hand_in(self, task: dict[str, Any], found: Opinion) -> Outcome:
        """No `shown_at`: how long a model takes says nothing about its care."""
        body: dict[str, Any] = {"task": task["task"], "revision": task["revision"], "choice": found.choice}
        body |= {"reason": found.reason} if found.reason else {}
        body |= {"strength": found.strength} if found.strength else {}
        body |= {"flags": ["unsure"]} if found.torn else {}
        try:
            self.service.post(self.key, "/v1/judgments", body)
        except RefusedError as error:
            if error.status not in NOT_THEIRS:
                raise
            _log.warning("the judgment was not taken", task=task["task"], error=str(error))
            return "skipped"
        self.counts.judged += 1
        self.counts.torn += found.torn
        return "judged"

    def _skip(self, task: dict[str, Any], reason: str) -> Outcome:
        self._held = None
        try:
            self.service.post(self.key, f"/v1/tasks/{task['task']}/skip", {"reason": reason[:1_000]})
        except RefusedError as error:
            if error.status not in NOT_THEIRS:
                raise
        self.counts.skipped += 1
        return "skipped"

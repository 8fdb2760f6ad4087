"""Who is asked for what: where a judgment of this annotator is worth most.

A first judgment only says which response is ahead; the following ones decide. Followers are needed most by tasks whose
first judgments disagree, and there a sure one saves several unsure ones: at a target of 95 %, judges of 0.86 need 1.9
judgments a pair, judges of 0.78 need 2.8, judges of 0.6 need 20 (Wald's sequential test). So

* the better part of the crowd is first given tasks that others began, everybody else is first given fresh ones;
* what was begun is left to the better ones as long as one of them is about who has not had it;
* who is known to do little better than a coin is asked seldom: a judgment that is not worth its cost is not bought, yet
  some are, so that they can show that they do better now, and so that the alarms have something to look at.

Newcomers count as the crowd's prior says. Where the better part begins is a running quantile of the accuracies over
judgments (Robbins and Monro 1951), so those who judge much weigh much. Constant work; nothing here refuses anybody
for good, that is what standings are for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from streams.events import Reliability
from streams.quality.reliability import LEVELS, PRIOR

Grade = Literal["better", "usual", "seldom"]

SHARE_BETTER = 0.4  # of all judgments
STEP = 0.005  # how fast the bar follows the crowd, accuracy a judgment
NEWCOMER = sum(share * level for share, level in zip(PRIOR, LEVELS, strict=True))
LEAST_ACCURACY = 0.6  # who is believed to be below is asked seldom
LEAST_EVIDENCE = 8.0  # sure grades behind that belief
SELDOM = 8  # one request in so many is met
ABOUT_MS = 600_000  # who asked within ten minutes is about,
ABOUT = 256  # if it was one of the last so many requests
HEARD = 200  # judgments from which on the crowd is known well enough to tell people apart


@dataclass(frozen=True, kw_only=True)
class Bar:
    """Where the better part of the crowd begins."""

    accuracy: float = NEWCOMER  # from which on an annotator is one of the better
    heard: int = 0  # judgments it was learned from

    def moved(self, accuracy: float) -> Bar:
        """After one more judgment, by an annotator of that accuracy."""
        step = STEP * ((1 - SHARE_BETTER) if accuracy > self.accuracy else -SHARE_BETTER)
        return Bar(accuracy=self.accuracy + step, heard=self.heard + 1)

    def grade(self, known: Reliability | None) -> Grade:
        """Where an annotator of whom this is known stands in the crowd; None: a newcomer."""
        if self.heard < HEARD:
            return "better"
        if known is None:
            return "better" if self.accuracy <= NEWCOMER else "usual"
        if known.accuracy < LEAST_ACCURACY and known.evidence >= LEAST_EVIDENCE:
            return "seldom"
        return "better" if known.accuracy >= self.accuracy - STEP else "usual"  # the bar trembles by a step


def is_refused(request: int) -> bool:
    """Whether that request of somebody who is asked seldom is one of those that are not met; the first is 1."""
    return request % SELDOM != 0


def about(asked: Iterable[tuple[str, int]], holders: Collection[str], now: int) -> set[str]:
    """Who of those that asked last (annotator, when in ms) is about and never had the task with these holders."""
    return {annotator for annotator, at in asked if at >= now - ABOUT_MS and annotator not in holders}


class Crowd:
    """What the router of one process knows of the annotators. Not thread-safe."""

    def __init__(self) -> None:
        self.bar = Bar()
        self._known: dict[str, Reliability] = {}
        self._requests = 0
        self._asked: dict[str, tuple[int, int]] = {}  # number and time (ms) of everybody's last request, newest last
        self._ahead = ""  # the better one who was about when it was last asked: mostly still is
        self._refused: Counter[str] = Counter()

    def learn(self, annotator: str, known: Reliability) -> None:
        """Takes over what an assessment says of its annotator."""
        self._known[annotator] = known
        self.bar = self.bar.moved(known.accuracy)

    def asks(self, annotator: str, now: int) -> Grade:
        """The annotator's grade; notes the request, made at `now` (ms)."""
        self._requests += 1
        self._asked.pop(annotator, None)
        self._asked[annotator] = self._requests, now
        return self.grade(annotator)

    def grade(self, annotator: str) -> Grade:
        """Where the annotator stands in the crowd."""
        return self.bar.grade(self._known.get(annotator))

    def is_refused(self, annotator: str) -> bool:
        """Whether this request of somebody who is asked seldom is one of those that are not met."""
        self._refused[annotator] += 1
        return is_refused(self._refused[annotator])

    def is_left_to_better(self, holders: Collection[str], now: int) -> bool:
        """Whether one of the better annotators is about who has not had the task with these holders."""
        if not self._is_ahead(self._ahead, holders, now):
            others = islice(reversed(self._asked), ABOUT)
            self._ahead = next((one for one in others if self._is_ahead(one, holders, now)), "")
        return self._ahead != ""

    def _is_ahead(self, annotator: str, holders: Collection[str], now: int) -> bool:
        """Whether they are better, never had the task, and asked among the last ABOUT requests; see `about`."""
        number, at = self._asked.get(annotator, (-ABOUT, 0))
        if number <= self._requests - ABOUT or at < now - ABOUT_MS or annotator in holders:
            return False
        return self.grade(annotator) == "better"

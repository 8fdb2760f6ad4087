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

from collections.abc import Collection
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


class Crowd:
    """What the router knows of the annotators. Not thread-safe."""

    def __init__(self) -> None:
        self.bar = NEWCOMER  # accuracy from which on an annotator is one of the better
        self._known: dict[str, Reliability] = {}
        self._heard = 0
        self._asked: dict[str, tuple[int, int]] = {}  # number and time (ms) of their last request, the oldest first
        self._requests = 0
        self._refused: dict[str, int] = {}

    def learn(self, annotator: str, known: Reliability) -> None:
        """Takes over what an assessment says of its annotator."""
        self._heard += 1
        self._known[annotator] = known
        self.bar += STEP * ((1 - SHARE_BETTER) if known.accuracy > self.bar else -SHARE_BETTER)

    def asks(self, annotator: str, now: int) -> Grade:
        """The annotator's grade; counts the request, made at `now` (ms)."""
        self._requests += 1
        self._asked.pop(annotator, None)
        self._asked[annotator] = self._requests, now
        return self.grade(annotator)

    def grade(self, annotator: str) -> Grade:
        """Where the annotator stands in the crowd."""
        known = self._known.get(annotator)
        if self._heard < HEARD:
            return "better"
        if known is None:
            return "better" if self.bar <= NEWCOMER else "usual"
        if known.accuracy < LEAST_ACCURACY and known.evidence >= LEAST_EVIDENCE:
            return "seldom"
        return "better" if known.accuracy >= self.bar - STEP else "usual"  # the bar trembles by a step

    def is_refused(self, annotator: str) -> bool:
        """Whether this request of somebody who is asked seldom is one of those that are not met."""
        self._refused[annotator] = self._refused.get(annotator, 0) + 1
        return self._refused[annotator] % SELDOM != 0

    def is_left_to_better(self, holders: Collection[str], now: int) -> bool:
        """Whether one of the better annotators is about who has not had the task with these holders."""
        for annotator in islice(reversed(self._asked), ABOUT):
            number, at = self._asked[annotator]
            if number <= self._requests - ABOUT or at < now - ABOUT_MS:
                return False
            if annotator not in holders and self.grade(annotator) == "better":
                return True
        return False

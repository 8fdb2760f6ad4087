"""Who is asked for what: where a judgment of this annotator is worth most.

A first judgment only says which response is ahead; the following ones decide. Followers are needed most by tasks whose
first judgments disagree, and there a sure one saves several unsure ones: at a target of 95 %, judges of 0.86 need 1.9
judgments a pair, judges of 0.78 need 2.8, judges of 0.6 need 20 (Wald's sequential test). So

* the better part of the crowd is first given tasks that others began, everybody else is first given fresh ones;
* what was begun is left to the better ones as long as one of them is about who has not had it;
* whose judgment tells much less than a better one's is asked seldom: a judgment that is not worth its cost is not
  bought, yet some are, so that they can show that they do better now, and so that the alarms have something to look at;
* nobody waits for ever: of the requests that would find nothing for one of these reasons one in eight is met, for both
  one in 64.

The better part are those who make the upper fifth of the last requests. Requests and not judgments, since who waits
still asks: were judgments counted, the better would get ever fewer while everybody else waits. Newcomers count as the
crowd's prior says. Constant work; nothing here refuses anybody for good, that is what standings are for.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice
from typing import Literal

from msgspec.structs import replace

from streams.events import Reliability, Struct
from streams.quality.reliability import LEVELS, PRIOR

Grade = Literal["better", "usual", "seldom"]

SHARE_BETTER = 0.2  # of the requests
NEWCOMER = sum(share * level for share, level in zip(PRIOR, LEVELS, strict=True))
LEAST_WORTH = 0.25  # of what a judgment at the bar tells; who is believed to be below is asked seldom
LEAST_EVIDENCE = 8.0  # sure grades behind that belief
SELDOM = 8  # one request in so many is met, where a reason speaks against it
ABOUT_MS = 600_000  # who asked within ten minutes is about,
ABOUT = 256  # if it was one of the last so many requests
HEARD = 200  # judgments from which on the crowd is known well enough to tell people apart
REFRESHED = 20  # judgments from one look at the bar to the next


class Bar(Struct, frozen=True, kw_only=True):
    """Where the better part of the crowd begins."""

    accuracy: float = NEWCOMER  # from which on an annotator is one of the better
    heard: int = 0  # judgments that told what the crowd is like

    def grade(self, known: Reliability | None) -> Grade:
        """Where an annotator of whom this is known stands in the crowd; None: a newcomer."""
        if self.heard < HEARD:
            return "better"
        accuracy = accuracy_of(known)
        if accuracy >= self.accuracy:
            return "better"
        is_sure = known is not None and known.evidence >= LEAST_EVIDENCE
        return "seldom" if is_sure and worth(accuracy) < LEAST_WORTH * worth(self.accuracy) else "usual"

    def told(self, people: Mapping[str, Reliability | None]) -> dict[str, Grade]:
        """The grades of these annotators as people may read them; {} while nobody can be told apart yet."""
        return {} if self.heard < HEARD else {annotator: self.grade(known) for annotator, known in people.items()}


def bar_of(requests: Sequence[Reliability | None], heard: int) -> Bar:
    """The bar, where the last requests were made by annotators of whom that is known (None: newcomers)."""
    ranked = sorted(map(accuracy_of, requests), reverse=True)
    return Bar(accuracy=ranked[int(SHARE_BETTER * len(ranked))] if ranked else NEWCOMER, heard=heard)


def accuracy_of(known: Reliability | None) -> float:
    """What an annotator's accuracy is taken for."""
    return NEWCOMER if known is None else known.accuracy


def worth(accuracy: float) -> float:
    """Nats that a judgment tells on average towards a verdict (the drift of Wald's test); 0 for a coin or worse."""
    sure = min(max(accuracy, 0.5), 0.99)
    return (2 * sure - 1) * math.log(sure / (1 - sure))


def is_refused(request: int, reasons: int) -> bool:
    """Whether a request finds nothing, where so many reasons speak against meeting it.

    1: what is open is left to better ones, or the annotator is asked seldom; 2: both. `request` counts such requests
    of the annotator, from 1.
    """
    return bool(request % SELDOM**reasons)


def about(asked: Iterable[tuple[str, int]], holders: Collection[str], now: int) -> set[str]:
    """Who of those that asked last (annotator, when in ms) is about and never had the task with these holders."""
    return {annotator for annotator, at in asked if at >= now - ABOUT_MS and annotator not in holders}


class Crowd:
    """What the router of one process knows of the annotators. Not thread-safe."""

    def __init__(self) -> None:
        self.bar = Bar()
        self._known: dict[str, Reliability] = {}
        self._requests = 0
        self._last: deque[str] = deque(maxlen=ABOUT)  # who made the last requests
        self._asked: dict[str, tuple[int, int]] = {}  # number and time (ms) of everybody's last request, newest last
        self._ahead = ""  # the better one who was about when it was last asked: mostly still is
        self._refused: Counter[str] = Counter()

    def learn(self, annotator: str, known: Reliability) -> None:
        """Takes over what an assessment says of its annotator."""
        self._known[annotator] = known
        heard = self.bar.heard + 1
        if heard % REFRESHED:
            self.bar = replace(self.bar, heard=heard)
        else:
            self.bar = bar_of([self._known.get(one) for one in self._last], heard)

    def asks(self, annotator: str, now: int) -> Grade:
        """The annotator's grade; notes the request, made at `now` (ms)."""
        self._requests += 1
        self._asked.pop(annotator, None)
        self._asked[annotator] = self._requests, now
        self._last.append(annotator)
        return self.grade(annotator)

    def grade(self, annotator: str) -> Grade:
        """Where the annotator stands in the crowd."""
        return self.bar.grade(self._known.get(annotator))

    def grades(self, annotators: Iterable[str]) -> dict[str, Grade]:
        """See `Bar.told`."""
        return self.bar.told({annotator: self._known.get(annotator) for annotator in annotators})

    def is_refused(self, annotator: str, reasons: int) -> bool:
        """Whether this request of theirs finds nothing, where so many reasons speak against meeting it."""
        self._refused[annotator] += 1
        return is_refused(self._refused[annotator], reasons)

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

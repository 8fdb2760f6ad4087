"""One simulated campaign from its first pair to its last: who asks when, what they answer, what came of it."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import NamedTuple

from services.queue.port import Grant
from services.simulation.annotators import Annotator, Answer, Archetype, Item, chance_right, judged, make_items
from services.simulation.campaign import InMemoryCampaign
from services.simulation.plan import Plan
from streams.events import Alert, Event, Judgment, Standing, TaskUpdate
from streams.quality.calibration import calibration_error

BEGIN = 1_790_000_000_000  # ms
AGAIN_S = 120  # from a request that found nothing to the next one
PATIENCE_S = 3_600  # without anybody's judgment, until nobody asks any more
BETWEEN_S = 60.0  # from one task of an average person to their next, reading included
ADJUDICATOR = "adjudicator"
LOOK_EVERY = 200  # judgments, from one look at the whole crowd to the next
TYPICAL = 500  # items whose difficulty says what an accuracy is worth


@dataclass(kw_only=True)
class Record:
    """What happened to one annotator. Counts are of their own judgments."""

    kind: Archetype
    accuracy: float
    judgments: int = 0
    counted: int = 0  # since their misconduct began; of honest people all
    alarmed_after: int | None = None  # of the counted ones, at the first alarm of any kind
    weighted_after: int | None = None  # of the counted ones, when their weight was first lowered
    suspended_after: int | None = None  # of the counted ones, when they were suspended
    turned_away: bool = False  # by the qualification round


@dataclass(frozen=True, kw_only=True)
class Result:
    """Of one trial. Shares are of all pairs, gold apart."""

    target: float
    seed: int
    pairs: int
    judgments: int  # paid, gold included, adjudication not
    adjudicated: int
    right: float  # the verdict is the truth; without a verdict it is not
    undecided: float
    calibration_error: float | None  # of verdicts by consensus
    cost: float
    hours: float  # from the first task to the last judgment
    requests: int  # for a task, until the last judgment; a request finds one or nothing
    records: tuple[Record, ...]

    @property
    def labels_per_pair(self) -> float:
        """Judgments a pair, gold and adjudication included."""
        return (self.judgments + self.adjudicated) / self.pairs

    @property
    def by_bad(self) -> float:
        """Share of the judgments that were given in misconduct."""
        return sum(one.counted for one in self.records if one.kind != "honest") / max(self.judgments, 1)

    @property
    def in_vain(self) -> float:
        """Share of the requests that found nothing."""
        return 1 - self.judgments / self.requests if self.requests else 0.0


class Moment(NamedTuple):
    """Somebody is due: to ask for a task, or to hand in the answer to the one they hold."""

    at: int  # ms
    number: int  # no two are alike, so moments are ordered by time and number alone
    who: Annotator
    held: tuple[Grant, Answer] | None
    asked_at: int


class Trial:
    """One campaign at one target with one seed; `run` once."""

    def __init__(self, plan: Plan, target: float, seed: int) -> None:
        self._plan, self._target, self._seed = plan, target, seed
        items = make_items(
            plan.pairs + plan.gold, ties=plan.ties, difficulty_sd=plan.difficulty_sd, length=plan.length, seed=seed
        )
        self._items = {item.pair: item for item in items}
        self._gold = {item.pair for item in items[plan.pairs :]}
        self._crowd = plan.crowd_of_seed(seed)
        self._records = {
            one.name: Record(kind=one.kind, accuracy=accuracy_on(items[:TYPICAL], one)) for one in self._crowd
        }
        self._campaign = InMemoryCampaign(plan.campaign(target), self._hear)
        self._numbers = count()
        self._due: list[Moment] = []
        self._absent = [one for one in self._crowd if one.kind == "sybil"]
        self._begun: set[str] = set()
        self._done: set[str] = set()
        self._adjudicated = 0
        self._requests = self._requests_until_last = 0
        self._now = self._last_judged = BEGIN

    def run(self) -> Result:
        """Everybody works until nobody finds anything to do; then an adjudicator takes what stayed undecided."""
        for item in self._items.values():
            prompt, a, b = words(item)
            gold = item.truth if item.pair in self._gold else None
            self._campaign.add_pair(item.pair, prompt=prompt, a=a, b=b, gold=gold, at=BEGIN)
        self._come([one for one in self._crowd if one not in self._absent])
        while self._due:
            moment = heapq.heappop(self._due)
            self._now = moment.at
            if moment.held is None:
                self._ask(moment.who)
            else:
                self._hand_in(moment, *moment.held)
        self._adjudicate()
        for name, record in self._records.items():
            record.turned_away = self._campaign.qualified(name) == "failed"
        return self._result()

    # ------------------------------------------------------------ people

    @property
    def progress(self) -> float:
        """Share of the campaign that is done, in [0, 1]: half of a pair when it is begun, all with its verdict."""
        return (len(self._begun) + len(self._done)) / (2 * self._plan.pairs)

    def _come(self, people: list[Annotator]) -> None:
        for one in people:
            self._put(one, self._now + round(1000 * one.draw.uniform(0, BETWEEN_S)))

    def _put(self, one: Annotator, at: int, held: tuple[Grant, Answer] | None = None) -> None:
        heapq.heappush(self._due, Moment(at, next(self._numbers), one, held, self._now))

    def _ask(self, one: Annotator) -> None:
        self._requests += 1
        grant = self._campaign.next_task(one.name, self._now)
        if grant is None:
            is_over = self._now - self._last_judged > 1000 * PATIENCE_S
            if self._may_work(one) and not is_over:
                self._put(one, self._now + 1000 * AGAIN_S)
            return
        item = self._items[grant.facts.correlation]
        answer = one.answer(item, swapped=grant.swapped, progress=self.progress)
        self._put(one, self._now + max(1, round(1000 * answer.seconds)), (grant, answer))

    def _may_work(self, one: Annotator) -> bool:
        is_suspended = self._records[one.name].suspended_after is not None
        return not is_suspended and self._campaign.qualified(one.name) != "failed"

    def _hand_in(self, moment: Moment, grant: Grant, answer: Answer) -> None:
        one, record = moment.who, self._records[moment.who.name]
        if record.suspended_after is not None:  # since they asked
            return
        record.judgments += 1
        record.counted += record.kind == "honest" or one.is_bad(self.progress)
        self._campaign.judge(grant, answer.choice, self._now, shown_at=moment.asked_at, reason=answer.reason)
        if self._campaign.judgments % LOOK_EVERY == 0:
            self._campaign.look_at_crowd(self._now)
        rest = round(1000 * one.draw.expovariate(one.activity / BETWEEN_S))
        self._put(one, max(self._now, moment.asked_at + rest))
        self._last_judged, self._requests_until_last = self._now, self._requests
        if self._absent and self.progress >= self._plan.since:
            self._come(self._absent)
            self._absent = []

    def _adjudicate(self) -> None:
        draw = Random(f"{self._seed}/{ADJUDICATOR}")
        for _ in range(self._campaign.escalated()):
            grant = self._campaign.next_task(ADJUDICATOR, self._now, adjudicates=True)
            if grant is None or grant.role != ADJUDICATOR:
                return
            choice = judged(draw, self._items[grant.facts.correlation], self._plan.adjudicator_accuracy)
            self._campaign.judge(grant, choice, self._now)
            self._adjudicated += 1

    # ------------------------------------------------------------ what is heard, and what came of it

    def _hear(self, event: Event) -> None:
        match event:
            case Judgment() if event.gold is None:
                self._begun.add(event.task)
            case TaskUpdate():
                (self._done.discard if event.status == "open" else self._done.add)(event.task)
            case Alert():
                record = self._records[event.annotator]
                if record.alarmed_after is None:
                    record.alarmed_after = record.counted
            case Standing() if event.enforced and event.standing != "active":
                record = self._records[event.annotator]
                if record.weighted_after is None:
                    record.weighted_after = record.counted
                if event.standing == "suspended":
                    record.suspended_after = record.counted

    def _result(self) -> Result:
        plan, closed = self._plan, self._campaign.closed()
        right = {pair: one.verdict == self._items[pair].truth for pair, one in closed.items()}
        believed = [(max(one.posterior), right[pair]) for pair, one in closed.items() if one.reached == "target"]
        judgments = self._campaign.judgments - self._adjudicated
        return Result(
            target=self._target,
            seed=self._seed,
            pairs=plan.pairs,
            judgments=judgments,
            adjudicated=self._adjudicated,
            right=sum(right.values()) / plan.pairs,
            undecided=1 - len(closed) / plan.pairs,
            calibration_error=calibration_error(believed) if believed else None,
            cost=judgments * plan.price + self._adjudicated * plan.adjudication_price,
            hours=(self._last_judged - BEGIN) / 3_600_000,
            requests=self._requests_until_last,
            records=tuple(self._records.values()),
        )


def words(item: Item) -> tuple[str, str, str]:
    """A prompt and two responses that are together about as long as the item."""
    long = (item.length - 60) // 2
    return f"{item.pair} ".ljust(60, "."), f"{item.pair} a ".ljust(long, "."), f"{item.pair} b ".ljust(long, ".")


def accuracy_on(items: Sequence[Item], one: Annotator) -> float:
    """Their accuracy at their best, on items of that difficulty."""
    return sum(chance_right(one.accuracy, item.difficulty) for item in items) / len(items)

"""What a set of judgments says: consensus, agreement, annotators.

The judgments go through the stages assessments and preferences in their order, as they would live; then
streams/quality/refinement.py looks at all of them once more with what was learned last.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from statistics import median

import msgspec

from services.aggregate.reading import Row
from services.replay.recordings import milliseconds
from streams.errors import InputError
from streams.events import (
    Agreement,
    Alert,
    Assessment,
    Candidate,
    Choice,
    Event,
    Judgment,
    Reliability,
    Response,
    Standing,
    Task,
    digest,
)
from streams.quality import agreement
from streams.quality.calibration import calibration_error
from streams.quality.consensus import Posterior, verdict
from streams.quality.intervals import Estimate
from streams.quality.labelled import Labelled
from streams.quality.refinement import refine
from streams.stages import assessments, preferences


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Of one item."""

    item: str
    label: Choice
    belief: Posterior
    n: int  # judgments


@dataclass(frozen=True, kw_only=True)
class Worker:
    """Of one annotator: reliability in the end, agreement with the consensus of the others, alarms raised."""

    annotator: str
    known: Reliability
    agreed: float  # share of judgments that equal the verdict
    seconds: float | None  # median
    alarms: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Score:
    """Against gold."""

    items: int
    accuracy: float
    calibration_error: float  # expected, ten bins of equal mass
    missing: int  # gold items without a judgment


@dataclass(frozen=True, kw_only=True)
class Findings:
    """All that `aggregate` found."""

    outcomes: list[Outcome]
    workers: list[Worker]
    judgments: int
    agreed: agreement.Agreed
    cohen: tuple[Estimate, int] | None  # mean over pairs of annotators, and how many pairs
    score: Score | None = None


@dataclass(kw_only=True)
class Loop:
    """The circle assessments ⇄ preferences, over dictionaries."""

    annotators: dict[str, assessments.State | None] = field(default_factory=dict)
    tasks: dict[str, preferences.State | None] = field(default_factory=dict)
    alerts: list[Alert] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=count)

    def push(self, event: Event) -> None:
        """Applies the event and all that follows from it."""
        waiting = deque([event])
        while waiting:
            waiting.extend(self.follow(msgspec.structs.replace(waiting.popleft(), id=str(next(self.numbers)))))

    def follow(self, event: Event) -> list[Event]:
        """What one event leads to."""
        if isinstance(event, Alert):
            self.alerts.append(event)
        match event:
            case Judgment() | Agreement() | Standing():
                name = event.annotator
                self.annotators[name], said = assessments.step(self.annotators.get(name), event)
            case Task() | Assessment():
                self.tasks[event.task], said = preferences.step(self.tasks.get(event.task), event)
            case _:
                said = []
        return said


def task_of(item: str) -> Task:
    """A task without texts."""
    a, b = (Candidate(output=item, position=i, response=Response(digest="", length=0)) for i in (0, 1))
    return Task(task=item, a=a, b=b, prompt_digest="", prompt_length=0, mode="recorded")


def judgment_of(label: Labelled, row: Row, revision: int) -> Judgment:
    """The label as a judgment in a recorded campaign."""
    return Judgment(
        judgment=digest("judgment", label.item, label.annotator, str(revision)),
        task=label.item,
        annotator=label.annotator,
        revision=revision,
        choice=label.choice,
        swapped=label.swapped,
        answered_at=milliseconds(row.t_end) if row.t_end else 0,
        mode="recorded",
    )


def run(judgments: Iterable[tuple[Labelled, Row]]) -> Loop:
    """All judgments through the stages, in order; an annotator's later label on an item revises the former."""
    loop = Loop()
    revisions: Counter[tuple[str, str]] = Counter()
    for label, row in judgments:
        if label.item not in loop.tasks:
            loop.push(task_of(label.item))
        revisions[label.item, label.annotator] += 1
        loop.push(judgment_of(label, row, revisions[label.item, label.annotator]))
    return loop


def find(judgments: Sequence[tuple[Labelled, Row]], gold: Mapping[str, Choice] | None, loop: Loop) -> Findings:
    """Consensus, agreement and annotators, from the judgments and what the stages made of them."""
    newest = {(label.item, label.annotator): (label, row) for label, row in judgments}
    labels = [label for label, _ in newest.values()]
    refined = refine(labels)
    sizes = Counter(label.item for label in labels)
    outcomes = [
        Outcome(item=item, label=verdict(belief)[0], belief=belief, n=sizes[item])
        for item, belief in refined.posteriors.items()
    ]
    rows = [(label.item, label.annotator, label.choice) for label in labels]
    return Findings(
        outcomes=outcomes,
        workers=workers_of(list(newest.values()), outcomes, refined.annotators, loop.alerts),
        judgments=len(judgments),
        agreed=agreement.agreed(rows),
        cohen=agreement.mean_cohen(rows),
        score=score_of(outcomes, gold) if gold is not None else None,
    )


def workers_of(
    judgments: Sequence[tuple[Labelled, Row]],
    outcomes: Iterable[Outcome],
    known: Mapping[str, Reliability],
    alerts: Iterable[Alert],
) -> list[Worker]:
    """Every annotator, the busiest first."""
    verdicts = {outcome.item: outcome.label for outcome in outcomes}
    agreed: dict[str, list[bool]] = defaultdict(list)
    seconds: dict[str, list[float]] = defaultdict(list)
    alarms: dict[str, dict[str, None]] = defaultdict(dict)  # each hypothesis once, in the order of the alarms
    for label, row in judgments:
        agreed[label.annotator].append(label.choice == verdicts[label.item])
        if row.seconds is not None:
            seconds[label.annotator].append(row.seconds)
    for alert in alerts:
        alarms[alert.annotator][alert.hypothesis] = None
    workers = [
        Worker(
            annotator=who,
            known=known[who],
            agreed=sum(hits) / len(hits),
            seconds=median(seconds[who]) if seconds[who] else None,
            alarms=tuple(alarms[who]),
        )
        for who, hits in agreed.items()
    ]
    return sorted(workers, key=lambda worker: (-worker.known.judgments, worker.annotator))


def score_of(outcomes: Sequence[Outcome], gold: Mapping[str, Choice]) -> Score:
    """How the consensus does on the items whose answer is known."""
    graded = [(max(o.belief), o.label == gold[o.item]) for o in outcomes if o.item in gold]
    if not graded:
        message = "the gold file has no item in common with the judgments"
        raise InputError(message, field="item", mend="give gold for the same item ids, in the columns item and label")
    return Score(
        items=len(graded),
        accuracy=sum(right for _, right in graded) / len(graded),
        calibration_error=calibration_error(graded),
        missing=len(gold) - len(graded),
    )

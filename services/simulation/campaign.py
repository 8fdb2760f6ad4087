"""A live campaign in memory: the service's own admission, assignment queue and steps, without log, disk or HTTP.

Any crowd can drive it, made up or recorded. Times are milliseconds since 1970 and must not go backwards.

    campaign = InMemoryCampaign(Campaign(name="trial", version=1, targets=Targets(posterior=0.95)))
    campaign.add_pair("pair-1", prompt="What is a mutex?", a="A lock.", b="A kind of bread.")
    while (grant := campaign.next_task("ada", now)) is not None:
        campaign.judge(grant, "a", now + 20_000)             # canonical sides; grant.swapped: b stood on the left
        now += 20_000
    campaign.closed()                                        # {"pair-1": Closed(verdict="a", posterior=(…), …)}
    campaign.refined()                                       # {"pair-1": its posterior by all that is known now}
    campaign.suspended()                                     # {annotator: the Standing, with its reason}
    campaign.look_at_crowd(now)                              # now and then: rings, copied reasons, bursts
    campaign.alerts                                          # every alarm so far, the oldest first

The same calls in the same order give the same campaign.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from services.coordinator import priors
from services.queue.decisions import assignment_of
from services.queue.entries import Entry
from services.queue.memory import MemoryQueue
from services.queue.port import Grant, Worker
from services.simulation.watch import CrowdWatch
from streams.admission import RawJudgment, RawOutput, Shown, Side, admit_output, stamp_judgment
from streams.engines.in_memory import InMemoryLoop
from streams.engines.port import Record
from streams.events import (
    Alert,
    Assessment,
    Assignment,
    Campaign,
    Choice,
    Event,
    Flag,
    Judgment,
    Preference,
    Reliability,
    Retraction,
    Standing,
    Task,
    TaskStatus,
    TaskUpdate,
)
from streams.quality import gold
from streams.quality.consensus import Posterior
from streams.quality.labelled import Labelled
from streams.quality.qualification import Outcome, decide
from streams.quality.routing import Grade
from streams.stages.preferences import Vote, countable

FOR_THE_QUEUE: frozenset[type[Event]] = frozenset(
    (Campaign, Task, TaskUpdate, Standing, Assignment, Judgment, Assessment, Retraction)
)


@dataclass(frozen=True, kw_only=True)
class Closed:
    """A pair that has its verdict."""

    verdict: Choice
    posterior: Posterior  # over a, b and tie
    judgments: int  # that the verdict rests on
    reached: str  # target, cap or adjudicated


class InMemoryCampaign:
    """See the module. `definition` is the campaign as put to the API; `listen` is told every event there is."""

    def __init__(self, definition: Campaign | None = None, listen: Callable[[Event], object] | None = None) -> None:
        self.definition = definition or Campaign(name="simulation", version=1)
        self.alerts: list[Alert] = []
        self.standings: dict[str, Standing] = {}  # the newest that is enforced, by annotator
        self.reliability: dict[str, Reliability] = {}  # as of their last judgment, by annotator
        self.judgments = 0  # taken, gold included
        self.judgments_on_gold = 0
        self._right_on_gold: dict[str, list[bool]] = defaultdict(list)  # answers in their order, by annotator
        self.preferences: dict[str, Preference] = {}  # the newest, by task
        self.statuses: dict[str, TaskStatus] = {}  # of tasks that were ever more than open
        self._watch = CrowdWatch()
        self._crowd: priors.Shares | None = None  # what its members are like, once that is known
        self._notes: dict[type[Event], Callable[[Any], None]] = {
            Judgment: self._note_judgment,
            Assessment: self._note_assessment,
            Preference: self._note_preference,
            TaskUpdate: self._note_task_update,
            Alert: self.alerts.append,
            Standing: self._note_standing,
        }
        self._queue = MemoryQueue(_NoArchive())
        self._queue.restore(iter(()), [], {}, {}, {})
        self._offsets = count()
        self._listen = listen
        self._loop = InMemoryLoop(self._hear)
        self.push(self.definition)

    # ------------------------------------------------------------ driving it

    def add_pair(
        self,
        pair: str,
        *,
        prompt: str = "",
        a: str = "",
        b: str = "",
        tags: dict[str, str] | None = None,
        gold: Choice | None = None,
        at: int = 0,
    ) -> None:
        """Two responses to compare, under the rules of the campaign; `gold` where the answer is known.

        Words that are left out are made up, 60 characters of prompt and 300 of each response. Raises InputError.
        """
        responses: list[Any] = [a or f"{pair} a ".ljust(300, "."), b or f"{pair} b ".ljust(300, ".")]
        raw = RawOutput(
            prompt=prompt or f"{pair} ".ljust(60, "."),
            responses=responses,
            id=pair,
            campaign=self.definition.name,
            tags=tags or {},
            gold=gold,
        )
        output, _ = admit_output(raw, self.definition, at, "simulation")
        self.push(output)

    def next_task(
        self, annotator: str, at: int, *, skills: frozenset[str] = frozenset(), adjudicates: bool = False
    ) -> Grant | None:
        """The task that this annotator gets now; None where there is none for them: they may be suspended or unfit.

        `grant.facts.correlation` is the pair, `grant.swapped` says that b is shown on the left. A grant holds for the
        campaign's `lease_seconds`. Who has open leases is given the oldest again once the queue has nothing new.
        """
        if self._queue.standing(annotator) == "suspended":
            return None
        for ended in self._queue.expire(at):
            self.push(ended)
        worker = self._worker(annotator, skills, adjudicates)
        grant = self._queue.next(worker, at, None, ())
        if grant is not None and not grant.renewed:
            self.push(assignment_of(grant, at))
            self._queue.settle_grant(grant, durable=True)
        return grant

    def judge(
        self,
        grant: Grant,
        choice: Choice,
        at: int,
        *,
        shown_at: int | None = None,
        reason: str = "",
        flags: Sequence[Flag] = (),
        strength: int | None = None,
    ) -> None:
        """Takes the judgment, answered at `at`; everything that follows has happened when it returns.

        Raises ForbiddenError where the annotator was suspended since the grant, InputError for what the API refuses.
        """
        claim = self._queue.claim(grant.facts.task, grant.annotator, grant.revision, at)
        raw = RawJudgment(
            task=grant.facts.task,
            choice=side_of(choice, swapped=grant.swapped),
            strength=strength,
            flags=list(flags),
            reason=reason,
            shown_at=shown_at,
            answered_at=at,
            revision=grant.revision,
        )
        shown = Shown(annotator=grant.annotator, role=grant.role, swapped=grant.swapped, late=claim.late)
        judgment, _ = stamp_judgment(raw, grant.facts, shown, self.definition, at, f"annotator:{grant.annotator}")
        self._queue.settle_claim(claim, "new")
        self.push(judgment)
        if self.judgments % priors.GROWTH == 0:
            self._look_at_members(at)
        elif self._crowd is not None and (mine := self.state("assessments", grant.annotator)).judgments == 1:
            self._tell(grant.annotator, mine.prior, at)

    def skip(self, grant: Grant, at: int, reason: str = "") -> None:
        """Gives the task back to the others."""
        skipped = self._queue.skip(grant.facts.task, grant.annotator, reason, at)
        if skipped is not None:
            self._queue.settle_skip(skipped, durable=True)
            self.push(skipped)

    def push(self, event: Event) -> None:
        """Any other event of the log, such as a lead's Standing or a Retraction, with all that follows from it."""
        self._loop.push(event)

    def look_at_crowd(self, at: int) -> list[Alert]:
        """What the coordinator does now and then: alarms for rings, copied reasons and bursts that are new.

        They are among `alerts` from then on; suspending somebody for them is a lead's decision.
        """
        found = self._watch.look(self.preferences, at)
        for alert in found:
            self.push(alert)
        return found

    def _look_at_members(self, at: int) -> None:
        """Learns what the crowd is like and tells its members, as the coordinator does."""
        states = self._loop.states["assessments"]
        self._crowd = priors.learned(state.grades for state in states.values())
        for annotator in list(states) if self._crowd is not None else ():
            self._tell(annotator, states[annotator].prior, at)

    def _tell(self, annotator: str, before: Sequence[float], at: int) -> None:
        if self._crowd is not None and priors.has_moved(before, self._crowd):
            self.push(priors.prior_of(annotator, self._crowd, len(self.reliability), at))

    # ------------------------------------------------------------ what came of it

    def closed(self) -> dict[str, Closed]:
        """Every pair that is done, in the order in which pairs got their first verdict. Gold is not among them."""
        return {
            preference.correlation: _closed(preference)
            for task, preference in self.preferences.items()
            if preference.verdict is not None and self.statuses.get(task) == "closed"
        }

    def refined(self) -> dict[str, Posterior]:
        """The posterior over a, b and tie of every judged pair, from all that is known by now: what a batch would hold.

        A verdict of the first hour may turn, once its people have shown how reliable they are. Three seconds for 15,000
        judgments, seven for 50,000 (streams/quality/refinement.py), so ask at the end, or now and then.
        """
        from services.analysis.refined import refined_posteriors  # numpy: every command has this module in it

        tasks = self._loop.states["preferences"].values()
        heard = [(state.task, vote) for state in tasks if state.task.gold is None for vote in countable(state)]
        heard.sort(key=lambda pair: pair[1].answered_at)
        return refined_posteriors([labelled(task, vote) for task, vote in heard])

    def suspended(self) -> dict[str, Standing]:
        """Who may not judge now, with since when and why."""
        return {name: standing for name, standing in self.standings.items() if standing.standing == "suspended"}

    def qualified(self, annotator: str) -> Outcome:
        """How the annotator's qualification round stands; "passed" where the campaign has none."""
        return decide(self._right_on_gold[annotator], self.definition.qualification)[0]

    def grade(self, annotator: str) -> Grade | None:
        """Where the annotator stands in the crowd: what they are asked for, and how often; None until that is known."""
        return self._queue.grades([annotator]).get(annotator)

    def escalated(self) -> int:
        """Tasks that wait for an adjudicator."""
        return sum(status == "escalated" for status in self.statuses.values())

    def state(self, stage: str, key: str) -> Any:
        """What a stage remembers of that key (an annotator, a task), or None."""
        return self._loop.states[stage].get(key)

    def _worker(self, annotator: str, skills: frozenset[str], adjudicates: bool) -> Worker:
        """Who asks, with what the campaign wants of them; as services/api/handout.py."""
        name, outcome = self.definition.name, self.qualified(annotator)
        return Worker(
            annotator=annotator,
            skills=skills,
            adjudicates=adjudicates,
            gold_rates=self._gold_rates(annotator),
            unqualified=frozenset((name,) if outcome == "open" else ()),
            barred=frozenset((name,) if outcome == "failed" else ()),
        )

    def _gold_rates(self, annotator: str) -> dict[str, float]:
        known, terms = self.reliability.get(annotator), self.definition
        if known is None or not terms.gold.adaptive:
            return {}
        in_doubt = self._queue.standing(annotator) != "active"
        return {terms.name: gold.rate(terms.gold_rate, known.accuracy_low, known.accuracy_high, in_doubt=in_doubt)}

    # ------------------------------------------------------------ listening

    def _hear(self, event: Event) -> None:
        if self._listen is not None:
            self._listen(event)
        if type(event) in FOR_THE_QUEUE:  # which wants to know of a record what came first, and nothing else
            self._queue.apply((Record(topic="", partition=0, offset=next(self._offsets), key="", event=event),))
        note = self._notes.get(type(event))
        if note is not None:
            note(event)

    def _note_judgment(self, event: Judgment) -> None:
        self.judgments += 1
        self.judgments_on_gold += event.gold is not None
        if event.gold is not None and event.revision == 1:
            self._right_on_gold[event.annotator].append(event.choice == event.gold)
        self._watch.hear(event)

    def _note_assessment(self, event: Assessment) -> None:
        self.reliability[event.annotator] = event.reliability

    def _note_preference(self, event: Preference) -> None:
        self.preferences[event.task] = event

    def _note_task_update(self, event: TaskUpdate) -> None:
        self.statuses[event.task] = event.status

    def _note_standing(self, event: Standing) -> None:
        if event.enforced:
            self.standings[event.annotator] = event


class _NoArchive:
    """Nothing is ever dropped from this queue's memory but closed tasks, which nobody asks for again."""

    def load(self, task: str) -> Entry | None:
        return None

    def is_current(self) -> bool:
        return True


def side_of(choice: Choice, *, swapped: bool) -> Side:
    """The side of the screen on which that response stood."""
    if choice == "tie":
        return "tie"
    return "left" if (choice == "a") != swapped else "right"


def labelled(task: Task, vote: Vote) -> Labelled:
    """A vote as the refinement sees it."""
    return Labelled(
        item=task.correlation, annotator=vote.annotator, choice=vote.choice, swapped=vote.swapped, weight=vote.weight
    )


def _closed(preference: Preference) -> Closed:
    assert preference.verdict is not None
    return Closed(
        verdict=preference.verdict,
        posterior=(preference.p_a, preference.p_b, preference.p_tie),
        judgments=len(preference.judgments),
        reached=preference.reached,
    )

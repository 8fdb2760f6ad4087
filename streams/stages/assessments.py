"""judgments, agreements, standings, priors → assessments, alerts, standings: what is known of each annotator.

A judgment is scored with what was known before it; only then is it learned from. Gold teaches at once, other tasks
through the agreements that the stage preferences sends back. An agreement makes no new assessment, so the circle
assessments ⇄ preferences ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from operator import truediv
from typing import TypeVar, cast

from msgspec.structs import replace

from streams.events import (
    Agreement,
    Alert,
    Assessment,
    Check,
    Choice,
    Event,
    Hypothesis,
    Judgment,
    Prior,
    Reliability,
    Standing,
    StandingName,
    Struct,
    digest,
)
from streams.quality import floor, gold, pattern, reasons, reliability, sequential, side, speed
from streams.quality.alarms import LEVELS, TESTS, evidence, reached, returns
from streams.quality.consensus import Posterior
from streams.quality.reliability import Grades
from streams.quality.sequential import Test
from streams.quality.speed import Pace
from streams.stages.derive import derive

STAGE = "assessments"
BY = f"stage:{STAGE}"
MEMORY = 48  # judgments, and other events, remembered by id: undo lasts a lease, redelivery a moment
COMMON_VIEW: tuple[Hypothesis, ...] = ("accuracy", "change")  # measured by what the others say
HASTE = 0.5  # weight of a judgment given faster than its texts can be read
BEGUN = Test()
RANK: dict[StandingName, int] = {"active": 0, "weighted": 1, "suspended": 2}

V = TypeVar("V")
Bets = tuple[str, list[float]]  # test, likelihood ratio of each of its alternatives
Step = tuple["State", list[Event]]


class State(Struct, frozen=True, kw_only=True):
    """Of one annotator. Bounded: at most about 5 kB as JSON."""

    standing: StandingName = "active"
    weight: float = 1.0
    recorded: bool = False  # the last judgment came from a recorded campaign: alarms are reported, not enforced
    spread: bool = False  # or from one that wants the spread of views: those that rest on the common view are not
    judgments: int = 0
    grades: Grades = Grades()
    prior: tuple[float, ...] = reliability.PRIOR  # of the crowd, over reliability.LEVELS
    pressed: str = ""  # the last answers as pressed: L, R, T
    pace: Pace = Pace()
    reasons: tuple[str, ...] = ()  # sketches of the last reasons
    running: dict[str, Test] = {}
    recent: dict[str, str] = {}  # hash of the task → revision and choice, the newest last
    heard: dict[str, int] = {}  # hashes of the agreements and standings applied, the newest last


def step(state: State | None, event: Event) -> tuple[State | None, list[Event]]:
    """The annotator's state after the event, and what follows."""
    match event:
        case Judgment():
            return on_judgment(state or State(), event)
        case Agreement():
            return on_agreement(state or State(), event)
        case Standing():
            return on_standing(state or State(), event)
        case Prior():
            return on_prior(state or State(), event)
        case _:
            return state, []


# ---------------------------------------------------------------- judgments


def on_judgment(state: State, event: Judgment) -> Step:
    """Scores the judgment, then learns from it. A revision takes the former one's place; a double changes nothing."""
    key = short(event.task)
    before = state.recent.get(key)
    if before is not None and int(before.partition(" ")[0]) >= event.revision:
        return state, []
    checks = tuple(checked(state, event))
    assessment = assess(state, event, checks)
    recent = remember(state.recent, key, f"{event.revision} {event.choice}")
    if before is not None:
        former = cast(Choice, before.partition(" ")[2])
        grades = taught(state.grades, event, former, sign=-1)
        return replace(state, grades=taught(grades, event, event.choice), recent=recent), [assessment]
    pressed, foretold = pattern.observe(state.pressed, pattern.symbol(event.choice, event.swapped))
    learned = replace(
        state,
        recorded=event.mode == "recorded",
        spread=event.spread,
        judgments=state.judgments + 1,
        grades=taught(state.grades, event, event.choice),
        pressed=pressed,
        pace=speed.paced(state.pace, event),
        reasons=kept(state.reasons, event.reason_sketch),
        running={} if state.recorded and event.mode == "live" else state.running,  # no record held against the living
        recent=recent,
    )
    state, alarms = settle(learned, event, event.judgment, bets_on(event, checks, foretold))
    return state, [assessment, *alarms]


def checked(state: State, event: Judgment) -> Iterator[Check]:
    """What can be checked of this judgment, by what was known of its annotator before it."""
    found = (speed.check(event), speed.pace_check(state.pace, event), gold.check(event))
    yield from (check for check in found if check)
    if event.role == "model":
        return  # it may sound like one
    again = reasons.repeated(event.reason_sketch, state.reasons)
    if again is not None:
        yield Check(name="reason", passed=not again, detail="nearly the words of an earlier reason" if again else "")
    if event.reason_length:
        yield Check(name="machine", passed=not event.reason_signs, detail=", ".join(event.reason_signs))


def kept(sketches: tuple[str, ...], sketch: str) -> tuple[str, ...]:
    """The sketches with this one as the newest, the oldest forgotten."""
    return (*sketches, sketch)[-reasons.REMEMBERED :] if sketch else sketches


def assess(state: State, event: Judgment, checks: tuple[Check, ...]) -> Assessment:
    """The judgment with what was known of its annotator before it."""
    return derive(
        Assessment,
        event,
        STAGE,
        judgment=event.judgment,
        task=event.task,
        annotator=event.annotator,
        revision=event.revision,
        choice=event.choice,
        swapped=event.swapped,
        role=event.role,
        flags=event.flags,
        reliability=known_of(state),
        weight=weigh(state, event, checks),
        checks=checks,
        late=event.late,
        gold=event.gold,
        answered_at=moment(event),
    )


def known_of(state: State) -> Reliability:
    """What is known of the annotator. Where alarms enforce nothing, what the watch for a change suspects is in it."""
    watch = state.running.get("change", BEGUN) if state.recorded else BEGUN
    return reliability.summary(state.grades, state.judgments, state.prior, [bet.capital for bet in watch.bets])


def weigh(state: State, event: Judgment, checks: Iterable[Check]) -> float:
    """The judgment's weight in the consensus: the annotator's, less for haste where alarms are enforced."""
    hasty = event.mode == "live" and any(check.name == "speed" and not check.passed for check in checks)
    return state.weight * HASTE if hasty else state.weight


def moment(event: Judgment) -> int:
    """When it was judged, in ms; 0 unknown."""
    return event.answered_at or event.occurred_at


def taught(grades: Grades, event: Judgment, choice: Choice, sign: int = 1) -> Grades:
    """The grades with this choice on the event's task: the tie rate, and the accuracy where the answer is known."""
    grades = reliability.learn_choice(grades, moment(event), choice, event.swapped, sign)
    if event.gold is None:
        return grades
    return reliability.learn_graded(grades, moment(event), choice, reliability.GOLD[event.gold], sign)


def bets_on(event: Judgment, checks: Iterable[Check], foretold: bool | None) -> Iterator[Bets]:
    """The bets that a first judgment of a task settles."""
    for check in checks:
        yield check.name, returns(check.name, not check.passed)
    on_left = side.picked_left(event)
    if on_left is not None:
        yield "left", returns("left", on_left)
        yield "right", returns("right", not on_left)
    if foretold is not None:
        yield "pattern", returns("pattern", foretold)
    if event.gold is not None and event.choice != "tie":
        yield from bets_on_accuracy(event.choice, reliability.GOLD[event.gold])


def bets_on_accuracy(choice: Choice, others: Posterior) -> Iterator[Bets]:
    """The bets that what the others (or the known answer) say of a decisive judgment settles."""
    yield "accuracy", floor.ratios(choice, others, floor.LIFETIME)
    yield "change", floor.ratios(choice, others, floor.WATCH)


# ---------------------------------------------------------------- agreements


def on_agreement(state: State, event: Agreement) -> Step:
    """Learns what the others made of a judgment; a revised agreement takes the former one's place in the grades.

    Gold has taught already, by its known answer. The tests bet on a judgment once, on the first agreement.
    """
    key = short(event.id)
    if event.gold is not None or key in state.heard:
        return state, []
    at, grades = event.answered_at, state.grades
    if event.previous is not None:
        grades = reliability.learn_graded(grades, at, event.choice, event.previous, sign=-1)
    if not event.withdrawn:
        grades = reliability.learn_graded(grades, at, event.choice, event.others)
    learned = replace(state, grades=grades, heard=remember(state.heard, key, 1))
    if event.choice == "tie":
        return learned, []
    if event.previous is not None and not event.withdrawn:
        return corrected(learned, event.choice, event.others, event.previous), []
    if event.again or event.withdrawn:
        return learned, []
    return settle(learned, event, event.judgment, bets_on_accuracy(event.choice, event.others))


def corrected(state: State, choice: Choice, others: Posterior, before: Posterior) -> State:
    """The accuracy tests after the others' word on a judgment changed. This alone alarms nobody."""
    former, running = dict(bets_on_accuracy(choice, before)), state.running.copy()
    for name, ratios in bets_on_accuracy(choice, others):
        if name in running:
            running[name] = sequential.correct(running[name], map(truediv, ratios, former[name]))
    return replace(state, running=running)


# ---------------------------------------------------------------- alarms


def settle(state: State, cause: Judgment | Agreement, judgment: str, bets: Iterable[Bets]) -> Step:
    """Moves the tests and raises what alarms follow. Nobody is tested while suspended."""
    if state.standing == "suspended":
        return state, []
    at = cause.answered_at or cause.occurred_at
    running, risen = state.running.copy(), []
    for name, ratios in bets:
        test = sequential.observe(running.get(name, BEGUN), ratios, at, TESTS[name].watch)
        if (level := reached(name, test)) > test.level:
            test = replace(test, level=level)
            risen.append(name)
        running[name] = test
    state = replace(state, running=running)
    alarms: list[Event] = []
    for name in risen:
        alert = alert_of(state, cause, judgment, name, running[name])
        state, standings = sanction(state, cause, alert, running[name].level)
        alarms += [alert, *standings]
    return state, alarms


def alert_of(state: State, cause: Judgment | Agreement, judgment: str, name: str, test: Test) -> Alert:
    """The hypothesis that broke, with the evidence against it."""
    kind, level = TESTS[name], LEVELS[test.level - 1]
    known = known_of(state)
    return derive(
        Alert,
        cause,
        STAGE,
        alert=digest("alert", cause.annotator, name, str(test.level), judgment),
        annotator=cause.annotator,
        hypothesis=kind.hypothesis,
        evidence={
            "test": name,
            "capital": round(evidence(name, test), 1),
            "observations": test.steps,
            "null_rate": round(kind.null, 3),
            "accuracy": round(known.accuracy, 3),
            "standing": level.standing,
            **({"average_run_length": level.run_length} if kind.watch else {}),
        },
        since=sequential.since(test),
        false_alarm_rate=0.0 if kind.watch else level.rate,
        judgment=judgment,
        enforced=not state.recorded and not (state.spread and kind.hypothesis in COMMON_VIEW),
    )


def sanction(state: State, cause: Judgment | Agreement, alert: Alert, reached_level: int) -> Step:
    """Weighs down or suspends where that is worse than what stands; in a recorded campaign it is only said."""
    level = LEVELS[reached_level - 1]
    if RANK[level.standing] <= RANK[state.standing]:
        return state, []
    standing = derive(
        Standing,
        cause,
        STAGE,
        annotator=cause.annotator,
        standing=level.standing,
        weight=level.weight,
        since=alert.since,
        by=BY,
        reason=reason(alert),
        alert=alert.alert,
        enforced=alert.enforced,
    )
    if not alert.enforced:
        return state, [standing]
    return replace(state, standing=level.standing, weight=level.weight), [standing]


REASONS: dict[Hypothesis, str] = {
    "accuracy": "the others' consensus bears the answers out too seldom",
    "change": "since some moment the others' consensus bears the answers out too seldom",
    "speed": "answers faster than the texts can be read",
    "side": "the same side picked whatever stands there",
    "pattern": "answers that follow a fixed pattern",
    "gold": "tasks missed whose answer is known",
    "reasons": "reasons that repeat each other or read like a language model's",
}


def reason(alert: Alert) -> str:
    """The alert in a sentence a lead understands."""
    bound = f"false-alarm rate {alert.false_alarm_rate:g}"
    if not alert.false_alarm_rate:
        bound = f"one false alarm in {alert.evidence['average_run_length']:,} judgments or more"
    return f"{REASONS[alert.hypothesis]} ({bound})"


# ---------------------------------------------------------------- standings


def on_standing(state: State, event: Standing) -> Step:
    """Takes a person's word over the tests'; reinstated, they start again. The stage's own words it knows already."""
    key = short(event.id)
    if event.by == BY or not event.enforced or key in state.heard:
        return state, []
    weight = 0.0 if event.standing == "suspended" else event.weight
    running = {} if event.standing == "active" else state.running
    return replace(
        state, standing=event.standing, weight=weight, running=running, heard=remember(state.heard, key, 1)
    ), []


def on_prior(state: State, event: Prior) -> Step:
    """Takes the annotator for one of this crowd."""
    key = short(event.id)
    if key in state.heard:
        return state, []
    return replace(state, prior=event.shares, heard=remember(state.heard, key, 1)), []


# ---------------------------------------------------------------- memory


def short(identity: str) -> str:
    """A 64-bit hash of an id: the state stays small whatever ids look like."""
    return blake2b(identity.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def remember(memory: dict[str, V], key: str, value: V) -> dict[str, V]:
    """The memory with this entry as its newest, the oldest forgotten."""
    kept = memory.copy()  # a third of the time of {**memory, key: value}, which inserts entry by entry
    kept[key] = value
    if len(kept) > MEMORY:
        del kept[next(iter(kept))]
    return kept

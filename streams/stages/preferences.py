"""tasks, assessments, retractions → preferences, task_updates, agreements: what people prefer.

Every event changes the votes; `decide` says from the votes alone how the task stands; what is said is the difference
to what was said before. So the order between topics does not matter, a double says nothing, and a retraction is
nothing special.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast

from msgspec.structs import replace

from streams.events import (
    Agreement,
    Assessment,
    Choice,
    Event,
    Preference,
    Retraction,
    Role,
    Struct,
    Task,
    TaskStatus,
    TaskUpdate,
)
from streams.quality.consensus import CHOICES, Opinion, Posterior, all_and_others, verdict
from streams.stages.derive import derive

STAGE = "preferences"
ADJUDICATOR_RIGHT = 0.97  # probability given to an adjudicator's word; the rest is shared as the crowd would
COIN = 0.5  # accuracy of who says nothing
NEWS = 0.1  # an agreement is revised when a probability of the others' posterior moved by more than this

Reached = Literal["target", "cap", "adjudicated", "recorded", "withdrawn"]


class Vote(Opinion, frozen=True, kw_only=True, array_like=True):
    """The newest assessment of one annotator on the task. `told` is the posterior in the last agreement about it."""

    judgment: str
    annotator: str
    revision: int
    role: Role = "annotator"
    late: bool = False
    critical: bool = False
    answered_at: int = 0
    told: Posterior | None = None
    settled: bool = False  # an agreement about it, or about a former revision, was told once


class Said(Struct, frozen=True, kw_only=True, array_like=True):
    """The newest preference and task update that were emitted."""

    revision: int = 0
    verdict: Choice | None = None
    belief: Posterior = (0.0, 0.0, 0.0)
    judgments: tuple[str, ...] = ()
    status: TaskStatus = "open"
    slots_wanted: int = 0
    vetoed: bool = False


class State(Struct, frozen=True, kw_only=True):
    """Of one task: itself, its votes in the order of arrival, the judgments withdrawn, and what was said."""

    task: Task | None = None
    votes: tuple[Vote, ...] = ()
    withdrawn: tuple[str, ...] = ()
    said: Said = Said()


class Decision(Struct, frozen=True, kw_only=True):
    """How a task stands. `judgments` are the ids that the verdict rests on."""

    status: TaskStatus
    slots_wanted: int
    counted: int
    lost: int  # slots filled in vain
    belief: Posterior
    verdict: Choice | None = None
    reached: Reached = "withdrawn"
    judgments: tuple[str, ...] = ()
    vetoed: bool = False


def step(state: State | None, event: Event) -> tuple[State | None, list[Event]]:
    """The task's state after the event, and what follows."""
    before = state or State()
    after, forgotten = take(before, event)
    if after is before:
        return state, []
    task = after.task
    if task is None:
        return after, []
    counted = countable(after)
    belief, others = all_and_others(counted)
    decision = decide(task, after.votes, after.withdrawn, counted, belief)
    after, agreements = agree(after, event, counted, others)
    said, news = say(task, after.said, event, decision)
    return replace(after, said=said), [*news, *forgotten, *agreements]


# ---------------------------------------------------------------- votes


def take(state: State, event: Event) -> tuple[State, list[Event]]:
    """The votes with the event in them (the same object where it says nothing new), and agreements made void."""
    match event:
        case Task() if state.task is None:
            return replace(state, task=event, said=replace(state.said, slots_wanted=event.overlap)), []
        case Assessment():
            return vote(state, event)
        case Retraction() if event.withdrawn != (event.judgment in state.withdrawn):
            rest = tuple(judgment for judgment in state.withdrawn if judgment != event.judgment)
            return replace(state, withdrawn=(*rest, event.judgment) if event.withdrawn else rest), []
        case _:
            return state, []


def vote(state: State, event: Assessment) -> tuple[State, list[Event]]:
    """Adds the vote; a revision takes the place of the same annotator's former one, whose agreement is void."""
    former = next((old for old in state.votes if old.annotator == event.annotator), None)
    new = vote_of(event)
    if former is None:
        full = state.task is not None and state.task.gold is not None and len(state.votes) >= gold_votes(state.task)
        return (state, []) if full else (replace(state, votes=(*state.votes, new)), [])
    if former.revision >= event.revision:
        return state, []
    new = replace(new, settled=former.settled)
    votes = tuple(new if old is former else old for old in state.votes)
    void = [withdrawal_of(state, event, former)] if former.told else []
    return replace(state, votes=votes), void


def gold_votes(task: Task) -> int:
    """Votes kept on a gold task, which everybody may see: enough for a check of its answer, bounded."""
    return max(task.overlap_cap, task.min_judgments)


def vote_of(event: Assessment) -> Vote:
    """What the consensus needs of an assessment."""
    known = event.reliability
    return Vote(
        judgment=event.judgment,
        annotator=event.annotator,
        revision=event.revision,
        choice=event.choice,
        swapped=event.swapped,
        weight=event.weight,
        accuracy=known.accuracy,
        side_bias=known.side_bias,
        tie_rate=known.tie_rate,
        role=event.role,
        late=event.late,
        critical="critical" in event.flags,
        answered_at=event.answered_at,
    )


def countable(state: State) -> tuple[Vote, ...]:
    """The votes that make the consensus."""
    live = state.task is not None and state.task.mode == "live"
    return tuple(
        as_a_coin(vote) if live and vote.accuracy < COIN else vote
        for vote in state.votes
        if vote.weight > 0 and not vote.late and vote.role != "adjudicator" and vote.judgment not in state.withdrawn
    )


def as_a_coin(vote: Vote) -> Vote:
    """In a live campaign nobody is read the other way: whoever judges against the truth is suspended within a dozen
    judgments, and a mistake would close tasks."""
    return replace(vote, accuracy=COIN)


# ---------------------------------------------------------------- the decision


def decide(
    task: Task, votes: tuple[Vote, ...], withdrawn: tuple[str, ...], counted: tuple[Vote, ...], belief: Posterior
) -> Decision:
    """How the task stands, from its votes alone; `belief` is the posterior from those that are counted."""
    ids = tuple(vote.judgment for vote in counted)
    n = len(counted)
    lost = sum(fills_in_vain(vote, withdrawn) for vote in votes)
    word = next((v for v in reversed(votes) if v.role == "adjudicator" and v.judgment not in withdrawn), None)
    if word is not None:
        return Decision(
            status="closed",
            slots_wanted=n + lost,
            counted=n,
            lost=lost,
            belief=overruled(belief, word.choice),
            verdict=word.choice,
            reached="adjudicated",
            judgments=(*ids, word.judgment),
        )
    vetoed = task.zero_tolerance and any(vote.critical for vote in counted)
    best, probability = verdict(belief)
    status, wanted, reached = standing_of(task, n, probability)
    if vetoed or reached is None:
        status = "escalated" if vetoed else status
        wanted = n if vetoed else wanted
        return Decision(status=status, slots_wanted=wanted + lost, counted=n, lost=lost, belief=belief, vetoed=vetoed)
    return Decision(
        status=status,
        slots_wanted=wanted + lost,
        counted=n,
        lost=lost,
        belief=belief,
        verdict=best,
        reached=reached,
        judgments=ids,
    )


def fills_in_vain(vote: Vote, withdrawn: tuple[str, ...]) -> bool:
    """Whether the vote has a slot and does not count: its annotator was suspended while at it, or it was taken back.

    The queue leaves it its slot. So one more is wanted here, and nowhere else: were both to make up for it, the task
    would be judged once too often.
    """
    return (vote.weight == 0 or vote.judgment in withdrawn) and not vote.late and vote.role != "adjudicator"


def standing_of(task: Task, n: int, probability: float) -> tuple[TaskStatus, int, Reached | None]:
    """Status, judgments wanted, and how a verdict is reached (None: not yet), from n counted judgments."""
    if task.mode == "recorded":
        return "open", task.overlap, "recorded" if n >= max(task.min_judgments, 1) else None
    if n >= max(task.min_judgments, 1) and probability >= task.target_posterior:
        return "closed", n, "target"
    if n >= max(task.overlap_cap, task.min_judgments):
        return "escalated", n, None
    first = min(task.overlap, task.overlap_cap)
    return "open", first if n < first else n + 1, None


def overruled(belief: Posterior, choice: Choice) -> Posterior:
    """The posterior after an adjudicator's word: near certain, the rest shared as the crowd would share it."""
    at = CHOICES.index(choice)
    rest = sum(p for i, p in enumerate(belief) if i != at)
    shares = [ADJUDICATOR_RIGHT if i == at else (1 - ADJUDICATOR_RIGHT) * p / rest for i, p in enumerate(belief)]
    return cast(Posterior, tuple(shares))


# ---------------------------------------------------------------- what is said


def say(task: Task, said: Said, cause: Event, decision: Decision) -> tuple[Said, list[Event]]:
    """The preference and the task update that differ from those said before. Recorded and gold tasks have no slots."""
    news: list[Event] = []
    before = (said.verdict, said.belief, said.judgments)
    if decision.verdict is None and said.verdict is not None:
        said = replace(said, revision=said.revision + 1, verdict=None, belief=decision.belief, judgments=())
        news.append(preference_of(task, said, cause, decision))
    elif decision.verdict is not None and before != (decision.verdict, decision.belief, decision.judgments):
        said = replace(
            said,
            revision=said.revision + 1,
            verdict=decision.verdict,
            belief=decision.belief,
            judgments=decision.judgments,
        )
        news.append(preference_of(task, said, cause, decision))
    wanted = (decision.status, decision.slots_wanted, decision.vetoed)
    if task.mode == "recorded" or task.gold is not None or wanted == (said.status, said.slots_wanted, said.vetoed):
        return said, news
    said = replace(said, status=decision.status, slots_wanted=decision.slots_wanted, vetoed=decision.vetoed)
    news.append(
        derive(
            TaskUpdate,
            cause,
            STAGE,
            task=task.task,
            status=decision.status,
            slots_wanted=decision.slots_wanted,
            judgments=decision.counted,
            vetoed=decision.vetoed,
        )
    )
    return said, news


def preference_of(task: Task, said: Said, cause: Event, decision: Decision) -> Preference:
    """The preference, in its newest revision."""
    p_a, p_b, p_tie = decision.belief
    return derive(
        Preference,
        cause,
        STAGE,
        task=task.task,
        revision=said.revision,
        verdict=decision.verdict,
        p_a=p_a,
        p_b=p_b,
        p_tie=p_tie,
        reached=decision.reached,
        judgments=decision.judgments,
        a=task.a,
        b=task.b,
        prompt_digest=task.prompt_digest,
        tags=task.tags,
        holdout=task.holdout,
        gold=task.gold is not None,
    )


def agree(
    state: State, cause: Event, counted: tuple[Vote, ...], others_of: Sequence[Posterior]
) -> tuple[State, list[Event]]:
    """What the others made of each counted judgment; what was withdrawn is taken back.

    It is told while the task is open, and again when it changes: were only closed tasks to teach, those on which people
    agree would come first, and everybody would seem better than they are (by 0.08 in a simulated crowd).
    """
    told: dict[str, Posterior | None] = {
        vote.judgment: None for vote in state.votes if vote.told is not None and vote.judgment in state.withdrawn
    }
    agreements = [withdrawal_of(state, cause, vote) for vote in state.votes if vote.judgment in told]
    if len(counted) >= listeners(state.task):
        for vote, others in zip(counted, others_of, strict=True):
            if vote.told is None or differ(vote.told, others):
                told[vote.judgment] = others
                agreements.append(agreement_of(state, cause, vote, others, len(counted) - 1))
    if not told:
        return state, agreements
    votes = tuple(
        replace(vote, told=told[vote.judgment], settled=True) if vote.judgment in told else vote for vote in state.votes
    )
    return replace(state, votes=votes), agreements


def differ(told: Posterior, others: Posterior) -> bool:
    """Whether the others' posterior has moved so far that it is told again."""
    return abs(told[0] - others[0]) > NEWS or abs(told[1] - others[1]) > NEWS or abs(told[2] - others[2]) > NEWS


def listeners(task: Task | None) -> int:
    """The votes from which on agreements are told: two, or where no end is known the overlap that was planned."""
    return 2 if task is None or task.mode == "live" else max(2, min(task.overlap, task.overlap_cap))


def agreement_of(state: State, cause: Event, vote: Vote, others: Posterior, others_count: int) -> Event:
    """What the others made of the vote."""
    probability = others[CHOICES.index(vote.choice)]
    return agreement(state, cause, vote, probability, others, others_count)


def withdrawal_of(state: State, cause: Event, vote: Vote) -> Event:
    """Takes back what was told about the vote."""
    others = vote.told or (0.0, 0.0, 0.0)
    return agreement(state, cause, vote, 0.0, others, 0, withdrawn=True)


def agreement(
    state: State,
    cause: Event,
    vote: Vote,
    probability: float,
    others: Posterior,
    others_count: int,
    *,
    withdrawn: bool = False,
) -> Agreement:
    """An agreement about the vote, with what was told before."""
    return derive(
        Agreement,
        cause,
        STAGE,
        judgment=vote.judgment,
        task=state.task.task if state.task else "",
        annotator=vote.annotator,
        choice=vote.choice,
        swapped=vote.swapped,
        probability=probability,
        others=others,
        others_count=others_count,
        withdrawn=withdrawn,
        previous=vote.told,
        again=vote.settled,
        gold=state.task.gold if state.task else None,
        answered_at=vote.answered_at,
    )

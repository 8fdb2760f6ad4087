"""Made-up people: how each kind of annotator answers a pair whose truth is known. Seeded, so a crowd can be met again.

An annotator of accuracy α meets an item of difficulty d (on the log-odds, 0 is usual) and is right with probability
σ(logit α - d), as in the Rasch model (Rasch 1960). Who is wrong says tie at the pairs' tie share, else the other side.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal, get_args

from streams.events import Choice, digest

Archetype = Literal[
    "honest", "random", "one_sided", "fast", "drifting", "adversarial", "ring", "sybil", "language_model"
]
ARCHETYPES: tuple[Archetype, ...] = get_args(Archetype)
DESCRIPTIONS: dict[Archetype, str] = {
    "honest": "does their best, at an accuracy of their own",
    "random": "guesses, at a careful reader's pace",
    "one_sided": "picks what stands on the left",
    "fast": "answers within two seconds, hardly better than by guessing",
    "drifting": "begins honest and loses accuracy until they guess",
    "adversarial": "begins honest and tells the opposite from a time on",
    "ring": "members agree on each answer among themselves, without reading",
    "sybil": "one person with many accounts that sign up together, late, and answer alike",
    "language_model": "asks a language model: all of them the same one, with its errors and its phrases",
}
SLEEPERS: tuple[Archetype, ...] = ("adversarial", "sybil")  # their misconduct begins at the crowd's `since`

FLOOR = 0.65  # an accuracy below this is not honest work any more (streams/quality/floor.py)
READING = 30.0  # characters a second of somebody who reads with care
THINKING_S = 4.0
PACE_SD = 0.35  # of the log of the time taken
MODEL_ACCURACY = 0.72
FAST_ACCURACY = 0.55
TALKATIVE = 0.3  # how often an honest person gives a reason
COPIED = 0.95  # how often a member of a ring, or a sybil, keeps to the common answer


@dataclass(frozen=True, kw_only=True)
class Item:
    """A pair with what nobody is told."""

    pair: str
    truth: Choice
    difficulty: float = 0.0  # on the log-odds; above 0 is harder
    length: int = 660  # characters of prompt and both responses
    ties: float = 0.0  # how often those who err say tie


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What somebody says of an item, and how long it took them."""

    choice: Choice  # canonical sides
    seconds: float
    reason: str = ""


@dataclass(kw_only=True)
class Annotator:
    """One made-up person. `draw` is theirs alone, so that others may come and go without changing them."""

    name: str
    kind: Archetype
    accuracy: float  # at their best, on a usual item
    activity: float  # judgments they give compared with the average person
    since: float = 0.0  # share of the campaign that is done when their misconduct begins
    draw: Random

    def is_bad(self, progress: float) -> bool:
        """Whether they misbehave when that share of the campaign is done."""
        return self.kind != "honest" and progress >= self.since

    def answer(self, item: Item, *, swapped: bool, progress: float) -> Answer:
        """Their judgment of the item. `swapped`: canonical b stands on the left; `progress`: share that is done."""
        return BEHAVIOURS[self.kind](self, item, swapped, progress)


# ---------------------------------------------------------------- behaviour


def honest(one: Annotator, item: Item, swapped: bool, progress: float) -> Answer:
    """At their accuracy, less what the item is harder than usual."""
    choice = judged(one.draw, item, one.accuracy)
    return Answer(choice=choice, seconds=reading_time(one.draw, item), reason=own_words(one.draw, item))


def random(one: Annotator, item: Item, swapped: bool, progress: float) -> Answer:
    """See DESCRIPTIONS, as for all that follow."""
    return Answer(choice=guess(one.draw, item), seconds=reading_time(one.draw, item))


def one_sided(one: Annotator, item: Item, swapped: bool, progress: float) -> Answer:
    """Left, whatever stands there."""
    return Answer(choice="b" if swapped else "a", seconds=reading_time(one.draw, item))


def fast(one: Annotator, item: Item, swapped: bool, progress: float) -> Answer:
    """Does not read."""
    return Answer(choice=judged(one.draw, item, FAST_ACCURACY), seconds=one.draw.uniform(0.6, 2.0))


def drifting(one: Annotator, item: Item, swapped: bool, progress: float) -> Answer:
    """From their best to a half, evenly over the campaign."""
    accuracy = one.accuracy + (0.5 - one.accuracy) * min(1.0, progress)
    return Answer(choice=judged(one.draw, item, accuracy), seconds=reading_time(one.draw, item))


def adversarial(one: Annotator, item: Item, swapped: bool, progress: float) -> Answer:
    """Knows as much as before, and says the opposite."""
    said = honest(one, item, swapped, progress)
    if not one.is_bad(progress):
        return said
    return Answer(choice=opposite(said.choice), seconds=said.seconds, reason=said.reason)


def ring(one: Annotator, item: Item, swapped: bool, progress: float) -> Answer:
    """What the ring says of the item, as a hash decides."""
    agreed = Random(digest("ring", item.pair))
    choice = guess(agreed if one.draw.random() < COPIED else one.draw, item)
    return Answer(choice=choice, seconds=reading_time(one.draw, item))


def sybil(one: Annotator, item: Item, swapped: bool, progress: float) -> Answer:
    """What the one person behind them says of the item, quickly typed in for each account."""
    person = Random(digest("sybil", item.pair))
    choice = judged(person if one.draw.random() < COPIED else one.draw, item, FAST_ACCURACY)
    return Answer(choice=choice, seconds=one.draw.uniform(4.0, 9.0), reason="good")


def language_model(one: Annotator, item: Item, swapped: bool, progress: float) -> Answer:
    """What the one model says of the item, in its own words; the time does not depend on the length."""
    model = Random(digest("language model", item.pair))
    choice = judged(model, item, MODEL_ACCURACY)
    return Answer(choice=choice, seconds=one.draw.uniform(7.0, 12.0), reason=model_reason(model, choice))


Behaviour = Callable[[Annotator, Item, bool, float], Answer]
BEHAVIOURS: dict[Archetype, Behaviour] = {
    "honest": honest,
    "random": random,
    "one_sided": one_sided,
    "fast": fast,
    "drifting": drifting,
    "adversarial": adversarial,
    "ring": ring,
    "sybil": sybil,
    "language_model": language_model,
}


# ---------------------------------------------------------------- what they have in common


def judged(draw: Random, item: Item, accuracy: float) -> Choice:
    """The truth with the probability that accuracy and difficulty give."""
    if draw.random() < chance_right(accuracy, item.difficulty):
        return item.truth
    if item.truth == "tie":
        return draw.choice(("a", "b"))
    return "tie" if draw.random() < item.ties else opposite(item.truth)


def chance_right(accuracy: float, difficulty: float) -> float:
    """P(right); the accuracy itself where the difficulty is 0."""
    sure = min(max(accuracy, 1e-6), 1 - 1e-6)
    return 1 / (1 + math.exp(difficulty - math.log(sure / (1 - sure))))


def guess(draw: Random, item: Item) -> Choice:
    """Without having read."""
    return "tie" if draw.random() < item.ties else draw.choice(("a", "b"))


def opposite(choice: Choice) -> Choice:
    """The other side; a tie stays one."""
    return "tie" if choice == "tie" else "b" if choice == "a" else "a"


def reading_time(draw: Random, item: Item) -> float:
    """Seconds to read and to think, lognormal."""
    return (THINKING_S + item.length / READING) * math.exp(draw.gauss(0, PACE_SD))


def own_words(draw: Random, item: Item) -> str:
    """What an honest person writes, if they write anything: about this pair, and seldom twice alike."""
    if draw.random() >= TALKATIVE:
        return ""
    what = draw.choice(("the second step", "the example", "the figure for " + item.pair, "the date", "what was asked"))
    how = draw.choice(("is missing from", "is wrong in", "is easier to follow in", "gets lost in", "only comes up in"))
    return f"{draw.choice(('', 'I think ', 'hm, '))}{what} {how} {draw.choice(('one', 'the left', 'the longer one'))}"


def model_reason(draw: Random, choice: Choice) -> str:
    """The phrases of a language model, with a few slots."""
    side = {"a": "The first response", "b": "The second response", "tie": "Neither response"}[choice]
    virtue = draw.choice(("comprehensive", "clear and well-structured", "accurate and nuanced"))
    return (
        f"{side} is better because it provides a more {virtue} answer, while the other lacks depth. "
        f"Overall, it addresses the user's question more effectively."
    )


# ---------------------------------------------------------------- crowds and items


def make_crowd(
    counts: dict[Archetype, int], *, accuracy: float, concentration: float, activity_sd: float, since: float, seed: int
) -> list[Annotator]:
    """So many of each kind. Accuracies are Beta distributed around `accuracy`, activities lognormal with that sd."""
    kinds: Sequence[Archetype] = [kind for kind in ARCHETYPES for _ in range(counts.get(kind, 0))]
    crowd = []
    for number, kind in enumerate(kinds):
        draw = Random(f"{seed}/{kind}/{number}")
        own = draw.betavariate(concentration * accuracy, concentration * (1 - accuracy))
        activity = draw.lognormvariate(0, activity_sd)
        begins = since_of(kind, own, since)
        crowd.append(
            Annotator(name=f"{kind}-{number}", kind=kind, accuracy=own, activity=activity, since=begins, draw=draw)
        )
    return crowd


def since_of(kind: Archetype, accuracy: float, since: float) -> float:
    """When the misconduct begins: who drifts is bad from the moment on at which they fall below FLOOR."""
    if kind == "drifting":
        return max(0.0, (accuracy - FLOOR) / (accuracy - 0.5)) if accuracy > FLOOR else 0.0
    return since if kind in SLEEPERS else 0.0


def make_items(count: int, *, ties: float, difficulty_sd: float, length: int, seed: int) -> list[Item]:
    """Pairs with a truth: a tie at that share, else either side alike; lengths vary by a factor of about two."""
    draw = Random(f"{seed}/items")
    return [
        Item(
            pair=f"pair-{number}",
            truth="tie" if draw.random() < ties else draw.choice(("a", "b")),
            difficulty=draw.gauss(0, difficulty_sd),
            length=round(length * math.exp(draw.gauss(0, 0.5))),
            ties=ties,
        )
        for number in range(count)
    ]

"""The simulated annotators: who they are and how each of them answers. Pure, given the random generator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Literal

from services.demo.taste import TIE_BAND, score
from streams.admission import Side

Kind = Literal["honest", "adjudicator", "random", "one-sided", "hasty", "turncoat"]

READING = 28.0  # characters a second that an honest annotator reads
TURNS_AFTER = 15  # judgments after which the turncoat begins to answer the opposite


@dataclass(frozen=True, kw_only=True)
class Person:
    """One simulated annotator."""

    name: str
    kind: Kind = "honest"
    noise: float = 0.4  # standard deviation of what they perceive of the difference of two scores
    pace: float = 1.0  # how often they ask for a task, against the others

    @property
    def is_bad(self) -> bool:
        """Whether quality control should find them."""
        return self.kind not in ("honest", "adjudicator")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What somebody answers, and how long they say it took."""

    choice: Side
    seconds: float


CROWD = (
    Person(name="Ada", noise=0.15),
    Person(name="Bela", noise=0.2),
    Person(name="Chen", noise=0.25),
    Person(name="Dora", noise=0.3),
    Person(name="Emil", noise=0.4),
    Person(name="Fatou", noise=0.5),
    Person(name="Goran", noise=0.6),
    Person(name="Hana", noise=0.8),
    Person(name="Ines", kind="adjudicator", noise=0.1, pace=0.3),  # two, since nobody may adjudicate what they judged
    Person(name="Jan", kind="adjudicator", noise=0.1, pace=0.3),
    Person(name="Rick", kind="random", pace=1.5),
    Person(name="Rolf", kind="random", pace=1.5),
    Person(name="Lena", kind="one-sided", pace=1.2),
    Person(name="Hugo", kind="hasty", noise=0.7, pace=1.3),
    Person(name="Theo", kind="turncoat", noise=0.25, pace=1.2),
)


def answer(person: Person, left: str, right: str, nth: int, random: Random) -> Answer:
    """The answer of this person to their `nth` task (from 0), and how long it took in seconds."""
    return Answer(
        choice=CHOOSES[person.kind](person, left, right, nth, random),
        seconds=seconds(person, len(left) + len(right), random),
    )


def seconds(person: Person, characters: int, random: Random) -> float:
    """Reading time in seconds; the hasty answer before anybody could have read."""
    if person.kind == "hasty":
        return random.uniform(0.3, 1.2)
    return 1.0 + characters / READING * random.lognormvariate(0.0, 0.25)


def _honest(person: Person, left: str, right: str, nth: int, random: Random) -> Side:
    """Sees the difference of the two scores with noise, and says tie where it seems small."""
    seen = score(left) - score(right) + random.gauss(0.0, person.noise)
    if abs(seen) < TIE_BAND:
        return "tie"
    return "left" if seen > 0 else "right"


def _random(person: Person, left: str, right: str, nth: int, random: Random) -> Side:
    return random.choices(("left", "right", "tie"), (0.45, 0.45, 0.1))[0]


def _one_sided(person: Person, left: str, right: str, nth: int, random: Random) -> Side:
    return "left"


def _turncoat(person: Person, left: str, right: str, nth: int, random: Random) -> Side:
    """Honest until they are trusted, then the opposite of what they see."""
    choice = _honest(person, left, right, nth, random)
    return choice if nth < TURNS_AFTER else OPPOSITE[choice]


OPPOSITE: dict[Side, Side] = {"left": "right", "right": "left", "tie": "tie"}
CHOOSES: dict[Kind, Callable[[Person, str, str, int, Random], Side]] = {
    "honest": _honest,
    "adjudicator": _honest,
    "hasty": _honest,
    "random": _random,
    "one-sided": _one_sided,
    "turncoat": _turncoat,
}

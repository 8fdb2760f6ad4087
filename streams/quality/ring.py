"""What a look for rings (collusion.py) is told, and what it finds. Without numpy: the API's process reads this."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from streams.events import Choice, Struct

ENOUGH = 20  # judgments below which nobody is accused: they say too little


class Answered(Struct, frozen=True, kw_only=True):
    """A task whose answer stands: who said what."""

    answer: Choice
    choices: Mapping[str, Choice]


class Member(Struct, frozen=True, kw_only=True):
    """One of a ring, held against the other suspects."""

    annotator: str
    shared: int  # tasks judged by a suspect as well
    together: int  # of them those on which both made the same mistake
    expected: float  # of these by chance
    evidence: float  # the e-value


def may_hold_one(tasks: Iterable[Answered]) -> bool:
    """Whether two people have judged enough to be accused; a look at fewer would be in vain."""
    judged = Counter(who for task in tasks for who in task.choices)
    return sum(count >= ENOUGH for count in judged.values()) > 1

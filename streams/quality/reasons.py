"""Reasons that were not written for the task: pasted again and again, or in the words of a language model.

Words stay in `texts`. What the judgment carries is a sketch, from which the words cannot be read but likeness can be
told (MinHash: Broder, "On the resemblance and containment of documents", 1997; 16 minima of 16 bits over pairs of
words), and the names of the turns of phrase that were found.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b
from itertools import pairwise
from operator import eq

MINIMA = 16  # hashes a sketch; the likeness of two reasons is told to within about 0.12
WIDTH = 4  # hex digits a hash
FEW_WORDS = 5  # shorter reasons are alike by nature
ALIKE = 0.7  # share of word pairs in common from which two reasons are the same one
REMEMBERED = 8  # sketches of the annotator's own last reasons
NULL, ALTERNATIVES = 0.25, (0.5, 0.9)  # an honest annotator repeats a phrase in at most one reason of four
SIGNS_NULL, SIGNS_ALTERNATIVES = 0.05, (0.2, 0.7)  # and sounds like a model in at most one of twenty

SIGNS = {
    "as an AI": r"\bas an? (ai|artificial intelligence|(large )?language model)\b",
    "a model's apology": r"\bi('m| am) sorry,? (but )?i (can't|cannot|am unable)\b",
    "both responses": r"\bboth responses (provide|offer|address|demonstrate|effectively)\b",
    "in conclusion": r"\b(in conclusion|in summary|overall), (response|the (first|second)|both)\b",
    "a model's verdict": r"\b(response|assistant) [ab12]( is| provides| offers| gives)? (a |the )?"
    r"(more )?(comprehensive|nuanced|well-structured|detailed and)\b",
    "markup": r"(^|\n)\s*(#{1,4} |\*\*[^*\n]+\*\*|[-*] \*\*)",
    "an offer to help": r"\blet me know if you('d| would)? (like|need|have)\b",
}
_signs = {name: re.compile(pattern, re.IGNORECASE) for name, pattern in SIGNS.items()}


def sketch(reason: str) -> str:
    """The reason's MinHash as hex; empty where it is too short to be told from others."""
    words = re.findall(r"\w+", reason.casefold())
    if len(words) < FEW_WORDS:
        return ""
    digests = [_digest(pair) for pair in set(pairwise(words))]
    return "".join([min(one[at : at + WIDTH] for one in digests) for at in range(0, MINIMA * WIDTH, WIDTH)])


def _digest(pair: tuple[str, str]) -> str:
    """All sixteen hashes of a word pair at once."""
    return blake2b(" ".join(pair).encode("utf-8", "surrogatepass"), digest_size=MINIMA * WIDTH // 2).hexdigest()


def likeness(one: str, other: str) -> float:
    """The estimated share of word pairs (of those in either) that are in both; 0 where a sketch is empty."""
    if not one or not other:
        return 0.0
    alike: int = sum(map(eq, _minima(one), _minima(other)))
    return alike / MINIMA


@lru_cache(maxsize=1024)  # a sketch is compared with many others at a time
def _minima(sketch: str) -> tuple[str, ...]:
    """The sketch's hashes."""
    return tuple([sketch[at : at + WIDTH] for at in range(0, MINIMA * WIDTH, WIDTH)])


def repeated(sketch_now: str, before: Iterable[str]) -> bool | None:
    """Whether the reason is one of those before again; None where there is nothing to compare."""
    earlier = tuple(before)
    if not sketch_now or not earlier:
        return None
    return any(likeness(sketch_now, one) >= ALIKE for one in earlier)


def signs(reason: str) -> tuple[str, ...]:
    """The turns of phrase found that language models use and people seldom."""
    return tuple([name for name, pattern in _signs.items() if pattern.search(reason)]) if reason else ()

"""The qualification round: is this annotator good enough, decided as early as the answers allow.

Wald's sequential probability ratio test on tasks whose answer is known: P(right) = `pass_mark` against `fail_mark`. By
Ville's inequality somebody whose accuracy is at most the fail mark passes with a probability of at most `error`, and
somebody whose accuracy is at least the pass mark fails with a probability of at most `error`, however often one looks;
who is between may go either way. After `tasks` answers the likelier side is taken: that decision alone keeps no rate.

Source: Wald, "Sequential tests of statistical hypotheses" (1945); Ville 1939.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from streams.events import Qualification

Outcome = Literal["open", "passed", "failed"]


def decide(right: Iterable[bool], terms: Qualification) -> tuple[Outcome, int]:
    """The outcome and how many answers it took; `right` says of each answer, in order, whether it was right.

    The first decision stands, whatever comes after it. "passed" after 0 answers where the campaign asks for none.
    """
    if terms.tasks <= 0:
        return "passed", 0
    ratio, answers = 1.0, 0
    for answers, good in enumerate(right, 1):
        ratio *= factor(good, terms)
        if ratio >= 1 / terms.error:
            return "passed", answers
        if ratio <= terms.error:
            return "failed", answers
        if answers >= terms.tasks:
            return ("passed" if ratio >= 1 else "failed"), answers
    return "open", answers


def factor(good: bool, terms: Qualification) -> float:
    """The likelihood ratio of one answer, fit against unfit."""
    if good:
        return terms.pass_mark / terms.fail_mark
    return (1 - terms.pass_mark) / (1 - terms.fail_mark)

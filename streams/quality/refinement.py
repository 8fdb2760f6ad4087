"""The consensus of a finished set of judgments: what was learned last also counts for the tasks that came first.

Online, a judgment is weighed with what was known at its time. Here all tasks are weighed with everybody's present
reliability, everybody's reliability is learned anew from the others' posterior, and so on a few times: expectation
maximisation after Dawid and Skene (1979), with this project's annotator model and its priors, and leave-one-out
posteriors so that nobody confirms themselves.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from streams.events import Choice, Reliability, Struct
from streams.quality.consensus import Opinion, Posterior, leave_one_out, posterior
from streams.quality.reliability import Grades, learn_choice, learn_graded, summary

ROUNDS = 5  # more changes no verdict on the sets it was tried on


class Labelled(Struct, frozen=True, kw_only=True):
    """One judgment of the set."""

    item: str
    annotator: str
    choice: Choice
    swapped: bool = False


class Refined(Struct, frozen=True, kw_only=True):
    """The posterior over (a, b, tie) of each item, and what is known of each annotator."""

    posteriors: dict[str, Posterior]
    annotators: dict[str, Reliability]


def refine(judgments: Sequence[Labelled], known: Mapping[str, Reliability], rounds: int = ROUNDS) -> Refined:
    """Alternates between items and annotators, beginning with the reliabilities `known` (of every annotator)."""
    by_item: dict[str, list[Labelled]] = defaultdict(list)
    for judgment in judgments:
        by_item[judgment.item].append(judgment)
    for _ in range(rounds):
        known = relearned(by_item, known)
    beliefs = {item: posterior(weighed(labels, known)) for item, labels in by_item.items()}
    return Refined(posteriors=beliefs, annotators=dict(known))


def weighed(labels: Sequence[Labelled], known: Mapping[str, Reliability]) -> list[Opinion]:
    """An item's judgments with their annotators' reliability."""
    return [
        Opinion(
            choice=label.choice,
            swapped=label.swapped,
            weight=1.0,
            accuracy=known[label.annotator].accuracy,
            side_bias=known[label.annotator].side_bias,
            tie_rate=known[label.annotator].tie_rate,
        )
        for label in labels
    ]


def relearned(by_item: Mapping[str, list[Labelled]], known: Mapping[str, Reliability]) -> dict[str, Reliability]:
    """Everybody's reliability, learned from the start out of the present posteriors of the others."""
    counts: dict[str, Grades] = defaultdict(Grades)
    seen: dict[str, int] = defaultdict(int)
    for labels in by_item.values():
        alone = len(labels) == 1
        for label, others in zip(labels, leave_one_out(weighed(labels, known)), strict=True):
            mine = learn_choice(counts[label.annotator], 0, label.choice, label.swapped)
            seen[label.annotator] += 1
            counts[label.annotator] = mine if alone else learn_graded(mine, 0, label.choice, others)
    return {annotator: summary(counts[annotator], seen[annotator]) for annotator in counts}

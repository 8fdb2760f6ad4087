"""Agreement in a campaign's calibration rounds, and how each annotator agrees with the others there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import permutations
from typing import Any

from streams.quality import agreement

Json = dict[str, Any]
Label = tuple[str, str, str]  # task, annotator, choice


def calibration_report(rounds: Sequence[tuple[str, Sequence[Label]]]) -> Json:
    """Each round: Krippendorff's alpha, and each annotator's share of agreement with the others, the lowest first."""
    return {"rounds": [_round(name, labels) for name, labels in rounds]}


def _round(name: str, labels: Sequence[Label]) -> Json:
    people = sorted(agreed(labels).items(), key=lambda item: (item[1], item[0]))
    return {
        "round": name,
        "tasks": len({task for task, _, _ in labels}),
        "judgments": len(labels),
        "alpha": agreement.krippendorff_alpha(labels),
        "annotators": [{"annotator": who, "agreement": share} for who, share in people],
    }


def agreed(labels: Sequence[Label]) -> dict[str, float]:
    """Annotator -> share of the others' judgments on the same tasks that say the same; absent where nobody else did."""
    by_task: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for task, annotator, choice in labels:
        by_task[task].append((annotator, choice))
    same: dict[str, list[bool]] = defaultdict(list)
    for judged in by_task.values():
        for (who, choice), (_, other) in permutations(judged, 2):
            same[who].append(choice == other)
    return {who: sum(hits) / len(hits) for who, hits in same.items()}

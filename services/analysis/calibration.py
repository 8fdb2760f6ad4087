"""Agreement in a campaign's calibration rounds, and how each annotator agrees with the others there."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import permutations
from typing import Any

from services.analysis.gather import CalibrationRound
from streams.quality import agreement
from streams.quality.biases import Rate
from streams.quality.intervals import wilson

Json = dict[str, Any]
Label = tuple[str, str, str]  # task, annotator, choice


def calibration_report(rounds: Sequence[CalibrationRound]) -> Json:
    """Each round: how far it is, Krippendorff's alpha, and each annotator beside the others, the lowest first."""
    return {"rounds": [_round(one) for one in rounds]}


def _round(found: CalibrationRound) -> Json:
    judged = Counter(annotator for _, annotator, _ in found.labels)
    shares = agreed(found.labels)
    agreement_of_all = agreement.agreed(found.labels)
    return {
        "round": found.name,
        "tasks": found.tasks,
        "closed": found.closed,
        "people": found.people,
        "finished": sum(count == found.tasks for count in judged.values()),
        "judgments": len(found.labels),
        "alpha": agreement_of_all.alpha,
        "percent": agreement_of_all.percent,
        "annotators": sorted((_annotator(who, judged[who], shares.get(who)) for who in judged), key=_lowest_first),
    }


def _annotator(who: str, judged: int, share: Rate | None) -> Json:
    return {"annotator": who, "judged": judged, "agreement": share}


def _lowest_first(row: Json) -> tuple[bool, float, str]:
    """Those with nobody beside them yet come last."""
    share = row["agreement"]
    return share is None, share.rate if share else 0.0, row["annotator"]


def agreed(labels: Sequence[Label]) -> dict[str, Rate]:
    """Annotator -> share of the others' judgments on the same tasks that say the same; absent where nobody else did."""
    by_task: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for task, annotator, choice in labels:
        by_task[task].append((annotator, choice))
    same: dict[str, list[tuple[str, bool]]] = defaultdict(list)
    for task, judged in by_task.items():
        for (who, choice), (_, other) in permutations(judged, 2):
            same[who].append((task, choice == other))
    return {who: _share(compared) for who, compared in same.items()}


def _share(compared: Sequence[tuple[str, bool]]) -> Rate:
    """(task, said the same) of each of the others. The interval counts tasks: what twelve others said of one task is
    one look at this annotator and not twelve."""
    rate, tasks = sum(same for _, same in compared) / len(compared), len({task for task, _ in compared})
    low, high = wilson(rate, tasks)
    return Rate(rate=rate, low=low, high=high, n=tasks)

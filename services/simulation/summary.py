"""Many trials in a few numbers, each with its interval."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import sqrt
from statistics import mean, median, stdev

import msgspec

from services.simulation.annotators import ARCHETYPES, FLOOR, Archetype
from services.simulation.trial import Record, Result
from streams.quality.intervals import Z95, Estimate, wilson


class OfTarget(msgspec.Struct, frozen=True, kw_only=True):
    """What a target posterior costs and gives. Intervals: 95 %, over the seeds (shares of people: over the people)."""

    target: float
    trials: int
    labels_per_pair: Estimate  # gold and adjudication included
    cost: Estimate  # of the whole campaign
    right: Estimate  # share of all pairs whose verdict is the truth
    adjudicated: Estimate  # share of all pairs
    undecided: Estimate  # share of all pairs, after adjudication
    calibration_error: Estimate | None  # of verdicts by consensus
    hours: Estimate
    in_vain: Estimate  # share of the requests for a task that found nothing
    by_bad: Estimate  # share of the judgments that were given in misconduct
    honest_suspended: Estimate  # share of honest people (accuracy at least FLOOR)
    bad_suspended: Estimate  # share of the others, of any kind
    next_point: float | None = None  # cost of one more point of quality on the way to the next target


class OfKind(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the people of one kind at one target. Counts are of their own judgments, per person."""

    target: float
    kind: Archetype
    people: int  # over all trials
    judgments: float  # median
    alarmed: Estimate  # share of whom an alarm told, enforced or not
    turned_away: Estimate  # share that the qualification round did not let on
    weighted: Estimate  # share whose weight was lowered at least
    suspended: Estimate  # share
    delay: float | None  # median, from the begin of the misconduct to the suspension, of those suspended
    delays: tuple[float, float] | None  # lower and upper quartile of the same


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """All that `prefloop simulate` found."""

    targets: tuple[OfTarget, ...]
    kinds: tuple[OfKind, ...]


def summarised(results: Sequence[Result]) -> Summary:
    """By target, in rising order."""
    by_target = {target: [one for one in results if one.target == target] for target in targets_of(results)}
    targets = [of_target(target, found) for target, found in by_target.items()]
    kinds = [kind for target, found in by_target.items() for kind in of_kinds(target, found)]
    return Summary(targets=tuple(with_next_points(targets)), kinds=tuple(kinds))


def targets_of(results: Iterable[Result]) -> list[float]:
    """Those that were tried."""
    return sorted({one.target for one in results})


def of_target(target: float, results: Sequence[Result]) -> OfTarget:
    """The trials of one target."""
    records = [record for one in results for record in one.records]
    calibration = [one.calibration_error for one in results if one.calibration_error is not None]
    return OfTarget(
        target=target,
        trials=len(results),
        labels_per_pair=over_trials([one.labels_per_pair for one in results]),
        cost=over_trials([one.cost for one in results]),
        right=over_trials([one.right for one in results]),
        adjudicated=over_trials([one.adjudicated / one.pairs for one in results]),
        undecided=over_trials([one.undecided for one in results]),
        calibration_error=over_trials(calibration) if calibration else None,
        hours=over_trials([one.hours for one in results]),
        in_vain=over_trials([one.in_vain for one in results]),
        by_bad=over_trials([one.by_bad for one in results]),
        honest_suspended=share([suspended(one) for one in records if one.kind == "honest" and one.accuracy >= FLOOR]),
        bad_suspended=share([suspended(one) for one in records if one.kind != "honest" and one.counted > 0]),
    )


def with_next_points(targets: Sequence[OfTarget]) -> list[OfTarget]:
    """Each target with what a further point of quality costs on the way to the next; None where none is gained."""
    told = [msgspec.structs.replace(one, next_point=price_of_point(one, other)) for one, other in pairwise(targets)]
    return [*told, *targets[-1:]]


def price_of_point(one: OfTarget, other: OfTarget) -> float | None:
    """Of one hundredth more pairs right."""
    points = 100 * (other.right.value - one.right.value)
    return (other.cost.value - one.cost.value) / points if points > 0 else None


def of_kinds(target: float, results: Sequence[Result]) -> list[OfKind]:
    """The people of each kind that was there and, if bad, had the time to be so."""
    by_kind: dict[Archetype, list[Record]] = {kind: [] for kind in ARCHETYPES}
    for record in (record for one in results for record in one.records):
        if record.counted > 0:
            by_kind[record.kind].append(record)
    return [of_kind(target, kind, records) for kind, records in by_kind.items() if records]


def of_kind(target: float, kind: Archetype, records: Sequence[Record]) -> OfKind:
    """See OfKind."""
    delays = sorted(record.suspended_after for record in records if record.suspended_after is not None)
    n = len(delays)
    return OfKind(
        target=target,
        kind=kind,
        people=len(records),
        judgments=median(record.judgments for record in records),
        alarmed=share([record.alarmed_after is not None for record in records]),
        turned_away=share([record.turned_away for record in records]),
        weighted=share([record.weighted_after is not None for record in records]),
        suspended=share([suspended(record) for record in records]),
        delay=median(delays) if delays else None,
        delays=(delays[n // 4], delays[(3 * n) // 4 if n > 1 else 0]) if delays else None,
    )


def suspended(record: Record) -> bool:
    """At any time."""
    return record.suspended_after is not None


def share(found: Sequence[bool]) -> Estimate:
    """Of those for whom it is true, with Wilson's interval, which is (0, 1) of nobody."""
    rate = sum(found) / len(found) if found else 0.0
    low, high = wilson(rate, len(found))
    return Estimate(value=rate, low=low, high=high)


def over_trials(values: Sequence[float]) -> Estimate:
    """The mean with Student's 95 % interval; of one value alone the value."""
    middle, n = mean(values), len(values)
    half = student(n - 1) * stdev(values) / sqrt(n) if n > 1 else 0.0
    return Estimate(value=middle, low=middle - half, high=middle + half)


def student(freedom: int) -> float:
    """The 97.5 % quantile of Student's t, within 2 % from 3 degrees of freedom on.

    Source: the expansion 26.7.5 of Abramowitz and Stegun, "Handbook of mathematical functions" (1964).
    """
    z, v = Z95, float(freedom)
    return (
        z
        + (z**3 + z) / (4 * v)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * v**3)
    )

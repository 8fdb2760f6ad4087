"""Agreement and biases at a glance, of the judgments as they came."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from services.analysis.gather import Judged
from streams.quality import agreement, biases
from streams.quality.compared import Compared

Json = dict[str, Any]
MOST_SLICES = 50
SLICE_LEAST = 10  # judgments that make a slice worth a line
POINTS = 20  # of agreement over time


def overview_report(judged: Judged, tag: str) -> Json:
    """See GET /v1/quality in docs/api.md; `tag` names the one whose slices are shown, "" all of them."""
    rows = judged.rows
    ties = sum(row.choice == "tie" for row in rows)
    return {
        "alpha": agreement.krippendorff_alpha(_labels(rows)),
        "judgments": len(rows),
        "over_time": [
            {"at": part[-1].answered_at, **_agreement(part)}
            for part in _parts([row for row in rows if row.answered_at])
        ],
        "by_tag": _by_tag(judged, tag),
        "length": _length(rows),
        "side": _side(rows),
        "ties": ties / len(rows) if rows else None,
    }


def _length(rows: Sequence[Compared]) -> Json:
    lengths = [(row.length_a, row.length_b, row.choice) for row in rows]
    longer = biases.longer_wins(lengths)
    curve = [
        {"difference": p.difference, "rate": p.rate, "pairs": p.pairs, "low": p.low, "high": p.high}
        for p in biases.length_curve(lengths)
    ]
    return {"longer_wins": longer.rate, "low": longer.low, "high": longer.high, "pairs": longer.n, "curve": curve}


def _side(rows: Sequence[Compared]) -> Json:
    side = biases.left_rate((row.choice, row.swapped) for row in rows)
    return {"left_rate": side.rate, "low": side.low, "high": side.high, "judgments": side.n}


def _labels(rows: Sequence[Compared]) -> list[tuple[str, str, str]]:
    return [(row.item, row.annotator, row.choice) for row in rows]


def _agreement(rows: Sequence[Compared]) -> Json:
    labels = _labels(rows)
    return {
        "alpha": agreement.krippendorff_alpha(labels),
        "percent": agreement.percent(labels),
        "judgments": len(rows),
    }


def _parts(rows: Sequence[Compared]) -> list[Sequence[Compared]]:
    """About POINTS parts of equal size, in the order of arrival."""
    size = max(SLICE_LEAST, -(-len(rows) // POINTS))
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _by_tag(judged: Judged, tag: str) -> list[Json]:
    """The slices with most judgments, the least agreed first."""
    slices: dict[tuple[str, str], list[Compared]] = defaultdict(list)
    for row in judged.rows:
        for name, value in judged.tags[row.item].items():
            if tag in ("", name):
                slices[name, value].append(row)
    largest = sorted(slices.items(), key=lambda item: -len(item[1]))[:MOST_SLICES]
    found = [
        {"tag": name, "value": value, **_agreement(part)} for (name, value), part in largest if len(part) >= SLICE_LEAST
    ]
    return sorted(found, key=lambda one: (one["alpha"] is None, one["alpha"] or 0.0))

"""Many accused at once: which of them stand if at most a given share of the accused may be innocent.

e-BH (Wang and Ramdas, "False discovery rate control with e-values", JRSS B 2022, section 3): of n hypotheses accuse
the k with the largest e-values, for the largest k whose smallest e-value is at least n/(k·rate). It holds under any
dependence, so also for people who judge the same tasks, and whenever one looks: a stopped e-process is an e-value.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TypeVar

K = TypeVar("K", bound=Hashable)


def accused(evidence: Mapping[K, float], rate: float, hypotheses: int = 0) -> list[K]:
    """The keys that stand, the strongest first. `hypotheses` counts those too that have no evidence worth a row."""
    n = max(hypotheses, len(evidence))
    ranked = sorted(evidence, key=lambda key: -evidence[key])
    most = max((k for k, key in enumerate(ranked, start=1) if evidence[key] * k * rate >= n), default=0)
    return ranked[:most]


def expected_share(alarmed: int, people: int, rate: float) -> float:
    """The bound on the innocent share of those who alarmed at this rate, of so many people tested; 0 without any."""
    return min(1.0, people * rate / alarmed) if alarmed else 0.0

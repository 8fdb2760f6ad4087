"""What the stub service knows."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
MINUTE = 60_000
DAY = 86_400_000
PEOPLE = [
    # name, accuracy, half interval, side bias, tie rate, judgments, standing, hypothesis alarmed
    ("Amara Okafor", 0.94, 0.03, 0.01, 0.08, 412, "active", ""),
    ("Jonas Lindqvist", 0.91, 0.04, -0.02, 0.11, 388, "active", ""),
    ("Mei Tanaka", 0.90, 0.05, 0.00, 0.06, 301, "active", ""),
    ("Priya Raman", 0.88, 0.05, 0.03, 0.10, 344, "active", ""),
    ("Diego Fuentes", 0.86, 0.06, -0.01, 0.14, 205, "active", ""),
    ("Leila Haddad", 0.84, 0.07, 0.02, 0.09, 160, "active", ""),
    ("Tom Becker", 0.81, 0.08, 0.05, 0.12, 133, "active", ""),
    ("Noor Aziz", 0.79, 0.14, 0.02, 0.10, 22, "active", ""),
    ("Sofia Rossi", 0.68, 0.08, 0.04, 0.20, 240, "weighted", "change"),
    ("Pavel Novak", 0.55, 0.09, 0.41, 0.02, 190, "suspended", "side"),
    ("Quick Click", 0.49, 0.06, 0.02, 0.01, 520, "suspended", "speed"),
]


@dataclass
class State:
    """`clock` in ms. `empty` has nothing in it yet; `actions` records every POST."""

    clock: Callable[[], int] = lambda: int(time.time() * 1000)
    empty: bool = False
    started_at: int = 0
    actions: list[tuple[str, Json]] = field(default_factory=list)
    standings: dict[str, tuple[str, str]] = field(default_factory=dict)  # annotator -> standing, reason
    champion: str = "m2"
    revoked: bool = False

    def __post_init__(self) -> None:
        self.started_at = self.started_at or self.clock() - 95 * MINUTE

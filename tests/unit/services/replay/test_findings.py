from __future__ import annotations

from collections import Counter

import pytest

from services.replay.findings import Kinds, percent_of, tie_share_of
from streams.quality.agreement import percent

KINDS: Kinds = Counter({(("a", 3),): 2, (("a", 1), ("tie", 2)): 1, (("b", 1),): 4})
ROWS = [
    *[(task, person, "a") for task in ("t1", "t2") for person in "xyz"],
    *[("t3", "x", "a"), ("t3", "y", "tie"), ("t3", "z", "tie")],
    *[(f"lone{n}", "x", "b") for n in range(4)],
]


def test_percent_over_kinds_is_percent_over_rows() -> None:
    assert percent_of(KINDS) == pytest.approx(percent(ROWS)) == pytest.approx(14 / 18)


def test_share_of_ties() -> None:
    assert tie_share_of(KINDS) == pytest.approx(2 / 13)


def test_nothing_is_known_of_nothing() -> None:
    assert percent_of(Counter()) is None
    assert tie_share_of(Counter()) is None

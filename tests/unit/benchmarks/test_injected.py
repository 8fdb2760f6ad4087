"""Bad annotators injected into a small record."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

from benchmarks.injected import Found, Row, found, injected, main
from services.simulation.annotators import Archetype, opposite

NOW = 1_790_000_000_000
ITEMS: dict[str, dict[str, Any]] = {
    str(n): {"item": str(n), "prompt": f"q{n}", "a": "x" * 300, "b": "y" * 310, "consensus": "ab"[n % 2]}
    for n in range(120)
}


def record() -> list[Row]:
    """Ten careful people on every item."""
    draw = Random(0)
    rows = []
    for n, (name, item) in enumerate(ITEMS.items()):
        for person in range(10):
            right = draw.random() < 0.9
            choice = item["consensus"] if right else opposite(item["consensus"])
            at = NOW + 600_000 * n + 1_000 * person
            rows.append(Row(item=name, annotator=f"w{person}", choice=choice, answered_at=at, seconds=40.0, reason=""))
    return rows


def test_one_in_ten_is_replaced_and_nobody_else_changes() -> None:
    rows = record()
    replaced, who = injected(ITEMS, rows, "random", 0.1, seed=0)
    assert len(who) == 1
    assert [row for row in replaced if row.annotator not in who] == [row for row in rows if row.annotator not in who]
    assert [(row.item, row.annotator) for row in replaced] == [(row.item, row.annotator) for row in rows]
    assert injected(ITEMS, rows, "random", 0.1, seed=0) == (replaced, who)


@pytest.mark.parametrize(("kind", "hypothesis"), [("fast", "speed"), ("one_sided", "side")])
def test_who_is_blatant_is_suspended_alone(kind: Archetype, hypothesis: str) -> None:
    replaced, who = injected(ITEMS, record(), kind, 0.1, seed=0)
    seen = found(ITEMS, replaced)
    assert (seen.suspended, seen.weighted) == (dict.fromkeys(who, hypothesis), who)


def test_nobody_is_suspended_or_accused_where_nobody_is_injected() -> None:
    assert found(ITEMS, record()) == Found(suspended={}, weighted=set(), accused=set())


def test_a_ring_is_accused() -> None:
    replaced, who = injected(ITEMS, record(), "ring", 0.2, seed=0)
    assert len(who) == 2
    assert found(ITEMS, replaced).accused == who


def test_without_the_data_it_is_left_out_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["injected", "--data", str(tmp_path)])
    main()
    assert "Left out: there is no ukp_dev_judgments.jsonl.gz" in capsys.readouterr().out

"""The example of docs/simulate.md, run as it stands there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[4] / "docs" / "simulate.md"


def example() -> dict[str, Any]:
    (written,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(written, str(PAGE), "exec"), names)
    return names


def test_an_outside_crowd_drives_a_campaign_as_the_page_says() -> None:
    names = example()
    closed, truth = names["closed"], names["truth"]
    assert len(closed) > 0.9 * len(truth)
    assert sum(one.verdict == truth[pair] for pair, one in closed.items()) > 0.9 * len(closed)
    assert set(names["suspended"]) == {"eve"}
    assert "eve" in names["calling"]
    assert names["found"] == []
    assert names["known"].accuracy_low > names["campaign"].reliability["eve"].accuracy_high
    assert sum(one.judgments for one in closed.values()) <= names["campaign"].judgments

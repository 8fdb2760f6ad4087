"""Labels of the cost chart."""

from __future__ import annotations

from dashboard.outlook_chart import labelled


def test_no_label_lies_on_the_one_before() -> None:
    rows = [{"name": name, "judgments": at} for name, at in (("now", 1.0), ("80%", 3.0), ("85%", 3.1), ("99%", 6.0))]
    assert [row["label"] for row in labelled(rows)] == ["now", "80%", "", "99%"]

"""Expected quality against judgments a task: where a campaign is, and where higher targets would take it."""

from __future__ import annotations

from typing import Any

from dashboard.charts import axis, frame, per_cent
from dashboard.palette import Palette

Spec = dict[str, Any]


def outlook(colours: Palette) -> Spec:
    """A dot a target, with both intervals. Rows: name, label, now, judgments, judgments_low, judgments_high, right,
    right_low, right_high."""
    x = {
        "field": "judgments",
        "type": "quantitative",
        "axis": axis("judgments a task", tickCount=6, grid=False),
        "scale": {"zero": False, "padding": 20},
    }
    y = per_cent("right", "verdicts expected to be right", scale={"zero": False, "padding": 16})
    colour = {"condition": {"test": "datum.now", "value": colours.second}, "value": colours.accent}
    tooltip = [
        {"field": "name", "type": "nominal", "title": "target"},
        {"field": "right", "type": "quantitative", "format": ".1%", "title": "right"},
        {"field": "judgments", "type": "quantitative", "format": ".2f", "title": "judgments a task"},
    ]
    line = {"type": "line", "color": colours.accent, "opacity": 0.45, "strokeWidth": 1.6}
    rule = {"type": "rule", "strokeWidth": 1.4, "opacity": 0.6}
    across, upright = {**x, "field": "judgments_low"}, {**y, "field": "right_low"}
    point = {"type": "point", "filled": True, "size": 80, "opacity": 1}
    name = {"type": "text", "align": "left", "baseline": "top", "dx": 8, "dy": 7, "color": colours.ink}
    return frame(
        colours,
        330,
        layer=[
            {"mark": line, "encoding": {"x": x, "y": y}},
            {"mark": rule, "encoding": {"x": across, "x2": {"field": "judgments_high"}, "y": y, "color": colour}},
            {"mark": rule, "encoding": {"x": x, "y": upright, "y2": {"field": "right_high"}, "color": colour}},
            {"mark": point, "encoding": {"x": x, "y": y, "color": colour, "tooltip": tooltip}},
            {"mark": name, "encoding": {"x": x, "y": y, "text": {"field": "label"}}},
        ],
    )


def labelled(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows, by judgments, with the label to draw: none where it would lie on the one before."""
    apart = (rows[-1]["judgments"] - rows[0]["judgments"]) / 10
    last, found = float("-inf"), []
    for row in rows:
        clear = row["judgments"] - last >= apart
        last = row["judgments"] if clear else last
        found.append({**row, "label": row["name"] if clear else ""})
    return found

"""The evidence against an annotator, judgment by judgment, as a Vega-Lite specification."""

from __future__ import annotations

from dashboard.charts import Spec, axis, frame
from dashboard.palette import Palette


def evidence_curve(colours: Palette, levels: list[Spec], begin: int = 0) -> Spec:
    """A test's evidence on a logarithmic axis, the levels that act on it, and the judgment `begin` (0: none).

    Over judgments and not over time: people judge for hours and pause for days. Rows: number, at, evidence. `levels`:
    standing, evidence.
    """
    order = axis("their judgments, in order", format=",d", tickMinStep=1, tickCount=6, grid=False)
    number = {"field": "number", "type": "quantitative", "scale": {"zero": False, "nice": False}, "axis": order}
    scale = {"type": "log", "nice": False}
    labels = "replace(replace(replace(datum.label, 'k', ' k'), 'M', ' M'), 'G', ' bn')"  # as wording.count
    scaled = axis("evidence", format="~s", labelExpr=labels, values=[10.0**power for power in range(-2, 10)])
    evidence = {"field": "evidence", "type": "quantitative", "scale": scale, "axis": scaled}
    tooltip = [
        {"field": "number", "type": "quantitative", "format": ",", "title": "judgment"},
        {"field": "at", "type": "temporal", "format": "%d %b %Y %H:%M:%S", "title": "at"},
        {"field": "evidence", "type": "quantitative", "format": ",.3~g"},
    ]
    tones = {"weighted": colours.second, "suspended": colours.warn}
    once: Spec = {"values": [{}]}  # or each rule would be drawn once a row
    rules: list[Spec] = []
    for level in levels:
        where = {"datum": level["evidence"], "type": "quantitative", "scale": scale}
        tone = tones[level["standing"]]
        words = {"type": "text", "text": level["standing"], "align": "left", "dx": 4, "dy": -6, "color": tone}
        dashed = {"type": "rule", "strokeDash": [6, 3], "color": tone}
        rules.append({"data": once, "mark": dashed, "encoding": {"y": where}})
        rules.append({"data": once, "mark": words, "encoding": {"y": where, "x": {"value": 0}}})
    if begin:
        dotted = {"type": "rule", "strokeDash": [2, 3], "color": colours.ink}
        where = {"datum": begin, "type": "quantitative"}
        rules.append({"data": once, "mark": dotted, "encoding": {"x": where}})
    line = {"type": "line", "strokeWidth": 1.8, "color": colours.accent, "interpolate": "step-after"}
    return frame(
        colours,
        260,
        layer=[{"mark": line, "encoding": {"x": number, "y": evidence, "tooltip": tooltip}}, *rules],
    )

"""Vega-Lite specifications as dicts. The rows come beside them, so that a refresh moves marks and redraws nothing."""

from __future__ import annotations

from typing import Any

from dashboard.palette import Palette

Spec = dict[str, Any]
STANDINGS = ["active", "weighted", "suspended"]


def _axis(title: str | None = None, **more: Any) -> Spec:
    return {
        "title": title,
        "grid": True,
        "ticks": False,
        "domain": False,
        "labelPadding": 6,
        "labelFlush": False,
        **more,
    }


def _frame(colours: Palette, height: int, **spec: Any) -> Spec:
    """What all charts share: quiet axes, no background of their own."""
    text = {"labelColor": colours.muted, "titleColor": colours.muted, "labelFontSize": 12, "titleFontSize": 12}
    config = {
        "background": "transparent",
        "view": {"stroke": None},
        "axis": {**text, "gridColor": colours.line, "titleFontWeight": "normal"},
        "legend": {**text, "orient": "top", "title": None, "symbolStrokeWidth": 2, "symbolOpacity": 1},
    }
    return {"height": height, "autosize": {"type": "fit", "contains": "padding"}, "config": config, **spec}


def _share(field: str, title: str, **more: Any) -> Spec:
    """A quantitative channel in per cent."""
    return {
        "field": field,
        "type": "quantitative",
        "axis": _axis(title, format=".0%", tickCount=5),
        "scale": {"zero": False},
        **more,
    }


def _time(span_ms: int) -> Spec:
    """A time axis; with seconds where it spans a few minutes only."""
    form = "%H:%M:%S" if span_ms < 8 * 60_000 else "%H:%M" if span_ms < 36 * 3_600_000 else "%d %b"
    return {"field": "at", "type": "temporal", "axis": _axis(format=form, tickCount=5, grid=False)}


def history(colours: Palette, span_ms: int) -> Spec:
    """Lines a minute over the last hour. Rows: at, per_minute, what (outputs, judgments, preferences)."""
    names = ["judgments", "outputs", "preferences"]
    return _frame(
        colours,
        230,
        mark={"type": "line", "strokeWidth": 1.8, "interpolate": "monotone"},
        encoding={
            "x": _time(span_ms),
            "y": {"field": "per_minute", "type": "quantitative", "axis": _axis("a minute", tickCount=4)},
            "color": {"field": "what", "type": "nominal", "scale": {"domain": names, "range": colours.series}},
            "strokeDash": {
                "field": "what",
                "type": "nominal",
                "scale": {"domain": names, "range": [[1, 0], [6, 3], [2, 2]]},
            },
            "tooltip": [
                {"field": "at", "type": "temporal", "format": "%H:%M:%S", "title": "at"},
                {"field": "what", "type": "nominal"},
                {"field": "per_minute", "type": "quantitative", "format": ".1f", "title": "a minute"},
            ],
        },
    )


def reliability(colours: Palette, rows: int) -> Spec:
    """A dot with its 95% interval each. Rows: name, accuracy, accuracy_low, accuracy_high, standing, judgments."""
    by_standing = {"field": "standing", "type": "nominal"}
    colour = {**by_standing, "scale": {"domain": STANDINGS, "range": [colours.accent, colours.second, colours.warn]}}
    shape = {**by_standing, "scale": {"domain": STANDINGS, "range": ["circle", "diamond", "cross"]}}
    name = {"field": "name", "type": "nominal", "sort": None, "axis": _axis(grid=False, labelLimit=150)}
    accuracy = _share("accuracy", "accuracy, with its 95% interval")
    tooltip = [
        {"field": "name", "type": "nominal", "title": "annotator"},
        {"field": "standing", "type": "nominal"},
        {"field": "accuracy", "type": "quantitative", "format": ".1%"},
        {"field": "accuracy_low", "type": "quantitative", "format": ".1%", "title": "from"},
        {"field": "accuracy_high", "type": "quantitative", "format": ".1%", "title": "to"},
        {"field": "judgments", "type": "quantitative", "format": ","},
    ]
    low, high = {**accuracy, "field": "accuracy_low"}, {"field": "accuracy_high"}
    return _frame(
        colours,
        max(180, 60 + 26 * rows),
        layer=[
            _rule_at(0.5, "x", colours),
            {
                "mark": {"type": "rule", "strokeWidth": 2.4, "opacity": 0.45},
                "encoding": {"y": name, "x": low, "x2": high, "color": colour, "tooltip": tooltip},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 90, "opacity": 1},
                "encoding": {"y": name, "x": accuracy, "color": colour, "shape": shape, "tooltip": tooltip},
            },
        ],
    )


def _rule_at(value: float, channel: str, colours: Palette) -> Spec:
    """A dashed line where chance is."""
    return {
        "mark": {"type": "rule", "strokeDash": [3, 4], "color": colours.muted, "strokeWidth": 1},
        "encoding": {channel: {"datum": value, "type": "quantitative"}},
    }


def evidence_curve(colours: Palette, span_ms: int, levels: list[Spec], since: int = 0) -> Spec:
    """A test's evidence on a logarithmic axis, the levels that act on it, and where the trouble began (ms; 0: none).

    Rows: at, evidence. `levels`: standing, evidence.
    """
    at = _time(span_ms)
    scale = {"type": "log", "nice": False}
    axis = _axis("evidence", format="~s", values=[10.0**power for power in range(-2, 10)])
    evidence = {"field": "evidence", "type": "quantitative", "scale": scale, "axis": axis}
    tooltip = [
        {"field": "at", "type": "temporal", "format": "%d %b %H:%M:%S", "title": "at"},
        {"field": "evidence", "type": "quantitative", "format": ",.3~g"},
    ]
    tones = {"weighted": colours.second, "suspended": colours.warn}
    once = {"values": [{}]}  # or each rule would be drawn once a row
    rules: list[Spec] = []
    for level in levels:
        where = {"datum": level["evidence"], "type": "quantitative", "scale": scale}
        tone = tones[level["standing"]]
        words = {"type": "text", "text": level["standing"], "align": "left", "dx": 4, "dy": -6, "color": tone}
        dashed = {"type": "rule", "strokeDash": [6, 3], "color": tone}
        rules.append({"data": once, "mark": dashed, "encoding": {"y": where}})
        rules.append({"data": once, "mark": words, "encoding": {"y": where, "x": {"value": 0}}})
    if since:
        begin = {"x": {"datum": since, "type": "temporal"}}
        dotted = {"type": "rule", "strokeDash": [2, 3], "color": colours.ink}
        rules.append({"data": once, "mark": dotted, "encoding": begin})
    line = {"type": "line", "strokeWidth": 1.8, "color": colours.accent, "interpolate": "step-after"}
    return _frame(
        colours,
        260,
        layer=[{"mark": line, "encoding": {"x": at, "y": evidence, "tooltip": tooltip}}, *rules],
    )


def agreement(colours: Palette, span_ms: int) -> Spec:
    """Alpha and per cent agreement over time. Rows: at, value, what, judgments."""
    names = ["alpha", "percent agreement"]
    colour = {"field": "what", "type": "nominal", "scale": {"domain": names, "range": colours.series[:2]}}
    shape = {"field": "what", "type": "nominal", "scale": {"domain": names, "range": ["circle", "diamond"]}}
    value = {
        "field": "value",
        "type": "quantitative",
        "axis": _axis(format=".2f", tickCount=5),
        "scale": {"zero": False},
    }
    tooltip = [
        {"field": "at", "type": "temporal", "format": "%d %b %H:%M", "title": "at"},
        {"field": "what", "type": "nominal"},
        {"field": "value", "type": "quantitative", "format": ".3f"},
        {"field": "judgments", "type": "quantitative", "format": ","},
    ]
    return _frame(
        colours,
        270,
        encoding={"x": _time(span_ms), "y": value, "color": colour, "tooltip": tooltip},
        layer=[
            {"mark": {"type": "line", "strokeWidth": 1.8}},
            {"mark": {"type": "point", "filled": True, "size": 34}, "encoding": {"shape": shape}},
        ],
    )


def by_tag(colours: Palette, rows: int) -> Spec:
    """Alpha of each slice, the lowest first. Rows: slice, alpha, percent, judgments."""
    return _frame(
        colours,
        max(160, 50 + 28 * rows),
        mark={"type": "point", "filled": True, "size": 90, "color": colours.accent, "opacity": 1},
        encoding={
            "y": {"field": "slice", "type": "nominal", "sort": None, "axis": _axis(labelLimit=180)},
            "x": {
                "field": "alpha",
                "type": "quantitative",
                "scale": {"zero": False, "padding": 16},
                "axis": _axis("Krippendorff's alpha", format=".2f", tickCount=5, grid=False),
            },
            "tooltip": [
                {"field": "slice", "type": "nominal"},
                {"field": "alpha", "type": "quantitative", "format": ".3f"},
                {"field": "percent", "type": "quantitative", "format": ".1%", "title": "percent agreement"},
                {"field": "judgments", "type": "quantitative", "format": ","},
            ],
        },
    )


def length_curve(colours: Palette) -> Spec:
    """How often the longer one wins. Rows: difference (characters), rate, low, high, pairs."""
    x = {
        "field": "difference",
        "type": "quantitative",
        "axis": _axis("characters longer than the other", tickCount=7, grid=False),
    }
    tooltip = [
        {"field": "difference", "type": "quantitative", "format": "+,", "title": "characters longer"},
        {"field": "rate", "type": "quantitative", "format": ".1%", "title": "wins"},
        {"field": "pairs", "type": "quantitative", "format": ","},
    ]
    size = {"field": "pairs", "type": "quantitative", "scale": {"range": [20, 160]}, "legend": None}
    return _frame(
        colours,
        260,
        layer=[
            {
                "mark": {"type": "area", "color": colours.accent, "opacity": 0.13},
                "encoding": {"x": x, "y": _share("low", "wins"), "y2": {"field": "high"}},
            },
            _rule_at(0.5, "y", colours),
            {
                "mark": {"type": "line", "strokeWidth": 1.8, "color": colours.accent},
                "encoding": {"x": x, "y": _share("rate", "wins")},
            },
            {
                "mark": {"type": "point", "filled": True, "color": colours.accent, "opacity": 1},
                "encoding": {"x": x, "y": _share("rate", "wins"), "size": size, "tooltip": tooltip},
            },
        ],
    )


def share_intervals(colours: Palette, rows: int, title: str, middle: float | None = None) -> Spec:
    """Shares as dots with intervals, and a line at `middle`. Rows: name, share, low, high, n."""
    name = {"field": "name", "type": "nominal", "sort": None, "axis": _axis(grid=False, labelLimit=220)}
    share = _share("share", title, scale={"zero": False, "padding": 14})
    tooltip = [
        {"field": "name", "type": "nominal"},
        {"field": "share", "type": "quantitative", "format": ".1%"},
        {"field": "low", "type": "quantitative", "format": ".1%", "title": "from"},
        {"field": "high", "type": "quantitative", "format": ".1%", "title": "to"},
        {"field": "n", "type": "quantitative", "format": ","},
    ]
    return _frame(
        colours,
        58 + 34 * rows,
        layer=[
            *([] if middle is None else [_rule_at(middle, "x", colours)]),
            {
                "mark": {"type": "rule", "strokeWidth": 2.4, "opacity": 0.45, "color": colours.accent},
                "encoding": {"y": name, "x": {**share, "field": "low"}, "x2": {"field": "high"}, "tooltip": tooltip},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 90, "opacity": 1, "color": colours.accent},
                "encoding": {"y": name, "x": share, "tooltip": tooltip},
            },
        ],
    )


def curve(colours: Palette, metric: str) -> Spec:
    """One training metric by step, a line a stage. Rows: step, value, stage."""
    return _frame(
        colours,
        230,
        title={"text": metric, "anchor": "start", "fontSize": 13, "fontWeight": 600, "color": colours.ink},
        mark={"type": "line", "strokeWidth": 1.8},
        encoding={
            "x": {
                "field": "step",
                "type": "quantitative",
                "axis": _axis("step", tickCount=5, grid=False, tickMinStep=1),
            },
            "y": {"field": "value", "type": "quantitative", "axis": _axis(tickCount=4), "scale": {"zero": False}},
            "color": {"field": "stage", "type": "nominal", "scale": {"range": colours.series}},
            "tooltip": [
                {"field": "stage", "type": "nominal"},
                {"field": "step", "type": "quantitative"},
                {"field": "value", "type": "quantitative", "format": ".4~g", "title": metric},
            ],
        },
    )

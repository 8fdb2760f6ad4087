"""Vega-Lite specifications as dicts. The rows come beside them, so that a refresh moves marks and redraws nothing."""

from __future__ import annotations

from typing import Any

from dashboard.palette import Palette

Spec = dict[str, Any]
STANDINGS = ["active", "weighted", "suspended"]
# As the rows come. Without it Vega keeps the order of the first rows that it saw, and new ones go to the end.
IN_ORDER = {"field": "row", "op": "min"}


def axis(title: str | None = None, **more: Any) -> Spec:
    """A quiet axis."""
    return {
        "title": title,
        "grid": True,
        "ticks": False,
        "domain": False,
        "labelPadding": 6,
        "labelFlush": False,
        **more,
    }


def frame(colours: Palette, height: int, **spec: Any) -> Spec:
    """What all charts share: quiet axes, no background of their own."""
    text = {"labelColor": colours.muted, "titleColor": colours.muted, "labelFontSize": 12, "titleFontSize": 12}
    config = {
        "background": "transparent",
        "view": {"stroke": None},
        "axis": {**text, "gridColor": colours.line, "titleFontWeight": "normal"},
        "legend": {**text, "orient": "top", "columns": 3, "title": None, "symbolStrokeWidth": 2, "symbolOpacity": 1},
    }
    # The last label of an axis reaches past its end, which fitting the chart into its place does not count.
    padding = {"left": 4, "top": 4, "right": 18, "bottom": 4}
    fit = {"type": "fit", "contains": "padding"}
    return {"height": height, "autosize": fit, "padding": padding, "config": config, **spec}


def per_cent(field: str, title: str, **more: Any) -> Spec:
    """A quantitative channel in per cent."""
    return {
        "field": field,
        "type": "quantitative",
        "axis": axis(title, format=".2~%", tickCount=5),
        "scale": {"zero": False},
        **more,
    }


def change(title: str, ticks: int) -> Spec:
    """A quantitative channel for differences of shares, in points, without its field; never narrower than ±5 points."""
    points = "datum.value == 0 ? '0' : format(100 * datum.value, '+.1~f')"
    return {
        "type": "quantitative",
        "axis": axis(title, labelExpr=points, tickCount=ticks),
        "scale": {"domain": {"unionWith": [-0.05, 0.05]}},
    }


def _time(span_ms: int) -> Spec:
    """A time axis; with seconds where it spans a few minutes only."""
    form = "%H:%M:%S" if span_ms < 8 * 60_000 else "%H:%M" if span_ms < 36 * 3_600_000 else "%d %b"
    return {"field": "at", "type": "temporal", "axis": axis(format=form, tickCount=5, grid=False)}


def history(colours: Palette, span_ms: int) -> Spec:
    """Lines a minute over the last hour. Rows: at, per_minute, what (outputs, judgments, preferences)."""
    names = ["judgments", "outputs", "preferences"]
    return frame(
        colours,
        230,
        mark={"type": "line", "strokeWidth": 1.8, "interpolate": "monotone"},
        encoding={
            "x": _time(span_ms),
            # Never lower than four: an hour without events would have an axis of one number, 0.000000.
            "y": {
                "field": "per_minute",
                "type": "quantitative",
                "axis": axis("a minute", tickCount=4),
                "scale": {"domain": {"unionWith": [0, 4]}},
            },
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
    name = {"field": "name", "type": "nominal", "sort": IN_ORDER, "axis": axis(grid=False, labelLimit=150)}
    accuracy = per_cent("accuracy", "accuracy, with its 95% interval")
    tooltip = [
        {"field": "name", "type": "nominal", "title": "annotator"},
        {"field": "standing", "type": "nominal"},
        {"field": "accuracy", "type": "quantitative", "format": ".1%"},
        {"field": "accuracy_low", "type": "quantitative", "format": ".1%", "title": "from"},
        {"field": "accuracy_high", "type": "quantitative", "format": ".1%", "title": "to"},
        {"field": "judgments", "type": "quantitative", "format": ","},
    ]
    low, high = {**accuracy, "field": "accuracy_low"}, {"field": "accuracy_high"}
    return frame(
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


def agreement(colours: Palette, span_ms: int) -> Spec:
    """Alpha over time with its interval. Rows: at, since, alpha, low, high, percent, items."""
    value = {
        "type": "quantitative",
        "axis": axis("Krippendorff's alpha", format=".2f", tickCount=5),
        "scale": {"zero": False},
    }
    tooltip = [
        {"field": "since", "type": "temporal", "format": "%d %b %H:%M", "title": "from"},
        {"field": "at", "type": "temporal", "format": "%d %b %H:%M", "title": "to"},
        {"field": "alpha", "type": "quantitative", "format": ".3f"},
        {"field": "low", "type": "quantitative", "format": ".3f", "title": "95% from"},
        {"field": "high", "type": "quantitative", "format": ".3f", "title": "to"},
        {"field": "percent", "type": "quantitative", "format": ".1%", "title": "same answer"},
        {"field": "items", "type": "quantitative", "format": ",", "title": "tasks"},
    ]
    return frame(
        colours,
        270,
        encoding={"x": _time(span_ms), "tooltip": tooltip},
        layer=[
            {
                "mark": {"type": "area", "color": colours.accent, "opacity": 0.13},
                "encoding": {"y": {"field": "low", **value}, "y2": {"field": "high"}},
            },
            {
                "mark": {"type": "line", "strokeWidth": 1.8, "color": colours.accent},
                "encoding": {"y": {"field": "alpha", **value}},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 34, "color": colours.accent, "opacity": 1},
                "encoding": {"y": {"field": "alpha", **value}},
            },
        ],
    )


LOOKS = ["guideline", "annotators", "both", "unclear", "no lower"]


def ranking(colours: Palette, rows: int) -> Spec:
    """Slices by how much lower their agreement is. Rows: slice, value, low, high (shares), said, looks, judgments."""
    range_ = [colours.accent, colours.warn, colours.third, colours.second, colours.muted]
    by = {"field": "looks", "type": "nominal", "legend": {"title": None}}
    colour = {**by, "scale": {"domain": LOOKS, "range": range_}}
    shape = {**by, "scale": {"domain": LOOKS, "range": ["circle", "cross", "diamond", "triangle-up", "square"]}}
    name = {"field": "slice", "type": "nominal", "sort": IN_ORDER, "axis": axis(grid=False, labelLimit=190)}
    x = change("points of agreement against the rest, with their 95% interval", 9)
    tooltip = [
        {"field": "slice", "type": "nominal"},
        {"field": "said", "type": "nominal", "title": "against the rest"},
        {"field": "looks", "type": "nominal", "title": "looks like"},
        {"field": "judgments", "type": "quantitative", "format": ","},
    ]
    return frame(
        colours,
        max(150, 64 + 27 * rows),
        layer=[
            _rule_at(0, "x", colours),
            {
                "mark": {"type": "rule", "strokeWidth": 2.6, "opacity": 0.45},
                "encoding": {"y": name, "x": {"field": "low", **x}, "x2": {"field": "high"}, "color": colour},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 95, "opacity": 1},
                "encoding": {
                    "y": name,
                    "x": {"field": "value", **x},
                    "color": colour,
                    "shape": shape,
                    "tooltip": tooltip,
                },
            },
        ],
    )


def parts_of_effect(colours: Palette, rows: int) -> Spec:
    """An effect and what it is made of. Rows: name, value, low, high (differences of shares), said."""
    name = {"field": "name", "type": "nominal", "sort": IN_ORDER, "axis": axis(grid=False, labelLimit=220)}
    x = change("points of agreement", 5)
    tooltip = [
        {"field": "name", "type": "nominal"},
        {"field": "said", "type": "nominal", "title": "agreement"},
    ]
    return frame(
        colours,
        58 + 34 * rows,
        layer=[
            {
                "mark": {"type": "bar", "height": 13, "color": colours.accent, "opacity": 0.55},
                "encoding": {"y": name, "x": {"field": "value", **x}, "tooltip": tooltip},
            },
            {
                "mark": {"type": "rule", "strokeWidth": 1.6, "color": colours.ink, "opacity": 0.75},
                "encoding": {"y": name, "x": {"field": "low", **x}, "x2": {"field": "high"}, "tooltip": tooltip},
            },
            _rule_at(0, "x", colours),
        ],
    )


def session(colours: Palette) -> Spec:
    """Agreement by the place in a session. Rows: place (words), rate, low, high, n."""
    place = {
        "field": "place",
        "type": "ordinal",
        "sort": IN_ORDER,
        "axis": axis("judgment of the session", grid=False, labelAngle=0),
    }
    tooltip = [
        {"field": "place", "type": "nominal", "title": "judgment"},
        {"field": "rate", "type": "quantitative", "format": ".1%", "title": "agrees with others"},
        {"field": "n", "type": "quantitative", "format": ",", "title": "judgments"},
    ]
    return frame(
        colours,
        230,
        layer=[
            {
                "mark": {"type": "rule", "strokeWidth": 2.4, "opacity": 0.45, "color": colours.accent},
                "encoding": {"x": place, "y": per_cent("low", "agrees with others"), "y2": {"field": "high"}},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 80, "opacity": 1, "color": colours.accent},
                "encoding": {"x": place, "y": per_cent("rate", "agrees with others"), "tooltip": tooltip},
            },
        ],
    )


def length_curve(colours: Palette) -> Spec:
    """How often the longer one wins: bins as dots, the fitted curve with its band.

    Rows: kind (seen, fitted), difference (characters), rate, low, high, pairs.
    """
    x = {
        "field": "difference",
        "type": "quantitative",
        "axis": axis("characters longer than the other", tickCount=7, format=",d", grid=False),
        "scale": {"type": "symlog", "constant": 100},
    }
    tooltip = [
        {"field": "difference", "type": "quantitative", "format": "+,", "title": "characters longer"},
        {"field": "rate", "type": "quantitative", "format": ".1%", "title": "wins"},
        {"field": "pairs", "type": "quantitative", "format": ","},
    ]
    fitted, seen = ([{"filter": f"datum.kind == '{kind}'"}] for kind in ("fitted", "seen"))
    size = {"field": "pairs", "type": "quantitative", "scale": {"range": [20, 160]}, "legend": None}
    return frame(
        colours,
        270,
        layer=[
            {
                "transform": fitted,
                "mark": {"type": "area", "color": colours.accent, "opacity": 0.13, "interpolate": "monotone"},
                "encoding": {"x": x, "y": per_cent("low", "wins"), "y2": {"field": "high"}},
            },
            _rule_at(0.5, "y", colours),
            {
                "transform": fitted,
                "mark": {"type": "line", "strokeWidth": 1.8, "color": colours.accent, "interpolate": "monotone"},
                "encoding": {"x": x, "y": per_cent("rate", "wins")},
            },
            {
                "transform": seen,
                "mark": {"type": "rule", "strokeWidth": 1.4, "opacity": 0.5, "color": colours.second},
                "encoding": {"x": x, "y": per_cent("low", "wins"), "y2": {"field": "high"}},
            },
            {
                "transform": seen,
                "mark": {"type": "point", "filled": True, "color": colours.second, "opacity": 1},
                "encoding": {"x": x, "y": per_cent("rate", "wins"), "size": size, "tooltip": tooltip},
            },
        ],
    )


def share_intervals(colours: Palette, rows: int, title: str, middle: float | None = None, form: str = ".1~%") -> Spec:
    """Shares as dots with intervals, and a line at `middle`. Rows: name, share, low, high, n."""
    name = {"field": "name", "type": "nominal", "sort": IN_ORDER, "axis": axis(grid=False, labelLimit=220)}
    scaled = axis(title, format=form, tickCount=5)
    share = per_cent("share", title, scale={"zero": False, "padding": 14}, axis=scaled)
    tooltip = [
        {"field": "name", "type": "nominal"},
        {"field": "share", "type": "quantitative", "format": form},
        {"field": "low", "type": "quantitative", "format": form, "title": "from"},
        {"field": "high", "type": "quantitative", "format": form, "title": "to"},
        {"field": "n", "type": "quantitative", "format": ","},
    ]
    return frame(
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
    return frame(
        colours,
        230,
        title={"text": metric, "anchor": "start", "fontSize": 13, "fontWeight": 600, "color": colours.ink},
        mark={"type": "line", "strokeWidth": 1.8},
        encoding={
            "x": {
                "field": "step",
                "type": "quantitative",
                "axis": axis("step", tickCount=5, grid=False, tickMinStep=1),
            },
            "y": {"field": "value", "type": "quantitative", "axis": axis(tickCount=4), "scale": {"zero": False}},
            "color": {"field": "stage", "type": "nominal", "scale": {"range": colours.series}},
            "tooltip": [
                {"field": "stage", "type": "nominal"},
                {"field": "step", "type": "quantitative"},
                {"field": "value", "type": "quantitative", "format": ".4~g", "title": metric},
            ],
        },
    )

"""The summary as a picture: a Vega-Lite chart, written as JSON, or drawn as SVG, PNG or a page of its own."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path
from typing import Any

from services.simulation.annotators import ARCHETYPES
from services.simulation.summary import OfTarget, Summary
from services.simulation.trial import Record, Result
from services.written import writing
from streams.errors import InputError

FORMATS = (".svg", ".png", ".html", ".json")
SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
BLUE, RED, GREY = "#2a6fb0", "#b5432f", "#8a8f98"
GOLDEN = 0.618034
FATES = {"suspended": RED, "weight lowered": "#d99a2b", "alarmed": BLUE, "nothing": GREY}


def save_picture(file: Path, summary: Summary, results: list[Result]) -> None:
    """Draws into the file, by its ending. Raises InputError for another ending, or where drawing is not installed."""
    check_format(file)
    spec = chart(summary, results)
    drawn = json.dumps(spec, indent=1).encode() if file.suffix == ".json" else draw(file.suffix, spec)
    with writing(file, "plot"):
        file.write_bytes(drawn)


def check_format(file: Path) -> None:
    """Raises InputError for an ending that is none of FORMATS."""
    if file.suffix not in FORMATS:
        mend = f"end its name in {', '.join(FORMATS)}"
        raise InputError(f"cannot tell the format of {file}", field="plot", mend=mend)


def draw(suffix: str, spec: dict[str, Any]) -> bytes:
    """As SVG, PNG or HTML that needs no network. Raises InputError where vl-convert is not installed."""
    try:
        import vl_convert
    except ImportError as error:
        mend = "make setup, in a checkout pip install '.[plots]', or write a .json, for any Vega-Lite viewer"
        raise InputError(f"drawing {suffix} needs vl-convert-python", field="plot", mend=mend) from error
    text = json.dumps(spec)
    if suffix == ".png":
        return bytes(vl_convert.vegalite_to_png(text, scale=2))
    drawn = vl_convert.vegalite_to_svg(text) if suffix == ".svg" else vl_convert.vegalite_to_html(text, bundle=True)
    return str(drawn).encode()


def chart(summary: Summary, results: list[Result]) -> dict[str, Any]:
    """Quality against labels a pair, and beside it how soon each kind of annotator was stopped."""
    return {
        "$schema": SCHEMA,
        "background": "white",
        "config": {"font": "sans-serif", "view": {"stroke": None}, "axis": {"grid": True, "gridColor": "#eceef1"}},
        "hconcat": [quality(summary), delays(results, summary.targets[-1].target)],
        "spacing": 40,
        "resolve": {"legend": {"color": "independent"}},
    }


def quality(summary: Summary) -> dict[str, Any]:
    """A cross a target: labels a pair against pairs right, with both intervals."""
    rows = [row_of(one) for one in summary.targets]
    x: dict[str, Any] = {"type": "quantitative", "scale": {"zero": False, "nice": True}, "title": "labels a pair"}
    y: dict[str, Any] = {"type": "quantitative", "scale": {"zero": False, "nice": True}, "title": "pairs right"}
    y["axis"] = {"format": ".0%"}
    at, of = {"field": "labels", **x}, {"field": "right", **y}
    return {
        "title": {"text": "What a target costs and gives", "anchor": "start"},
        "width": 330,
        "height": 260,
        "data": {"values": rows},
        "layer": [
            {"mark": {"type": "line", "color": BLUE, "opacity": 0.4}, "encoding": {"x": at, "y": of}},
            {
                "mark": {"type": "rule", "color": BLUE},
                "encoding": {"x": at, "y": {"field": "right_low", **y}, "y2": {"field": "right_high"}},
            },
            {
                "mark": {"type": "rule", "color": BLUE},
                "encoding": {"x": {"field": "labels_low", **x}, "x2": {"field": "labels_high"}, "y": of},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 70, "color": BLUE, "opacity": 1},
                "encoding": {"x": at, "y": of},
            },
            {
                "mark": {"type": "text", "align": "left", "dx": 8, "dy": 14, "color": "#333"},
                "encoding": {"x": at, "y": of, "text": {"field": "label"}},
            },
        ],
    }


def row_of(one: OfTarget) -> dict[str, Any]:
    """What the chart draws of a target."""
    return {
        "label": f"target {one.target:g}",
        "labels": one.labels_per_pair.value,
        "labels_low": one.labels_per_pair.low,
        "labels_high": one.labels_per_pair.high,
        "right": one.right.value,
        "right_low": one.right.low,
        "right_high": min(one.right.high, 1.0),
    }


def delays(results: list[Result], target: float) -> dict[str, Any]:
    """A dot a person who misbehaved: how many judgments they gave until they were stopped, or in all."""
    jitter = (n * GOLDEN % 1 for n in count())  # even, and the same in every drawing
    rows = [
        {"kind": record.kind, "judgments": max(1, stopped_after(record)), "fate": fate(record), "jitter": next(jitter)}
        for one in results
        if one.target == target
        for record in one.records
        if record.counted and record.kind != "honest"
    ]
    return {
        "title": {
            "text": f"When bad annotators are stopped, target {target:g}",
            "subtitle": "a dot a person: own judgments since their misconduct began, until the worst that befell them",
            "anchor": "start",
        },
        "width": 380,
        "height": {"step": 34},
        "data": {"values": rows},
        "mark": {"type": "circle", "size": 55, "opacity": 0.75},
        "encoding": {
            "x": {
                "field": "judgments",
                "type": "quantitative",
                "scale": {"type": "log"},
                "title": "own judgments",
                "axis": {"values": [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000], "format": "~s"},
            },
            "y": {"field": "kind", "type": "nominal", "sort": list(ARCHETYPES), "title": None},
            "yOffset": {"field": "jitter", "type": "quantitative", "scale": {"domain": [-0.4, 1.4]}},
            "color": {
                "field": "fate",
                "title": None,
                "scale": {"domain": list(FATES), "range": list(FATES.values())},
                "legend": {"orient": "bottom"},
            },
        },
    }


def stopped_after(record: Record) -> int:
    """Judgments until the worst that befell them, or in all."""
    found = (record.suspended_after, record.weighted_after, record.alarmed_after, record.counted)
    return next(after for after in found if after is not None)


def fate(record: Record) -> str:
    """The worst that befell them."""
    if record.suspended_after is not None:
        return "suspended"
    if record.weighted_after is not None:
        return "weight lowered"
    return "alarmed" if record.alarmed_after is not None else "nothing"

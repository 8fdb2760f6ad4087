"""The figures of docs/quality.md, drawn from what the code itself says.

    python -m benchmarks.figures [--out docs/images]

Needs the extra `plots`, which `make setup` installs. Seeds are fixed; run it again after the statistics changed.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from services.simulation.picture import BLUE, GREY, RED, SCHEMA, draw
from streams.events import Choice
from streams.quality import alarms, floor, refinement, reliability, sequential
from streams.quality.changes import SPAN, averaged
from streams.quality.consensus import Opinion, posterior
from streams.quality.reliability import CHANGES, EDGES, GOLD, LEVELS, Grades
from streams.quality.vendors import judgments_needed

Spec = dict[str, Any]
Row = dict[str, Any]
ORANGE = "#d99a2b"
COLOURS = [GREY, ORANGE, BLUE, RED]


def figure(title: str, told: str, rows: Sequence[Row], x: Spec, y: Spec, kind: str, **mark: Any) -> Spec:
    """Lines, one a value of the column `kind`. The rows hold x, y and kind."""
    kinds = list(dict.fromkeys(row["kind"] for row in rows))
    return {
        "$schema": SCHEMA,
        "background": "white",
        "config": {"font": "sans-serif", "view": {"stroke": None}, "axis": {"gridColor": "#eceef1"}},
        "title": {"text": title, "subtitle": told, "anchor": "start"},
        "width": 520,
        "height": 240,
        "data": {"values": list(rows)},
        "layer": [
            {
                "mark": {"type": "line", "strokeWidth": 2, **mark},
                "encoding": {
                    "x": {"field": "x", "type": "quantitative", **x},
                    "y": {"field": "y", "type": "quantitative", **y},
                    "color": {
                        "field": "kind",
                        "title": kind,
                        "sort": None,
                        "scale": {"domain": kinds, "range": COLOURS},
                    },
                },
            }
        ],
    }


def belief() -> Spec:
    """What is known of an annotator who answers four of five gold tasks rightly, as the answers come."""
    rows, grades, heard = [], Grades(), 0
    widths = [high - low for low, high in pairwise(EDGES)]
    for wanted in (0, 5, 20, 80):
        for number in range(heard, wanted):
            grades = reliability.learn_graded(grades, 0, "b" if number % 5 == 4 else "a", GOLD["a"])
        heard = wanted
        density = [share / width for share, width in zip(reliability.belief(grades), widths, strict=True)]
        rows += [{"x": x, "y": y, "kind": f"{wanted}"} for x, y in zip(LEVELS, density, strict=True)]
    return figure(
        "What is known of one annotator",
        "who is right on four of five tasks whose answer is known; the grey line is a newcomer",
        rows,
        {"title": "accuracy", "axis": {"format": ".0%"}},
        {"title": "density of belief"},
        "answers",
        interpolate="monotone",
    )


def agreeing() -> Spec:
    """The belief in a verdict as people of one accuracy agree on it."""
    rows = []
    for accuracy in (0.6, 0.7, 0.8, 0.9):
        said = Opinion(choice="a", swapped=False, weight=1.0, accuracy=accuracy, side_bias=0.0, tie_rate=0.1)
        rows += [{"x": n, "y": posterior([said] * n)[0], "kind": f"{accuracy:.0%}"} for n in range(9)]
    return figure(
        "How sure the verdict is when everybody agrees",
        "it never reaches certainty: one task in ten is taken for hard, and there people err together",
        rows,
        {"title": "judgments that agree"},
        {"title": "posterior of the verdict", "axis": {"format": ".0%"}, "scale": {"domain": [0.3, 1.0]}},
        "their accuracy",
        point=True,
    )


def needed() -> Spec:
    """Judgments a task by accuracy: why it matters who is asked."""
    asked = np.linspace(0.6, 0.95, 36)
    rows = [
        {"x": float(accuracy), "y": float(count), "kind": f"{target:.0%}"}
        for target in (0.8, 0.9, 0.95)
        for accuracy, count in zip(asked, judgments_needed(asked, target), strict=True)
    ]
    return figure(
        "What a task costs, by who is asked",
        "judgments that Wald's sequential test needs to reach the target",
        rows,
        {"title": "accuracy of who is asked", "axis": {"format": ".0%"}, "scale": {"zero": False}},
        {"title": "judgments a task"},
        "target",
    )


def evidence() -> Spec:
    """The watch over three annotators, with the levels that act."""
    people: list[tuple[str, Callable[[int], float]]] = [
        ("honest, 78%", lambda _: 0.78),
        ("guesses from the start", lambda _: 0.5),
        ("turns after 100", lambda n: 0.78 if n < 100 else 0.22),
    ]
    rows: list[Row] = []
    for seed, (name, accuracy) in enumerate(people):
        dice, test = random.Random(seed), sequential.Test()
        for n in range(220):
            choice: Choice = "a" if dice.random() < accuracy(n) else "b"
            test = sequential.observe(test, floor.ratios(choice, GOLD["a"], floor.WATCH), n, watch=True)
            rows.append({"x": n + 1, "y": max(alarms.evidence("change", test), 0.1), "kind": name})
    spec = figure(
        "The evidence against three annotators",
        "dashed: where the weight is halved, and where they are suspended",
        rows,
        {"title": "own judgments"},
        {
            "title": "evidence of a change",
            "scale": {"type": "log", "domain": [0.1, 1e6], "clamp": True},
            "axis": {"format": "~s", "tickCount": 7},
        },
        "annotator",
    )
    for level in alarms.LEVELS:
        rule = {"type": "rule", "strokeDash": [4, 4], "color": "#555"}
        at = {"datum": alarms.threshold("change", level), "type": "quantitative"}
        spec["layer"].append({"mark": rule, "encoding": {"y": at}})
    return spec


def changing() -> Spec:
    """What the refinement believes of three annotators at each time, beside what each span says alone."""
    people: list[tuple[str, list[float]]] = [
        ("never changes", [0.8] * 16),
        ("turns at 150", [0.8] * 6 + [0.2] * 10),
        ("lapses and recovers", [0.85] * 5 + [0.5] * 5 + [0.85] * 6),
    ]
    draw, prior, change = np.random.default_rng(4), refinement.CROWD * refinement.DECISIVE, np.array([[CHANGES * SPAN]])
    rows: list[Row] = []
    for name, accuracy in people:
        right = draw.binomial(SPAN, accuracy)
        counts = np.stack([right, SPAN - right, np.zeros(len(right))], axis=1)
        held = averaged(counts[None], prior, change)[0] + prior
        known = held[:, 0] / held[:, :2].sum(axis=1)
        rows += [
            {"x": SPAN * (at + 0.5), "y": float(y), "alone": float(own / SPAN), "kind": name}
            for at, (y, own) in enumerate(zip(known, right, strict=True))
        ]
    spec = figure(
        "What is known of three annotators, looking back",
        "lines: from all spans that seem to belong together; dots: each 25 judgments alone",
        rows,
        {"title": "own judgments"},
        {"title": "right answers", "axis": {"format": ".0%"}, "scale": {"domain": [0, 1]}},
        "annotator",
    )
    alone = {**spec["layer"][0]["encoding"], "y": {"field": "alone", "type": "quantitative"}}
    spec["layer"].append({"mark": {"type": "point", "filled": True, "opacity": 0.5}, "encoding": alone})
    return spec


FIGURES = {
    "quality-belief": belief,
    "quality-consensus": agreeing,
    "quality-routing": needed,
    "quality-watch": evidence,
    "quality-changes": changing,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Draws all of them as SVG."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    options = parser.parse_args(arguments)
    for name, made in FIGURES.items():
        (options.out / f"{name}.svg").write_bytes(draw(".svg", made()))


if __name__ == "__main__":
    main()

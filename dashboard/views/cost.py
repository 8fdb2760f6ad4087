"""Cost: what one more point of quality would cost a campaign, by its own judgments so far."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from dashboard import parts, session, wording
from dashboard.outlook_chart import labelled, outlook
from dashboard.parts import Tile

Json = dict[str, Any]
EVERY_CAMPAIGN = "all campaigns"


def choose() -> tuple[dict[str, str | int], float]:
    """The campaign as the API's query, and what one judgment costs; 0 is unknown."""
    names = [row["name"] for row in (session.watch("/v1/campaigns").value or {}).get("campaigns", [])]
    left, right, _ = st.columns([1, 1, 2])
    campaign = left.selectbox("Campaign", [EVERY_CAMPAIGN, *names], key="cost-campaign")
    price = right.number_input("Price of a judgment", min_value=0.0, step=0.01, value=0.0, key="cost-price")
    return ({} if campaign == EVERY_CAMPAIGN else {"campaign": campaign}), float(price)


def ranged(found: Json, digits: int) -> str:
    """A number's interval."""
    return f"95%: {found['low']:.{digits}f} to {found['high']:.{digits}f}"


def summary(found: Json, price: float) -> None:
    """Where the campaign is, and the price of a point from here."""
    right, judgments, point = found["right"], found["judgments"], found["next_point"]
    told = [
        Tile(label="Tasks decided", value=wording.count(found["tasks"]), note="by the crowd, adjudication apart"),
        Tile(
            label="Expected right",
            value=wording.percent(right["value"], 1),
            note=f"95%: {wording.interval(right['low'], right['high'], 1)}",
        ),
        Tile(label="Judgments a task", value=f"{judgments['value']:.2f}", note=ranged(judgments, 2)),
    ]
    if point is None:
        told.append(Tile(label="Next point of quality", value=wording.DASH, note="no target up to 99% gives a point"))
    else:
        note = f"more judgments a task; {ranged(point, 2)}"
        told.append(Tile(label="Next point of quality", value=f"{point['value']:.2f}", note=note))
        if price:
            low, high = (f"{1000 * price * point[key]:,.0f}" for key in ("low", "high"))
            value = f"{1000 * price * point['value']:,.0f}"
            told.append(Tile(label="Its price", value=value, note=f"per 1,000 tasks; 95%: {low} to {high}"))
    parts.tiles(told)


def rows_of(found: Json) -> list[Json]:
    """Where the campaign is, then every higher target."""
    here = {"target": None, "right": found["right"], "judgments": found["judgments"]}
    return [
        {
            "name": "now" if one["target"] is None else f"{one['target']:.1%}".replace(".0%", "%"),
            "now": one["target"] is None,
            **{name: one[name]["value"] for name in ("right", "judgments")},
            **{f"{name}_{end}": one[name][end] for name in ("right", "judgments") for end in ("low", "high")},
        }
        for one in [here, *found["points"]]
    ]


def table(rows: list[Json], price: float) -> None:
    """Each target with what it adds, and what each point of it costs."""
    first, steps = rows[0], zip(rows[1:], rows[:-1], strict=True)
    frame = pd.DataFrame(
        [
            {
                "Target": row["name"],
                "Expected right": 100 * row["right"],
                "More judgments a task": row["judgments"] - first["judgments"],
                "Judgments a task for each further point": step_price(row, before),
                **({"Price of 1,000 tasks": round(1000 * price * row["judgments"])} if price else {}),
            }
            for row, before in steps
        ]
    )
    config = {
        "Expected right": st.column_config.NumberColumn(format="%.1f%%"),
        "More judgments a task": st.column_config.NumberColumn(format="%.2f"),
        "Judgments a task for each further point": st.column_config.NumberColumn(format="%.2f"),
        "Price of 1,000 tasks": st.column_config.NumberColumn(format="localized"),
    }
    parts.table(frame, "cost-table", 400, config)


def step_price(row: Json, before: Json) -> float | None:
    """From the target before to this one; None where hardly anything is gained."""
    points = 100 * (row["right"] - before["right"])
    return float((row["judgments"] - before["judgments"]) / points) if points > 0.05 else None


def page() -> None:
    """Holds still while it is read."""
    top, probe = st.container(), session.watch("/v1/quality/next-point")
    wanted, price = choose() if probe.value else ({}, 0.0)
    watched = session.watch("/v1/quality/next-point", **wanted)
    with top:
        subtitle = "What one more point of quality costs from here, by the campaign's own judgments."
        parts.head("Cost", subtitle, watched, counted="tasks")
    if not parts.seen(watched, "cost"):
        return
    found = watched.value["outlook"]
    if found is None:
        parts.empty(
            "Too little is decided yet.",
            f"Appears with {watched.value['least_tasks']} tasks decided by the crowd. To size a campaign before that:",
            "prefloop simulate",
        )
        return
    summary(found, price)
    rows = rows_of(found)
    left, right = st.columns(2, gap="large")
    with left:
        parts.title("What a higher target would give", "a dot a target posterior; lines are 95% intervals")
        parts.chart(pd.DataFrame(labelled(rows)), outlook(session.colours()), key="outlook")
    with right:
        parts.title("Each step", "stop where a point costs more than it is worth to you")
        table(rows, price)
        st.caption(
            "Expected right is the mean posterior of the verdicts: it holds as far as posteriors are calibrated. "
            "Judgments are worked out from what a judgment of this campaign has told so far, by whoever gave it. "
            "Tasks that the overlap cap would send to an adjudicator are not priced."
        )


page()

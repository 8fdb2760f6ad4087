"""Calibration rounds: everybody on the same few tasks. How far the round is, how people agree, who stands apart."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import charts, parts, session, wording
from dashboard.parts import Tile

Json = dict[str, Any]
CHARTED = 16  # annotators that a chart holds and stays readable: the lowest
NAMED = 5
DAY_MS = 86_400_000
FIRST = """prefloop campaigns show {campaign} > campaign.yaml
# in that file:   calibration: {{tasks: 5, every_days: 7}}
prefloop campaigns apply campaign.yaml"""


def day(at: float | None) -> str:
    """A round's day, 16 Nov; rounds begin at midnight UTC."""
    found = datetime.fromtimestamp(at / 1000, UTC) if at else None
    return f"{found.day} {found:%b}" if found else wording.DASH


def began(one: Json) -> int:
    """When the round began, in ms."""
    return int(datetime.strptime(one["round"], "%Y-%m-%d").replace(tzinfo=UTC).timestamp() * 1000)


def reading(alpha: Json | None) -> str:
    """The interval; what is missing where there is none."""
    if alpha is None:
        return "needs two who judged the same, and two different answers"
    return f"95%: {alpha['low']:.2f} to {alpha['high']:.2f}"


def apart(one: Json) -> list[Json]:
    """Annotators who agree with the others less often than people do here, beyond their own interval."""
    usual = one["percent"]["value"] if one["percent"] else 0.0
    return [row for row in one["annotators"] if row["agreement"] and row["agreement"]["high"] < usual]


def summary(found: Json) -> None:
    """The tiles: the newest round."""
    newest, due = found["rounds"][0], found["next_at"]
    alpha, same, lower = newest["alpha"], newest["percent"], apart(newest)
    after = f"the next one from {day(due)}" if due else "no further round is asked for"
    parts.tiles(
        [
            Tile(label="Round of", value=day(began(newest)), note=after),
            Tile(
                label="Have judged all of it",
                value=wording.count(newest["finished"]),
                unit=f"of {newest['people']}",
                note=f"{newest['closed']} of {newest['tasks']} tasks are closed",
            ),
            Tile(
                label="Krippendorff's alpha",
                value=f"{alpha['value']:.2f}" if alpha else wording.DASH,
                note=reading(alpha),
            ),
            Tile(
                label="Same answer",
                value=wording.percent(same["value"] if same else None),
                note=f"95%: {wording.interval(same['low'], same['high'])}" if same else "of pairs of judgments",
            ),
            Tile(label="Apart", value=wording.count(len(lower)), warn=bool(lower), note="agree less than people do"),
        ]
    )


def annotators(one: Json, names: dict[str, str]) -> None:
    """Each annotator's agreement with the others in one round, the lowest first."""
    parts.title("Agreement with the others", f"round of {day(began(one))}; the line is the 95% interval")
    rows = [
        {"name": names.get(row["annotator"]) or row["annotator"], "share": row["agreement"]["rate"], **row["agreement"]}
        for row in one["annotators"]
        if row["agreement"]
    ]
    if not rows:
        st.caption("Appears as soon as two people have judged the same task of this round.")
        return
    shown = pd.DataFrame(rows[:CHARTED])[["name", "share", "low", "high", "n"]]
    middle = one["percent"]["value"] if one["percent"] else None
    spec = charts.share_intervals(session.colours(), len(shown), "says the same as the others", middle=middle)
    parts.chart(shown, spec, key="calibration-annotators")
    cut = f" The {CHARTED} lowest of {len(rows)} are shown." if len(rows) > CHARTED else ""
    st.caption(
        "The dashed line is how often two people of this round say the same. Intervals are wide because they count "
        f"tasks, of which a round has few.{cut}"
    )


def to_know(one: Json, names: dict[str, str]) -> None:
    """Who stands apart, and what to do."""
    parts.title("What to know")
    lower = apart(one)
    lines = [
        (
            names.get(row["annotator"]) or row["annotator"],
            f"says the same as the others in {wording.percent(row['agreement']['rate'])} "
            f"(95%: {wording.interval(row['agreement']['low'], row['agreement']['high'])})",
        )
        for row in lower[:NAMED]
    ]
    if not lines:
        st.caption("Nobody is clearly below the others in this round.")
        return
    parts.listing(lines)
    st.caption(
        "Read these tasks together before anything else: who differs may have read the guideline more closely. "
        "About one annotator in forty stands here by chance alone."
    )


def rounds(found: Json) -> Json:
    """Every round as a line, and as a row to open; the one that is opened."""
    listed = found["rounds"]
    begins = [began(one) for one in listed]
    ends = [found["next_at"] or begins[0] + found["policy"]["every_days"] * DAY_MS, *begins[:-1]]
    parts.title("From round to round", "Krippendorff's alpha with its 95% interval, at the end of each round")
    rows = [
        {"since": begin, "at": min(end, session.now()), "alpha": one["alpha"]["value"], "low": one["alpha"]["low"],
         "high": one["alpha"]["high"], "percent": (one["percent"] or {}).get("value"), "items": one["tasks"]}
        for one, begin, end in zip(listed, begins, ends, strict=True)
        if one["alpha"]
    ]  # fmt: skip
    if len(rows) > 1:
        frame = pd.DataFrame(rows[::-1])
        parts.chart(frame, charts.agreement(session.colours(), rows[0]["at"] - rows[-1]["at"]), key="calibration")
    else:
        st.caption("A line appears with the second round.")
    table = pd.DataFrame(
        {
            "Round": [day(begin) for begin in begins],
            "Judged by": [f"{one['finished']} of {one['people']}" for one in listed],
            "Tasks": [one["tasks"] for one in listed],
            "Alpha": [one["alpha"] and one["alpha"]["value"] for one in listed],
            "Same answer": [one["percent"] and round(one["percent"]["value"], 2) for one in listed],
        }
    )
    config = {
        "Alpha": st.column_config.NumberColumn(format="%.2f"),
        "Same answer": st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1),
    }
    chosen: Json = listed[parts.pick(table, "calibration-round", 290, config)]
    return chosen


def nothing_yet(found: Json) -> None:
    """What brings the first round."""
    tasks = found["policy"]["tasks"]
    if tasks:
        parts.empty(
            "No round yet.",
            f"The first one begins by itself as soon as {tasks} tasks are decided and two people have judged. "
            "Everybody who was at work lately then gets the same tasks, before others.",
        )
    else:
        parts.empty(
            "No calibration rounds in this campaign.",
            "Now and then everybody judges the same few tasks, so that people can be compared directly. Say how many "
            "tasks a round has, and how often one begins:",
            session.pasted(FIRST.format(campaign=found["campaign"])),
        )


@st.fragment(run_every="10s")
def page() -> None:
    """Anew every ten seconds."""
    campaigns = session.watch("/v1/campaigns")
    names = parts.live_campaigns(campaigns)
    chosen = st.session_state.get("calibration-campaign", names[0] if names else "")
    found = session.watch(f"/v1/campaigns/{session.part(chosen)}/calibration") if names else campaigns
    parts.head("Calibration", "The same few tasks for everybody: how people agree, side by side.", campaigns, found)
    if not parts.seen(found, "calibration rounds") or not names:
        return
    if len(names) > 1:
        st.selectbox("Campaign", names, key="calibration-campaign", width=320)
    if not found.value["rounds"]:
        nothing_yet(found.value)
        return
    people = session.watch_people().value or []
    called = {row["annotator"]: row.get("name", "") for row in people}
    summary(found.value)
    left, right = st.columns(2, gap="large")
    with right:
        one = rounds(found.value)
        to_know(one, called)
    with left:
        annotators(one, called)


page()

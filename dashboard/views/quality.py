"""Quality: do people agree, where do they not, and which biases are in their choices."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from dashboard import charts, parts, session, wording
from dashboard.parts import Tile

Json = dict[str, Any]
EVERY = "every tag"
EVERY_CAMPAIGN = "all campaigns"


def reading(alpha: float | None) -> str:
    """How Krippendorff (Content Analysis, 2004, ch. 11) reads an alpha."""
    if alpha is None:
        return "needs tasks that two people judged"
    if alpha >= 0.8:
        return "reliable"
    return "good enough for tentative conclusions" if alpha >= 0.667 else "below 0.667: look at the slices"


def choose() -> dict[str, str | int]:
    """The campaign, and the tag whose slices are compared, as the API's query."""
    names = [row["name"] for row in (session.watch("/v1/campaigns").value or {}).get("campaigns", [])]
    campaign_column, tag_column, _ = st.columns([1, 1, 2])
    campaign = campaign_column.selectbox("Campaign", [EVERY_CAMPAIGN, *names], key="quality-campaign")
    wanted = {} if campaign == EVERY_CAMPAIGN else {"campaign": campaign}
    every = session.watch("/v1/quality", **wanted).value or {}
    tags = sorted({row["tag"] for row in every.get("by_tag", [])})
    tag = tag_column.selectbox("Slices of", [EVERY, *tags], key="quality-tag")
    return wanted | ({} if tag == EVERY else {"tag": tag})


def summary(quality: Json) -> None:
    """The tiles on top."""
    length, side, newest = quality["length"], quality["side"], (quality["over_time"] or [{}])[-1]
    alpha = quality["alpha"]
    parts.tiles(
        [
            Tile(
                label="Krippendorff's alpha",
                value=wording.DASH if alpha is None else f"{alpha:.2f}",
                note=reading(alpha),
            ),
            Tile(label="Percent agreement", value=wording.percent(newest.get("percent")), note="newest point below"),
            Tile(label="Judgments", value=wording.count(quality["judgments"])),
            Tile(label="Ties", value=wording.percent(quality["ties"]), note="of the judgments"),
            Tile(
                label="Longer one wins",
                value=wording.percent(length["longer_wins"]),
                note=f"95%: {wording.interval(length['low'], length['high'])}",
            ),
            Tile(
                label="Left one chosen",
                value=wording.percent(side["left_rate"]),
                note=f"95%: {wording.interval(side['low'], side['high'])}",
            ),
        ]
    )


def over_time(quality: Json) -> None:
    """Alpha and per cent agreement as lines."""
    parts.title("Agreement over time", "alpha is agreement beyond chance: 1 perfect, 0 chance")
    rows: list[Json] = [
        {"at": point["at"], "what": what, "value": value, "judgments": point["judgments"]}
        for point in quality["over_time"]
        for what, value in (("alpha", point["alpha"]), ("percent agreement", point["percent"]))
        if value is not None
    ]
    if rows:
        parts.chart(
            pd.DataFrame(rows), charts.agreement(session.colours(), rows[-1]["at"] - rows[0]["at"]), key="agreement"
        )
    else:
        st.caption("Appears with the first tasks that two people judged.")


def slices(quality: Json) -> None:
    """The slices, those that agree least first."""
    parts.title("Where people disagree", "slices by tag, the lowest first")
    graded = [row for row in quality["by_tag"] if row["alpha"] is not None]
    rows = [
        row | {"slice": f"{row['tag']} = {row['value']}"} for row in sorted(graded, key=lambda row: row["alpha"])[:14]
    ]
    if rows:
        columns = ["slice", "alpha", "percent", "judgments"]
        parts.chart(pd.DataFrame(rows)[columns], charts.by_tag(session.colours(), len(rows)), key="slices")
    else:
        st.caption('Send outputs with tags, for instance {"domain": "code"}, to compare slices.')


def length(quality: Json) -> None:
    """Win rate against difference in length."""
    found = quality["length"]
    parts.title(
        "Does the longer one win?",
        f"{wording.count(found['pairs'])} pairs; the band is the 95% interval, flat at 50% is no bias",
    )
    if found["curve"]:
        frame = pd.DataFrame(found["curve"])[["difference", "rate", "low", "high", "pairs"]]
        parts.chart(frame, charts.length_curve(session.colours()), key="length")
    else:
        st.caption("Appears with the first decided preferences.")


def biases(quality: Json) -> None:
    """Both biases as intervals against one half."""
    parts.title("Biases against one half", "an interval that holds 50% shows no bias")
    pairs = (
        ("longer one wins", "length", "longer_wins", "pairs"),
        ("left one chosen", "side", "left_rate", "judgments"),
    )
    rows = [
        {
            "name": name,
            "share": quality[part][share],
            "low": quality[part]["low"],
            "high": quality[part]["high"],
            "n": quality[part][n],
        }
        for name, part, share, n in pairs
        if quality[part][share] is not None
    ]
    if not rows:
        st.caption("Appears with the first judgments.")
        return
    spec = charts.share_intervals(session.colours(), len(rows), "share, with its 95% interval", middle=0.5)
    parts.chart(pd.DataFrame(rows), spec, key="biases")


@st.fragment(run_every="5s")
def page() -> None:
    """Everything, anew every five seconds."""
    probe = session.watch("/v1/quality")
    parts.head("Quality", "Do people agree, where do they not, and what else sways their choices.", probe)
    if not parts.seen(probe, "quality"):
        return
    watched = session.watch("/v1/quality", **choose())
    if not parts.seen(watched, "quality"):
        return
    quality = watched.value
    summary(quality)
    if not quality["judgments"]:
        parts.empty(
            "No judgments yet.",
            f"Open {session.server()}/ with an annotator's key and judge a first pair; "
            "or try the whole loop with made-up people:",
            "make demo",
        )
        return
    upper, lower = st.columns(2, gap="large"), st.columns(2, gap="large")
    for column, draw in zip((*upper, *lower), (over_time, slices, length, biases), strict=True):
        with column:
            draw(quality)


page()

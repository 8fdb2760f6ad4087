"""Quality: do people agree, is it getting better, and which biases are in their choices."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from dashboard import charts, parts, session, wording
from dashboard.parts import Tile

Json = dict[str, Any]
EVERY_CAMPAIGN = "all campaigns"
MOST_MODELS = 14  # in the chart: the best and the worst half each
COEFFICIENTS = (
    ("alpha", "Krippendorff's alpha"),
    ("alpha_ordinal", "alpha, ordinal (a, tie, b)"),
    ("fleiss", "Fleiss' kappa"),
    ("cohen", "Cohen's kappa, mean of pairs"),
)


def reading(alpha: Json | None) -> str:
    """Its interval, and how Krippendorff (Content Analysis, 2004, ch. 11) reads an alpha."""
    if alpha is None:
        return "needs tasks that two people judged"
    unsure = "tentative" if alpha["value"] >= 0.667 else "low: see Causes"
    return f"95%: {alpha['low']:.2f} to {alpha['high']:.2f}; {'reliable' if alpha['value'] >= 0.8 else unsure}"


def choose() -> dict[str, str | int]:
    """The campaign, as the API's query."""
    names = [row["name"] for row in (session.watch("/v1/campaigns").value or {}).get("campaigns", [])]
    campaign = st.selectbox("Campaign", [EVERY_CAMPAIGN, *names], key="quality-campaign", width=260)
    return {} if campaign == EVERY_CAMPAIGN else {"campaign": campaign}


def rate_tile(label: str, found: Json) -> Tile:
    """A share with its interval."""
    interval = wording.interval(found["low"], found["high"]) if found["n"] else "nothing to compare yet"
    return Tile(label=label, value=wording.percent(found["rate"]), note=f"95%: {interval}" if found["n"] else interval)


def summary(agreed: Json, swayed: Json) -> None:
    """The tiles on top."""
    alpha, same = agreed["alpha"], agreed["percent"]
    parts.tiles(
        [
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
            Tile(label="Judgments", value=wording.count(agreed["judgments"]), note=f"{agreed['items']:,} shared tasks"),
            rate_tile("Ties", swayed["ties"]),
            rate_tile("Longer one wins", swayed["longer_wins"]),
            rate_tile("Left one chosen", swayed["left_rate"]),
        ]
    )


def over_time(agreed: Json) -> None:
    """Alpha with its interval, sliding."""
    parts.title("Agreement over time", "each point a window of tasks, half of them shared with its neighbour")
    rows = [
        {
            "at": point["at"],
            "since": point["since"],
            "alpha": point["alpha"]["value"],
            "low": point["alpha"]["low"],
            "high": point["alpha"]["high"],
            "percent": (point["percent"] or {}).get("value"),
            "items": point["items"],
        }
        for point in agreed["over_time"]
        if point["alpha"]
    ]
    if len(rows) > 1:
        span = rows[-1]["at"] - rows[0]["at"]
        parts.chart(pd.DataFrame(rows), charts.agreement(session.colours(), span), key="agreement")
    else:
        st.caption("Appears with some twenty tasks that two people judged at a known time.")


def coefficients(agreed: Json) -> None:
    """All coefficients with their intervals."""
    parts.title("Agreement beyond chance", "1 is perfect, 0 is chance; the line is the 95% interval over tasks")
    rows = [
        {"name": name, "share": agreed[key]["value"], "low": agreed[key]["low"], "high": agreed[key]["high"], "n": n}
        for key, name in COEFFICIENTS
        if agreed[key]
        for n in [agreed["cohen_pairs"] if key == "cohen" else agreed["items"]]
    ]
    if rows:
        spec = charts.share_intervals(session.colours(), len(rows), "agreement, with its 95% interval", form=".2f")
        parts.chart(pd.DataFrame(rows), spec, key="coefficients")
    else:
        st.caption("Appears with the first tasks that two people judged.")


def length(swayed: Json) -> None:
    """Win rate against difference in length, with its test."""
    test = swayed["length_test"]
    told = "by how much longer it is; dots: what was seen; line: the fitted curve with its 95% band"
    parts.title("Does the longer one win?", told)
    rows = [{"kind": "seen", **point} for point in swayed["length_curve"]]
    rows += [{"kind": "fitted", "pairs": 0, **point} for point in swayed["length_fit"]]
    if not rows:
        st.caption("Appears with the first judgments.")
        return
    columns = ["kind", "difference", "rate", "low", "high", "pairs"]
    parts.chart(pd.DataFrame(rows)[columns], charts.length_curve(session.colours()), key="length")
    if test:
        mean = test["mean"]
        p = "p < 0.001" if test["p"] < 0.001 else f"p = {test['p']:.3f}"
        longer = "longer" if mean["value"] >= 0 else "shorter"
        st.caption(
            f"Chosen answers are {abs(mean['value']):.0f} characters {longer} than rejected ones (difference, 95%: "
            f"{wording.signed(mean['low'], 0)} to {wording.signed(mean['high'], 0)}; t-test over {test['items']:,} "
            f"tasks: t = {wording.signed(test['t'])}, {p})."
        )


def alike(swayed: Json) -> None:
    """What sways while all else is held equal."""
    told = "one regression, a tie being half a win; an interval that holds 50% shows no bias"
    parts.title("With all else alike", told)
    rows = [interval_row(one["name"], one["wins"], swayed["judgments"]) for one in swayed["all_else_alike"]]
    if not rows:
        st.caption("Appears with some twenty judgments of answers that differ.")
        return
    spec = charts.share_intervals(session.colours(), len(rows), "wins, with its 95% interval", middle=0.5)
    parts.chart(pd.DataFrame(rows), spec, key="alike")


def interval_row(name: str, wins: Json, n: int) -> Json:
    """A row of a chart of intervals."""
    return {"name": name, "share": wins["value"], "low": wins["low"], "high": wins["high"], "n": n}


def models(swayed: Json) -> None:
    """Models against the average one."""
    found = swayed["models"]
    parts.title("Whose answers win", "against the average model, at equal length, markdown and side")
    if not found:
        st.caption("Appears where outputs name the models that gave the answers.")
        return
    ends = found if len(found) <= MOST_MODELS else [*found[: MOST_MODELS // 2], *found[-MOST_MODELS // 2 :]]
    rows = [interval_row(one["model"], one["wins"], one["judgments"]) for one in ends]
    spec = charts.share_intervals(session.colours(), len(rows), "wins, with its 95% interval", middle=0.5)
    parts.chart(pd.DataFrame(rows), spec, key="models")
    if len(found) > len(ends):
        st.caption(f"The first and last {MOST_MODELS // 2} of {len(found)} models.")


def in_session(swayed: Json) -> None:
    """What changes in the course of a session."""
    found = swayed["session"]
    parts.title("In the course of a session", "a pause of half an hour ends one")
    points = [point for point in found["points"] if point["agrees"]["rate"] is not None]
    if not points:
        st.caption("Appears with judgments whose time is known.")
        return
    places = [point["place"] for point in points]
    rows = [
        {"place": place_words(place, after), **point["agrees"]}
        for point, place, after in zip(points, places, [*places[1:], None], strict=True)
    ]
    parts.chart(pd.DataFrame(rows), charts.session(session.colours()), key="session")
    slope = found["agrees_by_doubling"]
    if not slope:
        st.caption("Whether people change in a session is told once eight of them judged several tasks in one.")
    else:
        said = "No change shows" if slope["low"] <= 0 <= slope["high"] else "It changes"
        st.caption(
            f"{said} within people: {wording.points(slope['value'], 1)} each time the place doubles "
            f"(95%: {wording.between(slope['low'], slope['high'], 1)}), over {found['sessions']:,} sessions."
        )


def place_words(place: int, after: int | None) -> str:
    """1–3, 4–7, 64 on."""
    if after is None:
        return f"{place} on"
    return str(place) if after == place + 1 else f"{place}{wording.DASH}{after - 1}"


@st.fragment(run_every="5s")
def page() -> None:
    """Everything, anew every five seconds; the service counts anew every half minute."""
    top, probe = st.container(), session.watch("/v1/quality/agreement")
    wanted = choose() if probe.value else {}
    agreed = session.watch("/v1/quality/agreement", **wanted)
    swayed = session.watch("/v1/quality/biases", **wanted)
    subtitle = "Do people agree, is it getting better, and what else sways their choices."
    with top:
        parts.head("Quality", subtitle, agreed, swayed)
    if not (parts.seen(agreed, "quality") and parts.seen(swayed, "quality")):
        return
    summary(agreed.value, swayed.value)
    if not agreed.value["judgments"]:
        parts.empty(
            "No judgments yet.",
            f"Open {session.public_url()}/ with an annotator's key and judge a first pair; "
            "or try the whole loop with made-up people:",
            "make demo",
        )
        return
    left, right = st.columns(2, gap="large")
    with left:
        over_time(agreed.value)
        length(swayed.value)
        in_session(swayed.value)
    with right:
        coefficients(agreed.value)
        alike(swayed.value)
        models(swayed.value)


page()

"""Causes: which slices explain low agreement, whether the guideline or the people are behind it, and populations."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from dashboard import charts, parts, session, wording
from dashboard.parts import Tile

Json = dict[str, Any]
EVERY_CAMPAIGN = "all campaigns"
ATTRIBUTES = """curl -X PUT $PREFLOOP_SERVER/v1/annotators/ID/attributes -H "Authorization: Bearer $PREFLOOP_KEY" \\
  -d '{"attributes": {"vendor": "north", "cohort": "2026-11"}}'"""
CHARTED = 12  # slices that a chart holds and stays readable
LOOKS = {
    "guideline": ("looks like the guideline", ""),
    "annotators": ("looks like the annotators", "warn"),
    "both": ("guideline and annotators", "warn"),
    "unclear": ("cannot be told apart", "quiet"),
    "no lower": ("no lower than the rest", "quiet"),
}
TODO = {
    "guideline": "Read ten of its tasks with two good annotators; make the guideline say what they could not agree on.",
    "annotators": "Open these people on the page Annotators: more gold for them, training, or a talk.",
    "both": "Begin with the guideline: people cannot be judged by a rule that is not there.",
    "unclear": "Let people of this slice judge other tasks too, and others these: then it can be told.",
    "no lower": "Nothing to do.",
}


def choose() -> dict[str, str | int]:
    """The campaign, as the API's query."""
    names = [row["name"] for row in (session.watch("/v1/campaigns").value or {}).get("campaigns", [])]
    campaign = st.selectbox("Campaign", [EVERY_CAMPAIGN, *names], key="causes-campaign", width=260)
    return {} if campaign == EVERY_CAMPAIGN else {"campaign": campaign}


def name_of(cause: Json, most: int = 60) -> str:
    """A slice in words, cut where it is longer than `most` characters."""
    name = f"{cause['tag']}: {cause['value']}"
    return name if len(name) <= most else f"{name[: most - 1]}…"


def lower(causes: list[Json]) -> list[Json]:
    """Those whose agreement is lower than the rest's, beyond doubt."""
    return [cause for cause in causes if cause["looks"] != "no lower"]


def summary(found: Json) -> None:
    """The tiles on top."""
    worst = lower(found["causes"])
    of = [cause["looks"] for cause in worst]
    first = worst[0] if worst else None
    parts.tiles(
        [
            Tile(
                label="Same answer",
                value=wording.percent(found["agreement"]),
                note=f"of {wording.count(found['pairs'])} pairs of judgments",
            ),
            Tile(label="Slices compared", value=wording.count(len(found["causes"])), note="tags, people, time"),
            Tile(label="Clearly lower", value=wording.count(len(worst)), warn=bool(worst)),
            Tile(label="Guideline", value=wording.count(of.count("guideline") + of.count("both")), note="behind it"),
            Tile(label="Annotators", value=wording.count(of.count("annotators") + of.count("both")), note="behind it"),
            Tile(
                label="Most to win",
                value=wording.points(max((cause["gain"] for cause in worst), default=0.0), 1)
                if first
                else wording.DASH,
                note=name_of(max(worst, key=lambda cause: cause["gain"]), 24) if worst else "no slice stands out",
            ),
        ]
    )


def ranking(causes: list[Json]) -> None:
    """The slices, the lowest first."""
    parts.title("Where people disagree", "each slice against all others; what few judgments say is shrunk towards zero")
    rows = [
        {
            "slice": name_of(cause),
            "value": cause["shrunk"]["value"],
            "low": cause["shrunk"]["low"],
            "high": cause["shrunk"]["high"],
            "looks": cause["looks"],
            "said": wording.points_between(cause["shrunk"]),
            "judgments": cause["judgments"],
        }
        for cause in causes[:CHARTED]
    ]
    parts.chart(pd.DataFrame(rows), charts.ranking(session.colours(), len(rows)), key="ranking")
    if len(causes) > CHARTED:
        st.caption(f"The lowest {CHARTED} of {len(causes)}; the table has all.")


def table(causes: list[Json]) -> Json:
    """All slices; the chosen one, or the lowest."""
    frame = pd.DataFrame(
        {
            "Slice": [name_of(cause) for cause in causes],
            "Same answer": [100 * cause["agreement"] for cause in causes],
            "Elsewhere": [100 * cause["elsewhere"] for cause in causes],
            "Believed": [100 * cause["shrunk"]["value"] for cause in causes],
            "To win": [100 * cause["gain"] for cause in causes],
            "Looks like": [cause["looks"] for cause in causes],
            "Judgments": [cause["judgments"] for cause in causes],
        }
    )
    config = {
        "Same answer": st.column_config.NumberColumn(format="%.1f%%", help="Of pairs of judgments in the slice"),
        "Elsewhere": st.column_config.NumberColumn(format="%.1f%%", help="Of all pairs outside it"),
        "Believed": st.column_config.NumberColumn(format="%+.1f points", help="The difference after shrinking"),
        "To win": st.column_config.NumberColumn(
            format="%+.1f points", help="What all agreement would rise by if the slice were like the rest"
        ),
        "Judgments": st.column_config.NumberColumn(format="localized"),
    }
    return causes[parts.pick(frame, "causes", 380, config)]


def detail(cause: Json) -> None:
    """One slice: what its effect is made of, and what to do."""
    parts.title(name_of(cause, 40), "opened")
    rows = [
        {"name": name, **cause[part], "said": wording.points_between(cause[part])}
        for name, part in (
            ("together", "effect"),
            ("comes with the tasks", "items"),
            ("comes with the people", "annotators"),
        )
    ]
    parts.chart(pd.DataFrame(rows), charts.parts_of_effect(session.colours(), len(rows)), key=f"parts-{name_of(cause)}")
    words, tone = LOOKS[cause["looks"]]
    parts.verdict(words, f"{explained(cause)} {TODO[cause['looks']]}", tone)


def explained(cause: Json) -> str:
    """The evidence in words."""
    here, there = wording.percent(cause["agreement"]), wording.percent(cause["elsewhere"])
    said = [f"Two judgments say the same in {here} of cases here, in {there} elsewhere."]
    control, elsewhere = cause["control_here"], cause["control_elsewhere"]
    if control and elsewhere:
        who = (
            "The better half of these people (better by what they do elsewhere)"
            if cause["of"] == "items"
            else "Others, on the same tasks,"
        )
        said.append(
            f"{who} agree in {wording.percent(control['value'])} here "
            f"(95%: {wording.interval(control['low'], control['high'])}) and in "
            f"{wording.percent(elsewhere['value'])} elsewhere."
        )
    if cause["known"] < 0.995:
        what = "its people" if cause["of"] == "items" else "its tasks"
        said.append(f"For {wording.percent(cause['known'])} of the slice, {what} are seen outside it too.")
    return " ".join(said)


def populations(found: Json, as_of: str) -> None:
    """Annotators who differ together."""
    meaning = "annotators who differ together and consistently: another view, not errors"
    parts.title("Populations", f"{meaning}; {as_of}")
    if found["p"] is None:
        st.caption("Looked for once eight annotators have judged twenty shared tasks each.")
        return
    if not found["groups"]:
        st.caption(f"One view fits the {found['looked_at']} busiest annotators (p = {found['p']:.3f}).")
        return
    inside, across = wording.percent(found["inside"]), wording.percent(found["across"])
    parts.verdict(
        f"{len(found['groups'])} beside the common view",
        f"Of {found['looked_at']} annotators looked at. On tasks that the groups were not made from, two of one side "
        f"say the same in {inside}, two of different sides in {across} of cases (p = {found['p']:.3f}). Ask them why "
        "before anybody is suspended.",
    )
    for number, group in enumerate(found["groups"], 1):
        with st.expander(f"Group {number}: {len(group['members'])} annotators, {group['judgments']:,} judgments"):
            portrait(group)


def portrait(group: Json) -> None:
    """What marks a group."""
    for words, key in (("Takes the longer one", "longer_wins"), ("More markdown", "markdown_wins"), ("Ties", "ties")):
        mine, others = group[key]["group"], group[key]["others"]
        if mine["n"]:
            st.markdown(
                f"{words}: **{wording.percent(mine['rate'])}** ({wording.interval(mine['low'], mine['high'])}), "
                f"others {wording.percent(others['rate'])}"
            )
    for name, values in group["attributes"].items():
        st.markdown(parts.plain(f"{name}: " + ", ".join(f"{value} ({count})" for value, count in values.items())))
    st.caption(", ".join(group["members"]))


@st.fragment(run_every="10s")
def page() -> None:
    """Everything; the chosen slice stays chosen."""
    top, probe = st.container(), session.watch("/v1/quality/causes")
    wanted = choose() if probe.value else {}
    watched = session.watch("/v1/quality/causes", **wanted)
    with top:
        parts.head("Causes", "Which slices explain low agreement, and is it the guideline or the people.", watched)
    if not parts.seen(watched, "causes"):
        return
    found = watched.value
    summary(found)
    if not found["causes"]:
        parts.empty(
            "Nothing to compare yet.",
            'A slice needs some twenty pairs of judgments. Send outputs with tags, for instance {"domain": "law", '
            '"section": "4.2"}, and give annotators attributes:',
            session.pasted(ATTRIBUTES),
        )
        return
    left, right = st.columns([1.35, 1], gap="large")
    with left:
        ranking(found["causes"])
    parts.title("Slices", "a row opens the slice above")
    chosen = table(found["causes"])
    with right:
        detail(chosen)
    groups = session.watch("/v1/quality/populations", **wanted)
    if groups.value is not None:
        populations(groups.value, parts.as_of(groups))


page()

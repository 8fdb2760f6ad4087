"""Annotators: how reliable each one is and how sure that is, alarms with their evidence, suspend and reinstate."""

from __future__ import annotations

from html import escape
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import charts, parts, session, wording
from dashboard import evidence as drawings
from dashboard.parts import Action, Tile

Json = dict[str, Any]
EVER = 1  # ms: the `since` of a suspension that takes every judgment back
CHARTED = 30  # rows that a chart of intervals holds and stays readable
FIRST = "prefloop keys add Mei --role annotator"
MEANING = {
    "accuracy": "accuracy below the floor",
    "change": "accuracy below the floor since some moment",
    "speed": "answers faster than reading allows",
    "side": "prefers one side of the screen",
    "pattern": "answers follow a pattern",
    "gold": "fails questions whose answer is known",
    "reasons": "reasons that repeat or read like a language model's",
    "collusion": "makes the same mistakes as somebody else",
    "copying": "reasons in somebody else's words",
    "reward_model": "contradicts a confident reward model far more often than the others do",
    "burst": "came with a burst of newcomers who judge alike",
}
ENOUGH = {"weighted": "enough to halve the weight", "suspended": "enough to suspend"}
ASKED = {
    "better": "for follow-ups: one of the better fifth",
    "usual": "as usual",
    "seldom": "seldom: too little speaks for them, which is no accusation; who judges little is found by no alarm",
    None: "as everybody, until 200 judgments have told the crowd apart",
}
ORDERS = {
    "Least reliable": lambda row: (row["accuracy_high"] is None, row["accuracy_high"] or 0.0),
    "Most judgments": lambda row: (-(row["judgments"] or 0),),
    "Newest judgment": lambda row: (-(row["last_judgment_at"] or 0),),
}


def name_of(row: Json) -> str:
    """The person's name where the service tells it, else the opaque id."""
    return str(row.get("name") or row["annotator"])


def rounded(share: float | None) -> float | None:
    """To whole per cent, for tables."""
    return None if share is None else round(share, 2)


def alarms_of(row: Json) -> int:
    """How many alarms; the list of annotators says a number, one annotator's page the alarms themselves."""
    alerts = row.get("alerts") or 0
    return len(alerts) if isinstance(alerts, list) else int(alerts)


def evidence(found: Json) -> str:
    """The numbers an alarm rests on, as words: first those every sequential test has, then the rest as they are."""
    said = []
    rest = dict(found)
    if {"capital", "observations"} <= rest.keys():
        said.append(f"evidence {wording.count(rest.pop('capital'))} to 1 from {rest.pop('observations')} judgments")
    if "average_run_length" in rest:
        said.append(f"by chance once in {wording.count(rest.pop('average_run_length'))} judgments or more")
    if "null_rate" in rest:
        said.append(f"against a rate of at most {wording.percent(rest.pop('null_rate'))}")
    if isinstance(rest.get("accuracy"), float):
        said.append(f"accuracy {wording.percent(rest.pop('accuracy'))}")
    if "standing" in rest:
        said.append(ENOUGH[rest.pop("standing")])
    rest.pop("test", None)  # said by the alarm's name
    return ", ".join([*said, *(f"{name.replace('_', ' ')} {shown(value)}" for name, value in rest.items())])


def shown(value: float | int | str) -> str:
    """A number with three digits that mean something, or the word."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


# ---------------------------------------------------------------- everybody


def summary(people: list[Json], online: int) -> None:
    """The tiles on top."""
    standing = [row["standing"] for row in people]
    graded = [row["accuracy"] for row in people if row["accuracy"] is not None and row["standing"] == "active"]
    middle = pd.Series(graded).median() if graded else None
    alarmed = sum(alarms_of(row) > 0 for row in people)
    parts.tiles(
        [
            Tile(label="Annotators", value=wording.count(len(people)), note=f"{online} online now"),
            Tile(label="Active", value=wording.count(standing.count("active"))),
            Tile(label="Weighted down", value=wording.count(standing.count("weighted")), note="count less for now"),
            Tile(label="Suspended", value=wording.count(standing.count("suspended")), note="get no tasks"),
            Tile(label="With alarms", value=wording.count(alarmed), warn=alarmed > 0),
            Tile(label="Median accuracy", value=wording.percent(middle), note="of the active"),
        ]
    )


def intervals(people: list[Json]) -> None:
    """Dots and intervals of those at the top of the chosen order."""
    left, right = st.columns([2, 1], vertical_alignment="bottom")
    with left:
        parts.title("Reliability", "estimate and 95% interval; the dashed line is guessing")
    with right:
        order = st.selectbox("Order", list(ORDERS), key="order", label_visibility="collapsed")
    graded = [row for row in people if row["accuracy"] is not None]
    shown = [row | {"name": name_of(row)} for row in sorted(graded, key=ORDERS[order])[:CHARTED]]
    if not shown:
        st.caption(
            "Nobody has judged yet; an interval appears with the first judgment that others can be compared with."
        )
        return
    columns = ["name", "standing", "accuracy", "accuracy_low", "accuracy_high", "judgments"]
    parts.chart(pd.DataFrame(shown)[columns], charts.reliability(session.colours(), len(shown)), key="reliability")
    if len(graded) > CHARTED:
        st.caption(f"{CHARTED} of {len(graded)}; the table below has everyone.")


def table(people: list[Json]) -> None:
    """Everyone, sortable by a click on a column; a row opens that annotator."""
    zone = session.zone()
    frame = pd.DataFrame(
        {
            "Annotator": [name_of(row) for row in people],
            "Standing": [row["standing"] for row in people],
            "Accuracy": [rounded(row["accuracy"]) for row in people],
            "95% interval": [wording.interval(row["accuracy_low"], row["accuracy_high"]) for row in people],
            "Side bias": [row["side_bias"] for row in people],
            "Ties": [rounded(row["tie_rate"]) for row in people],
            "Judgments": [row["judgments"] for row in people],
            "Asked": [row["grade"] or wording.DASH for row in people],
            "Alarms": [alarms_of(row) for row in people],
            "Last judgment": [wording.moment(row["last_judgment_at"], zone) for row in people],
        }
    )
    config = {
        "Accuracy": st.column_config.NumberColumn(
            format="percent", help="How often right where there is a right answer"
        ),
        "Side bias": st.column_config.NumberColumn(
            format="%+.2f", help="Left preferred when unsure: 0 is none, 0.5 always left"
        ),
        "Ties": st.column_config.NumberColumn(format="percent", help="Share of judgments that say tie"),
        "Asked": st.column_config.TextColumn(
            help="better: follows up what others began; seldom: too little speaks for them, which is no accusation"
        ),
        "Last judgment": st.column_config.DatetimeColumn(format="distance"),
    }
    parts.table(frame, "people", 470, config, on_select=open_selected, selection_mode="single-row")
    st.session_state["people-names"] = {row["annotator"]: name_of(row) for row in people}
    if st.session_state.pop("people-clicked", False):
        st.rerun()  # the whole page: what is opened stands outside the part that refreshes by itself


def open_selected() -> None:
    """A row was clicked (or left): remember whose."""
    rows = st.session_state["people"]["selection"]["rows"]
    shown = list(st.session_state.get("people-names", {}))
    st.session_state["annotator"] = shown[rows[0]] if rows and rows[0] < len(shown) else ""
    st.session_state["people-clicked"] = True


@st.fragment(run_every="5s")
def everybody() -> None:
    """All annotators, anew every five seconds."""
    watched = session.watch_people()
    parts.head("Annotators", "Who judges, how reliable they are, and how sure that is.", watched)
    if not parts.seen(watched, "annotators"):
        return
    people = watched.value
    if not people:
        parts.empty(
            "No annotators yet.",
            "Make one with a lead's key. You get a personal link that opens the annotator page, signed in.",
            session.pasted(FIRST),
        )
        return
    live = session.watch("/v1/live").value or {}
    summary(people, live.get("annotators", {}).get("online", 0))
    left, right = st.columns([1.15, 1], gap="large")
    with left:
        intervals(people)
    with right:
        alarms({row["annotator"]: name_of(row) for row in people})
    drawings.appeals()
    parts.title("Everyone", "a row opens the annotator below")
    table(people)


def alarms(names: dict[str, str]) -> None:
    """The newest alarms with their evidence."""
    parts.title("Alarms", "newest first")
    watched = session.watch("/v1/alerts", limit=50)
    if not parts.seen(watched, "alarms"):
        return
    found = sorted(watched.value["alerts"], key=lambda alert: -alert["at"])[:6]
    if not found:
        st.caption("None. An alarm says which assumption about an annotator broke, and since when.")
        return
    parts.listing(
        [(f"{names.get(a['annotator'], a['annotator'])}: {MEANING[a['hypothesis']]}", told(a)) for a in found]
    )
    if note := drawings.innocent_share(watched.value["alerts"], len(names)):
        st.caption(note)


def told(alert: Json) -> str:
    """One alarm's evidence, bound and times."""
    bound = (
        f"false alarms held below {wording.percent(alert['false_alarm_rate'], 1)}" if alert["false_alarm_rate"] else ""
    )
    since = f"since about {wording.clock(alert['since'], session.zone())}" if alert["since"] else ""
    raised = f"raised {wording.ago(alert['at'], session.now())}"
    enforced = "" if alert["enforced"] else "reported only"
    return " · ".join(filter(None, [evidence(alert["evidence"]), since, raised, bound, enforced]))


# ---------------------------------------------------------------- one annotator


def heading(one: Json) -> None:
    """Name, standing, and what can be done."""
    tone = {"active": "", "weighted": "quiet", "suspended": "warn"}[one["standing"]]
    words, buttons = st.columns([3, 1], vertical_alignment="center")
    words.html(f'<h2 class="pf-title">{escape(name_of(one))} {parts.badge(one["standing"], tone)}</h2>')
    with buttons, st.container(horizontal=True, horizontal_alignment="right"):
        actions(one)
    if one["standing"] != "active":
        st.caption(parts.plain(standing(one)))


def standing(one: Json) -> str:
    """Since when, by whom, why, and which judgments do not count for it."""
    said = f"{one['standing'].capitalize()} by {one['by'] or 'unknown'}: {one['reason'] or 'no reason given'}."
    if one["since"] > EVER:
        return f"{said} Judgments since {wording.clock(one['since'], session.zone())} are in doubt."
    return f"{said} All their judgments are taken back." if one["since"] == EVER else said


def withdrawal(one: Json) -> tuple[str, Json]:
    """The choice to take judgments out of the consensus too: since the oldest alarm, or all where there is none."""
    since = min((alert["since"] for alert in one["alerts"] if alert["since"]), default=0)
    when = f"since {wording.clock(since, session.zone())}, where the alarm puts the begin" if since else "so far"
    return f"Also take out their judgments {when}. Results that rested on them are worked out again.", {
        "retract": True,
        "since": since,
    }


def actions(one: Json) -> None:
    """Suspend, or reinstate."""
    name, names = parts.plain(name_of(one)), {"annotator": one["annotator"]}
    if one["standing"] != "suspended":
        explained = (
            f"**{name}** gets no more tasks from now on and sees your reason. You can reinstate them at any time."
        )
        parts.offer(
            Action(
                route="/v1/annotators/{annotator}/suspend",
                names=names,
                label="Suspend",
                explained=explained,
                done=f"{name} is suspended",
                option=withdrawal(one),
                icon=":material/block:",
            ),
            key="suspend",
        )
    if one["standing"] != "active":
        parts.offer(
            Action(
                route="/v1/annotators/{annotator}/reinstate",
                names=names,
                label="Reinstate",
                done=f"{name} judges again",
                explained=f"**{name}** gets tasks again at once, and their judgments count in full.",
                icon=":material/undo:",
            ),
            key="reinstate",
        )


def known(one: Json) -> None:
    """What is known of the annotator."""
    at = one["last_judgment_at"]
    last = f"{wording.ago(at, session.now())}, {wording.clock(at, session.zone())}"
    parts.facts(
        [
            (
                "Accuracy",
                f"{wording.percent(one['accuracy'])}, 95% interval "
                f"{wording.interval(one['accuracy_low'], one['accuracy_high'])}",
            ),
            ("Side bias", side_bias(one)),
            (
                "Says tie",
                f"{wording.percent(one['tie_rate'])}, 95% interval "
                f"{wording.interval(one['tie_rate_low'], one['tie_rate_high'])}",
            ),
            (
                "Judgments",
                f"{wording.count(one['judgments'])}, {wording.count(one['evidence'])} of them weigh in the estimate",
            ),
            ("Weight", f"{one['standing_weight']:g} of 1"),
            ("Is asked", ASKED[one["grade"]]),
            ("Last judgment", last if at else "never"),
            ("Id in the log", one["annotator"]),
        ]
    )


def side_bias(one: Json) -> str:
    """How much the annotator leans to a side, with its interval."""
    if one["side_bias"] is None:
        return "none known"
    low, high = one["side_bias_low"], one["side_bias_high"]
    within = "" if low is None else f", 95% interval {wording.signed(low)} to {wording.signed(high)}"
    return f"{wording.signed(one['side_bias'])}{within} (0 none, +0.5 always left)"


def past(one: Json) -> None:
    """Alarms and changes of standing, the newest first."""
    parts.title("History", "alarms and standing")
    zone = session.zone()
    lines = [(a["at"], MEANING[a["hypothesis"]].capitalize(), told(a)) for a in one["alerts"]]
    lines += [(h["at"], stood(h), f"{h['reason']} · {wording.clock(h['at'], zone)}") for h in one["history"]]
    if lines:
        parts.listing([line[1:] for line in sorted(lines, reverse=True)[:12]])
    else:
        st.caption("Nothing but judgments so far.")


def stood(change: Json) -> str:
    """A change of standing; what an alarm on a record reports came to nothing."""
    if change["enforced"]:
        return f"{change['standing'].capitalize()} by {change['by']}"
    return f"Would be {change['standing']}, by {change['by']}: reported only"


def remarks(judgment: Json) -> str:
    """Failed checks, and whether the judgment was taken back."""
    failed = [f"failed {check['name']}" for check in judgment["checks"] or [] if not check["passed"]]
    return ", ".join([*failed, *(["taken back"] if judgment.get("withdrawn") else [])])


def recent(one: Json) -> None:
    """The newest judgments, with what the others made of them."""
    parts.title("Recent judgments", "agreement: how likely the choice is, given everyone else's judgments")
    if not one["recent"]:
        st.caption("None yet.")
        return
    rows = one["recent"]
    frame = pd.DataFrame(
        {
            "When": [wording.moment(row["answered_at"], session.zone()) for row in rows],
            "Choice": [row["choice"] for row in rows],
            "Agreement": [rounded(row["agreement"]) for row in rows],
            "Weight": [row["weight"] for row in rows],
            "Remarks": [remarks(row) for row in rows],
            "Task": [row["task"] for row in rows],
        }
    )
    config = {
        "When": st.column_config.DatetimeColumn(format="D MMM YYYY, HH:mm:ss"),
        "Agreement": st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1),
        "Weight": st.column_config.NumberColumn(format="%.2f", help="In the consensus; 0 keeps it out"),
    }
    parts.table(frame, "recent", 330, config)


def detail(annotator: str) -> None:
    """One annotator. Not refreshed by itself, so that nothing moves while a lead decides."""
    watched = session.watch(f"/v1/annotators/{session.part(annotator)}")
    if not parts.seen(watched, "this annotator"):
        return
    names = st.session_state.get("people-names", {})
    one = watched.value | {"name": names.get(annotator, "")}
    st.divider()
    heading(one)
    left, right = st.columns([1, 1.25], gap="large")
    with left:
        known(one)
        past(one)
    with right:
        drawings.drawn(one)
        drawings.crowd(one, names)
        recent(one)


everybody()
if opened := st.session_state.get("annotator"):
    detail(opened)

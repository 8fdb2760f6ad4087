"""Quarantine: what taking back somebody's judgments would change, before it is done; then doing it, or undoing it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import parts, session, wording
from dashboard.parts import Action, Tile

Json = dict[str, Any]
ESTIMATE, TIME, EVERYTHING, UNDO = "Since the newest alarm's estimate", "Since a time", "Everything", "Put back (undo)"
OUT = "They are suspended, and none of these judgments counts any more. Put back (undo) is how to reverse it."
IN = "They are not suspended, and all their judgments count."
ROUTE = "/v1/annotators/{annotator}/quarantine"
CONFLICT = 409
CHANGES = {
    "turned": "Turn",
    "lost": "Are lost: more judgments, or an adjudicator",
    "reached": "Are reached",
    "same": "Stay",
    "undecided": "Stay undecided",
}


def name_of(row: Json) -> str:
    """The person's name where the service tells it, else the opaque id."""
    return str(row.get("name") or row["annotator"])


def said_of(row: Json) -> str:
    """A line of the list."""
    alarms = int(row["alerts"] or 0)
    return f"{name_of(row)}: {row['standing']}" + (f", {alarms} alarm{'s' * (alarms > 1)}" if alarms else "")


def urgency(row: Json) -> tuple[int, int]:
    """Those with alarms first, then those who are out already."""
    return -int(row["alerts"] or 0), -(row["standing"] != "active")


def chosen(people: list[Json]) -> tuple[Json, dict[str, str | int]]:
    """Whose judgments, and since when, as the query of the dry run."""
    left, right = st.columns([1, 1.4], gap="large")
    people = sorted(people, key=urgency)
    ids = [row["annotator"] for row in people]
    opened = st.session_state.get("annotator")
    with left:
        index = st.selectbox(
            "Annotator",
            range(len(people)),
            index=ids.index(opened) if opened in ids else 0,
            format_func=lambda i: said_of(people[i]),
            key="quarantined",
        )
    with right:
        mode = st.radio("What", [ESTIMATE, TIME, EVERYTHING, UNDO], horizontal=True, key="quarantine-what")
        return people[index], asked(mode)


def asked(mode: str) -> dict[str, str | int]:
    """The query that the mode stands for; a time is asked in the viewer's zone."""
    if mode == UNDO:
        return {"undo": 1}
    if mode != TIME:
        return {"since": "auto" if mode == ESTIMATE else "ever"}
    now = datetime.now(session.zone() or UTC)
    day, hour = st.columns(2)
    date = day.date_input("Day", value=now.date(), max_value=now.date(), key="quarantine-day")
    clock = hour.time_input("Time", value=now.time().replace(minute=0, second=0, microsecond=0), key="quarantine-time")
    return {"since": int(datetime.combine(date, clock, tzinfo=now.tzinfo).timestamp() * 1000)}


# ---------------------------------------------------------------- what it would touch


def heading(person: Json, found: Json) -> None:
    """Since when, and where that comes from."""
    if found["undo"]:
        parts.title(f"If {name_of(person)} is reinstated", "all that was taken back counts again")
        return
    when = wording.clock(found["since"], session.zone()) if found["since"] > 1 else "the beginning"
    source = f"estimated by the alarm for {found['hypothesis']}" if found["alert"] else ""
    parts.title(f"If {name_of(person)}'s judgments since {when} are taken back", source)


def summary(found: Json) -> None:
    """The tiles."""
    verdicts, judgments = found["verdicts"], found["judgments"]["count"]
    changed = verdicts["turned"] + verdicts["lost"]
    serving = [one["model"] for one in found["models"] if one["status"] == "champion"]
    parts.tiles(
        [
            Tile(
                label="Judgments", value=wording.count(judgments), note="" if judgments else "none to take or put back"
            ),
            Tile(
                label="Tasks",
                value=wording.count(found["tasks"]["count"]),
                note=f"{found['preferences']['count']:,} with a preference resting on them",
            ),
            Tile(
                label="Verdicts that change",
                value=wording.count(changed + verdicts["reached"]),
                note=f"{verdicts['turned']:,} turn, {verdicts['lost']:,} lost, {verdicts['reached']:,} reached",
                warn=changed > 0,
            ),
            Tile(
                label="New judgments",
                value=wording.count(verdicts["labels"]),
                note=f"at least; {verdicts['escalated']:,} more to an adjudicator",
            ),
            Tile(label="Datasets", value=wording.count(len(found["batches"])), warn=bool(found["batches"])),
            Tile(
                label="Models",
                value=wording.count(len(found["models"])),
                note=f"{', '.join(serving)} serves now" if serving else "",
                warn=bool(serving),
            ),
        ]
    )


def becomes(found: Json) -> None:
    """What becomes of the verdicts, as bars and task by task."""
    verdicts = found["verdicts"]
    parts.title("Verdicts", "worked out with the same decision that closes tasks, on the votes that would be left")
    changes = [(words, verdicts[change]) for change, words in CHANGES.items() if verdicts[change]]
    if changes:
        parts.bars(changes)
    rows = [row for row in verdicts["rows"] if row["change"] in ("turned", "lost", "reached")]
    if not rows:
        st.caption("No verdict changes.")
        return
    frame = pd.DataFrame(
        {
            "Task": [row["task"] for row in rows],
            "Campaign": [row["campaign"] for row in rows],
            "Verdict now": [row["verdict"] or wording.DASH for row in rows],
            "Probability": [round(row["probability"], 2) for row in rows],
            "Then": [row["verdict_after"] or wording.DASH for row in rows],
            "Probability then": [round(row["probability_after"], 2) for row in rows],
            "Status then": [row["status_after"] for row in rows],
        }
    )
    share = st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1)
    config = {"Task": st.column_config.TextColumn(width="small"), "Probability": share, "Probability then": share}
    parts.table(frame, "verdicts", 330, config)
    if verdicts["decided"] < found["tasks"]["count"]:
        st.caption(f"Verdicts were worked out for the newest {verdicts['decided']:,} tasks.")


def downstream(found: Json) -> None:
    """Datasets, and the models that were trained on them."""
    parts.title("Datasets and models", "which would be marked as in doubt")
    if not found["batches"]:
        st.caption("None holds a task that is touched.")
        return
    parts.listing(
        [
            (
                f"Batch {wording.short(one['batch'])} of {one['campaign']}",
                f"{one['members']:,} of {one['size']:,} pairs touched, {one['changed']:,} with another verdict; "
                f"{one['holdout']:,} held-out pairs",
            )
            for one in found["batches"]
        ]
    )
    if found["models"]:
        parts.listing(
            [
                (f"Model {one['model']} of {one['campaign']}", f"{one['status']}, from batch {one['batch']}")
                for one in found["models"]
            ]
        )
    else:
        st.caption("No model was trained on them.")


# ---------------------------------------------------------------- acting


def act(person: Json, found: Json) -> None:
    """The button that does what the dry run shows, with the very time that it shows."""
    name, count = parts.plain(name_of(person)), f"{found['judgments']['count']:,}"
    names = {"annotator": person["annotator"]}
    if found["undo"]:
        standing = "" if person["standing"] == "suspended" else "They are not suspended."
        explained = f"**{name}** gets tasks again at once, and {count} judgments count again."
        action = Action(
            route="/v1/annotators/{annotator}/reinstate",
            names=names,
            label="Reinstate and put back",
            explained=explained,
            done=f"{name} judges again; the judgments come back within seconds",
            icon=":material/undo:",
        )
        parts.offer(action, key="undo-quarantine", disabled=standing)
        return
    explained = (
        f"**{name}** gets no more tasks and sees your reason. {count} judgments are taken back within seconds: "
        "verdicts are worked out again, tasks ask for new judgments, datasets and models are marked. "
        "Undo it here at any time."
    )
    action = Action(
        route=ROUTE,
        names=names,
        body={"since": found["since"]},
        label="Quarantine",
        explained=explained,
        done=f"{name} is in quarantine",
        icon=":material/block:",
    )
    parts.offer(action, key="quarantine")


def settled(found: Json) -> str:
    """Why nothing is left to do, "" where something is: they stand as wanted, and no judgment waits to follow."""
    wanted = "active" if found["undo"] else "suspended"
    if found["standing"] != wanted or found["judgments"]["count"]:
        return ""
    return IN if found["undo"] else OUT


def page() -> None:
    """Not refreshed by itself: a dry run is some work for the service, and nothing moves while a lead decides."""
    watched = session.watch_people()
    subtitle = "What taking back somebody's judgments would change, all the way to the models. Nothing is done yet."
    parts.head("Quarantine", subtitle, watched)
    if not parts.seen(watched, "annotators"):
        return
    if not watched.value:
        parts.empty("No annotators yet.", "There is nobody whose judgments could be taken back.")
        return
    person, query = chosen(watched.value)
    found = session.watch(f"/v1/annotators/{session.part(person['annotator'])}/quarantine", **query)
    if found.refused is not None and found.refused.status == CONFLICT:  # only the estimate can be missing
        parts.empty(
            "No alarm says since when.", "Choose a time above, or everything; the dry run then shows what that changes."
        )
        return
    if not parts.seen(found, "this dry run"):
        return
    if why := settled(found.value):
        parts.verdict("Nothing is left to do", why, "quiet")
        return
    words, button = st.columns([3, 1], vertical_alignment="center")
    with words:
        heading(person, found.value)
    with button, st.container(horizontal=True, horizontal_alignment="right"):
        act(person, found.value)
    summary(found.value)
    left, right = st.columns([1.6, 1], gap="large")
    with left:
        becomes(found.value)
    with right:
        downstream(found.value)


page()

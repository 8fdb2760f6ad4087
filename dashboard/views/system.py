"""System: is it up, how far behind is each stage, what could not be used and why."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from dashboard import parts, session, wording
from dashboard.parts import Action, Tile

Json = dict[str, Any]


@st.cache_data(ttl=session.SHARED_S, show_spinner=False)
def health(address: str) -> tuple[bool, bool]:
    """Whether the process is up, and whether its views have reached the log's end."""
    return session.client().healthy("/healthz"), session.client().healthy("/readyz")


def summary(live: Json) -> None:
    """The tiles on top."""
    up, ready = health(session.server())
    behind = sum(live["lag"].values())
    events = sum(topic["events"] for topic in live["topics"].values())
    parts.tiles(
        [
            Tile(
                label="Service",
                value="up" if up else "away",
                warn=not up,
                note="ready: views at the log's end" if ready else "views are not at the log's end",
            ),
            Tile(
                label="Up for",
                value=wording.span(live["now"] - live["started_at"]),
                note=f"since {wording.clock(live['started_at'], session.zone())}, version {live['version']}",
            ),
            Tile(label="Log", value=wording.count(events), unit="events", note=f"{len(live['topics'])} topics"),
            Tile(
                label="Lag",
                value=wording.count(behind),
                unit="event" if behind == 1 else "events",
                note="behind, all stages together",
            ),
            Tile(
                label="Dead letters",
                value=wording.count(live["dead_letters"]),
                warn=live["dead_letters"] > 0,
                note="wait for a look below" if live["dead_letters"] else "none",
            ),
        ]
    )


def topics(live: Json) -> None:
    """Every topic: how many events, how many a second."""
    parts.title("Topics", "what is in the log, busiest first")
    rows = sorted(live["topics"].items(), key=lambda pair: (-pair[1]["rate"], -pair[1]["events"]))
    frame = pd.DataFrame(
        {
            "Topic": [name for name, _ in rows],
            "Events": [topic["events"] for _, topic in rows],
            "A second": [topic["rate"] for _, topic in rows],
        }
    )
    config = {
        "Events": st.column_config.NumberColumn(format="localized"),
        "A second": st.column_config.NumberColumn(format="%.2f", help="Over the last ten seconds"),
    }
    parts.table(frame, "topics", 440, config)


def lag(live: Json) -> None:
    """How far behind each stage is."""
    parts.title("Lag by stage", "events that wait for it")
    parts.bars(sorted(live["lag"].items()))


def errors(live: Json) -> None:
    """The newest errors."""
    parts.title("Errors", "newest first")
    found = live["errors"][::-1][:8]
    if not found:
        st.caption("None since the start.")
        return
    zone = session.zone()
    parts.listing(
        [
            (e["message"], f"{e['where']} · {wording.ago(e['at'], live['now'])}, {wording.clock(e['at'], zone)}")
            for e in found
        ]
    )


@st.fragment(run_every="3s")
def live() -> None:
    """Everything that moves, anew every three seconds."""
    watched = session.watch("/v1/live")
    parts.head("System", "Is it up, how far behind is each stage, and what could not be used.", watched)
    if not parts.seen(watched, "the system"):
        return
    parts.follow("dead letters", watched.value["dead_letters"])
    summary(watched.value)
    left, right = st.columns(2, gap="large")
    with left:
        topics(watched.value)
    with right:
        lag(watched.value)
        errors(watched.value)


def letters() -> None:
    """Dead letters, one of them in full, with replay. Holds still while one is read."""
    parts.title("Dead letters", "events that could not be used, kept byte for byte")
    watched = session.watch_all("/v1/dead_letters", "dead_letters", "log_offset")
    if not parts.seen(watched, "dead letters"):
        return
    found = watched.value[::-1]
    if not found:
        st.caption("None: everything that was sent could be used.")
        return
    frame = pd.DataFrame(
        {
            "When": [wording.moment(letter["at"], session.zone()) for letter in found],
            "Topic": [letter["topic"] for letter in found],
            "Stage": [letter["stage"] or "admission" for letter in found],
            "Why": [letter["reason"] for letter in found],
            "Key": [letter["key"] for letter in found],
        }
    )
    config = {
        "When": st.column_config.DatetimeColumn(format="D MMM YYYY, HH:mm:ss"),
        "Why": st.column_config.TextColumn(width="large"),
    }
    letter(found[parts.pick(frame, "letters", 260, config)])


def letter(one: Json) -> None:
    """One dead letter: its bytes and the button that sends it through again."""
    words, button = st.columns([3, 1], vertical_alignment="center")
    words.caption(f"Offset {one['log_offset']}: {one['topic']} event at its offset {one['source_offset']}.")
    with button, st.container(horizontal=True, horizontal_alignment="right"):
        parts.offer(
            Action(
                route="/v1/dead_letters/{offset}/replay",
                names={"offset": str(one["log_offset"])},
                label="Replay",
                reason=False,
                explained="The event goes through its stage once more, as it is. Do this after what stopped it was "
                "mended; if it fails again, a new dead letter says why.",
                done="Sent through again",
                icon=":material/replay:",
            ),
            key="replay",
        )
    st.code(one["payload"], language="json", wrap_lines=True)


live()
letters()

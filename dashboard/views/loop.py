"""Loop: what flows, how fast, how far behind, and the whole loop in one picture."""

from __future__ import annotations

from collections import Counter
from typing import Any

import streamlit as st

from dashboard import charts, parts, session, wording
from dashboard.flow import Station, picture
from dashboard.parts import Tile

Json = dict[str, Any]
TICK_MS, MINUTE_MS = 10_000, 60_000
SPARK_POINTS = 60  # of one tick each
FIRST_OUTPUT = """curl $PREFLOOP_SERVER/v1/outputs -H "Authorization: Bearer $PREFLOOP_KEY" \\
  -d '{"prompt": "What is a mutex?", "responses": ["A lock.", "A lock that one thread holds at a time."]}'"""


def events(live: Json, topic: str) -> int:
    """Events of a topic so far."""
    return int(live["topics"].get(topic, {}).get("events", 0))


def rate(live: Json, *topics: str) -> float:
    """Events a second of some topics together."""
    return float(sum(live["topics"].get(topic, {}).get("rate", 0.0) for topic in topics))


def speed(live: Json, topic: str) -> str:
    """A topic's rate, in words where nothing moves."""
    return wording.rate(rate(live, topic)) if rate(live, topic) else "quiet"


def of_topic(label: str, live: Json, topic: str, note: str = "", warn: bool = False) -> Station:
    """The station of one topic."""
    speed = rate(live, topic)
    return Station(
        label=label,
        value=wording.count(events(live, topic)),
        rate=wording.rate(speed) if speed else "",
        note=note,
        lively=speed > 0,
        warn=warn,
    )


def training(live: Json, runs: list[Json]) -> Station:
    """The run that is under way, or how many there were."""
    current = next((run for run in runs if run["status"] in ("claimed", "progress")), None)
    if current is None:
        waiting = sum(run["status"] == "requested" for run in runs)
        note = f"{waiting} waiting for a trainer" if waiting else "idle"
        ended = sum(run["status"] in ("finished", "failed") for run in runs)
        return Station(label="Training", value=wording.count(ended), rate="runs", note=note)
    step, steps = current.get("step") or 0, current.get("steps") or 0
    return Station(
        label="Training",
        value=(current.get("stage") or "starting").replace("_", " "),
        note=f"step {step} of {steps}" if steps else "starting",
        lively=True,
        progress=step / steps if steps else 0.0,
    )


def stations(live: Json, runs: list[Json]) -> list[Station]:
    """The ten stations, outputs first."""
    queue, people, lag = live["queue"], live["annotators"], live["lag"]
    behind = int(lag.get("assessments", 0))
    return [
        of_topic("Outputs", live, "outputs", "from production models"),
        of_topic("Tasks", live, "tasks", f"{wording.count(queue['open'])} open"),
        Station(
            label="Annotators",
            value=f"{people['online']}",
            rate="online",
            note=f"{queue['leased']} judging, {people['suspended']} suspended",
            lively=rate(live, "assignments") > 0,
        ),
        of_topic("Judgments", live, "judgments", "people's choices"),
        of_topic("Assessments", live, "assessments", f"{wording.count(behind)} behind" if behind else "up to date"),
        of_topic("Preferences", live, "preferences", f"{wording.count(live['preferences'])} hold now"),
        of_topic("Batches", live, "batches", "datasets, by content"),
        training(live, runs),
        of_topic("Gate", live, "checkpoints", "checkpoints examined"),
        of_topic("Promotion", live, "promotions", "decisions"),
    ]


def champions(live: Json) -> list[str]:
    """What the middle of the ring says: who serves, at most three campaigns."""
    found = [f"{campaign}: {wording.short(model)}" for campaign, model in sorted(live["champion"].items()) if model]
    return [*found[:3], *([f"and {len(found) - 3} more"] if len(found) > 3 else [])] or ["none promoted yet"]


def sums(live: Json, what: str, width: int, length: int) -> list[tuple[int, int]]:
    """The last `length` intervals of `width` ms that are over: begin and count. Intervals without events are zero."""
    end = live["now"] // width * width
    found: Counter[int] = Counter()
    for point in live["history"]:
        found[point["at"] // width * width] += point.get(what) or 0
    first = max(end - width * length, live["started_at"] // width * width)
    return [(at, found[at]) for at in range(first, end, width)]


def sparks(live: Json, what: str) -> list[float]:
    """The last ten minutes of one kind."""
    return [float(number) for _, number in sums(live, what, TICK_MS, SPARK_POINTS)]


def summary(live: Json) -> None:
    """The tiles on top."""
    behind, queue = sum(live["lag"].values()), live["queue"]
    escalated = f", {queue['escalated']} escalated" if queue["escalated"] else ""
    parts.tiles(
        [
            Tile(
                label="Outputs",
                value=speed(live, "outputs"),
                note=f"{wording.count(events(live, 'outputs'))} in all",
                spark=sparks(live, "outputs"),
            ),
            Tile(
                label="Judgments",
                value=speed(live, "judgments"),
                note=f"{wording.count(events(live, 'judgments'))} in all",
                spark=sparks(live, "judgments"),
            ),
            Tile(
                label="Preferences",
                value=wording.count(live["preferences"]),
                note=f"{speed(live, 'preferences')} now",
                spark=sparks(live, "preferences"),
            ),
            Tile(
                label="Queue",
                value=wording.count(queue["open"]),
                unit="open",
                note=f"{queue['leased']} with annotators{escalated}",
            ),
            Tile(
                label="Lag",
                value=wording.count(behind),
                unit="event" if behind == 1 else "events",
                warn=behind > 1_000,
                note="everything is scored" if not behind else "waiting for a stage",
            ),
        ]
    )


def hour(live: Json) -> None:
    """The last hour as lines, a point a minute."""
    rows: list[Json] = [
        {"at": at, "what": what, "per_minute": number}
        for what in ("judgments", "outputs", "preferences")
        for at, number in sums(live, what, MINUTE_MS, 60)
    ]
    parts.title("The last hour", "events a minute")
    span = rows[-1]["at"] - rows[0]["at"] if rows else 0
    if span:
        parts.chart(rows, charts.history(session.colours(), span), key="hour")
    else:
        st.caption("Drawn as soon as the service is up for two whole minutes.")


def beside(live: Json) -> None:
    """The queue by campaign, and what went wrong lately."""
    parts.title("Open tasks", "by campaign")
    waiting = sorted(live["queue"]["by_campaign"].items(), key=lambda pair: -pair[1])[:6]
    if waiting:
        parts.bars(waiting)
    else:
        st.caption("No task waits for anybody.")
    parts.title("Latest errors")
    errors = live["errors"][-3:][::-1]
    if errors:
        parts.listing([(e["message"], f"{e['where']}, {wording.ago(e['at'], live['now'])}") for e in errors])
    else:
        st.caption("None since the start.")


@st.fragment(run_every="2s")
def page() -> None:
    """Everything, anew every two seconds."""
    watched = session.watch("/v1/live")
    parts.head("Loop", "From a model's outputs through people's judgments to a better model, and round again.", watched)
    if not parts.seen(watched, "the loop"):
        return
    live = watched.value
    runs = (session.watch("/v1/runs").value or {}).get("runs", [])
    summary(live)
    ring = picture(
        stations(live, runs),
        "Champion",
        champions(live),
        feedback=rate(live, "agreements") > 0,
        home=bool(live["champion"]),
        now=session.now(),
    )
    parts.draw(f'<div class="pf-panel{" pf-still" if watched.away else ""}">{ring}</div>')
    if not events(live, "outputs"):
        parts.empty(
            "Nothing flows yet.",
            "Send a first output with a producer's key; its task appears within a second, on the annotator page at "
            f"{session.public_url()}/.",
            session.pasted(FIRST_OUTPUT),
        )
        return
    left, right = st.columns([2.1, 1], gap="large")
    with left:
        hour(live)
    with right:
        beside(live)


page()

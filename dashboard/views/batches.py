"""Data: the batches that preferences are cut into, what is in them, and cutting one now."""

from __future__ import annotations

from html import escape
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import charts, parts, session, wording
from dashboard.parts import Action, Tile

Json = dict[str, Any]
CUT = """curl $PREFLOOP_SERVER/v1/batches -H "Authorization: Bearer $PREFLOOP_KEY" -d '{{"campaign": "{campaign}"}}'"""
PREVIEW = 20  # dataset rows
MEMBERS = 200  # shown of a batch's list


def cut_one(campaigns: list[str]) -> str:
    """A campaign and the button that cuts its batch; the chosen campaign."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        campaign = st.selectbox("Campaign", campaigns, key="cut-campaign", width=220)
        explained = (
            f"All preferences of **{parts.plain(campaign)}** that are in no batch yet become one dataset now, without "
            "waiting for the campaign's size or age. A trainer may start on it at once."
        )
        parts.offer(
            Action(
                route="/v1/batches",
                label="Cut a batch now",
                body={"campaign": campaign},
                reason=False,
                explained=explained,
                done="A batch was cut",
                icon=":material/content_cut:",
            ),
            key="cut",
        )
    return str(campaign)


def table(batches: list[Json]) -> str:
    """All batches; returns the chosen one, or the newest."""
    frame = pd.DataFrame(
        {
            "Batch": [row["batch"] for row in batches],
            "Campaign": [row["campaign"] for row in batches],
            "Training pairs": [row["size"] for row in batches],
            "Held out": [row["holdout_size"] for row in batches],
            "Why it was cut": [row["reason"] for row in batches],
            "Cut at": [wording.moment(row["at"], session.zone()) for row in batches],
        }
    )
    config = {"Cut at": st.column_config.DatetimeColumn(format="D MMM YYYY, HH:mm:ss")}
    return str(batches[parts.pick(frame, "batches", 300, config)]["batch"])


def words(messages: Any) -> str:
    """Chat messages as plain text."""
    if isinstance(messages, str):
        return messages
    return "\n\n".join(str(message["content"]) for message in messages)


def pair(row: Json) -> str:
    """One pair as HTML, every word of it escaped: responses are a model's words, never markup here."""
    sides = "".join(
        f'<div class="r {side}"><small>{side}</small><pre>{escape(words(row[side]))}</pre></div>'
        for side in ("chosen", "rejected")
    )
    prompt = f'<div class="q"><small>prompt</small><pre>{escape(words(row["prompt"]))}</pre></div>'
    return f'<div class="pf-pair">{prompt}{sides}</div>'


def share(explained: str) -> Any:
    """A column of probabilities, as bars."""
    return st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1, help=explained)


def preview(batch: str) -> None:
    """The first rows of the dataset, one of them in full."""
    parts.title("Dataset", f"its first rows, as the trainer reads them; all of them: GET /v1/datasets/{batch}")
    watched = session.watch_lines(f"/v1/datasets/{session.part(batch)}", PREVIEW)
    if not parts.seen(watched, "datasets"):
        return
    rows = watched.value
    if not rows:
        st.caption("Nothing to train on is in it: every preference was withdrawn, gold, or held out.")
        return
    frame = pd.DataFrame(
        {
            "Prompt": [words(row["prompt"]) for row in rows],
            "Probability": [round(row["probability"], 2) for row in rows],
            "As decided": [round(as_decided(row), 2) for row in rows],
            "Verdict": [row["verdict"] for row in rows],
            "Split": [row["split"] for row in rows],
            "Judgments": [len(row["judgments"]) for row in rows],
            "Task": [row["task"] for row in rows],
        }
    )
    config = {
        "Prompt": st.column_config.TextColumn(width="large"),
        "Probability": share("That people prefer the chosen one, by what was known of them when the batch was cut"),
        "As decided": share("The same when the task was decided, by what was known of them then"),
    }
    st.html(pair(rows[parts.pick(frame, f"rows-{batch}", 260, config)]))


def members(one: Json) -> None:
    """Which preferences, at which revision."""
    definition = one.get("definition") or one
    held = {tuple(member) for member in definition.get("holdout", [])}
    pairs = [tuple(member) for member in definition.get("members", [])]
    every = pairs + [member for member in held if member not in set(pairs)]
    with st.expander(f"Members: {wording.count(len(every))} preferences by task and revision"):
        frame = pd.DataFrame(
            [
                {"Task": task, "Revision": revision, "Held out": (task, revision) in held}
                for task, revision in every[:MEMBERS]
            ]
        )
        parts.table(frame, f"members-{one['batch']}", 260)
        if len(every) > MEMBERS:
            st.caption(f"The first {MEMBERS}; all of them: GET /v1/batches/{one['batch']}")


def swayed(batch: str) -> None:
    """What swayed the choices behind this batch, on demand: it is counted from its judgments."""
    if not st.toggle("Show the biases of its judgments", key=f"biases-{batch}"):
        return
    watched = session.watch("/v1/quality/biases", batch=batch)
    if not parts.seen(watched, "biases"):
        return
    found = watched.value
    shares = [
        ("longer one wins", "longer_wins"),
        ("more markdown wins", "markdown_wins"),
        ("left one chosen", "left_rate"),
    ]
    rows = [{"name": name, "share": found[key]["rate"], **found[key]} for name, key in shares if found[key]["n"]]
    rows += [
        {
            "name": f"{one['name']}, all else alike",
            "share": one["wins"]["value"],
            **one["wins"],
            "n": found["judgments"],
        }
        for one in found["all_else_alike"]
    ]
    if not rows:
        st.caption("Its judgments say nothing of length, markdown or side.")
        return
    spec = charts.share_intervals(session.colours(), len(rows), "share, with its 95% interval", middle=0.5)
    frame = pd.DataFrame(rows)[["name", "share", "low", "high", "n"]]
    parts.chart(frame, spec, key=f"biases-chart-{batch}")


def weighed_again(one: Json) -> str:
    """What the refinement did to a batch's verdicts."""
    turned, pairs = one["turned_by_refinement"], one["size"] + one["holdout_size"]
    return (
        f"by what was known of the people at the cut: {wording.count(turned)} of {wording.count(pairs)} verdicts turned"
    )


def as_decided(row: Json) -> float:
    """The probability that people prefer the chosen one, as it was when the task was decided."""
    a, b, tie = row["online"]
    return float({"a": a, "b": b, "tie": a + tie / 2}[row["verdict"]])


def detail(batch: str) -> None:
    """One batch."""
    watched = session.watch(f"/v1/batches/{session.part(batch)}")
    if not parts.seen(watched, "this batch"):
        return
    one = watched.value
    parts.title(f"Batch {batch}")
    offsets = (one.get("definition") or one).get("offsets", {})
    parts.facts(
        [
            ("Pairs", f"{wording.count(one['size'])} to train on, {wording.count(one['holdout_size'])} held out"),
            (
                "Cut",
                f"{wording.clock(one['at'], session.zone())}, {wording.ago(one['at'], session.now())}: {one['reason']}",
            ),
            ("Weighed again", weighed_again(one)),
            ("Seen up to", ", ".join(f"{topic} {offset:,}" for topic, offset in offsets.items()) or "not recorded"),
        ]
    )
    members(one)
    swayed(batch)
    preview(batch)


def summary(batches: list[Json], preferences: int | None) -> None:
    """The tiles on top."""
    pairs = sum(row["size"] for row in batches)
    by_age = sorted(batches, key=lambda row: int(row["at"]))
    held_out = {row["campaign"]: row["holdout_size"] for row in by_age}  # every batch names those before it, too
    newest = wording.ago(max((row["at"] for row in batches), default=0), session.now())
    parts.tiles(
        [
            Tile(label="Preferences", value=wording.count(preferences), note="that hold now"),
            Tile(label="Batches", value=wording.count(len(batches)), note=f"newest {newest}" if batches else ""),
            Tile(label="Training pairs", value=wording.count(pairs), note="in all batches"),
            Tile(
                label="Held out",
                value=wording.count(sum(held_out.values())),
                note="in the newest batches; never trained on",
            ),
        ]
    )


@st.fragment(run_every="5s")
def live() -> None:
    """The head and the tiles, anew every five seconds."""
    batches, now = session.watch("/v1/batches"), session.watch("/v1/live")
    parts.head(
        "Data", "Preferences become datasets: cut once, never changed, each pair traceable to its judgments.", batches
    )
    if batches.value is not None:
        parts.follow("batches", len(batches.value["batches"]))
        summary(batches.value["batches"], (now.value or {}).get("preferences"))


def page() -> None:
    """The chosen batch holds still while it is read; the list is that of the last visit or action."""
    live()
    watched = session.watch("/v1/batches")
    if not parts.seen(watched, "batches"):
        return
    campaigns = [row["name"] for row in (session.watch("/v1/campaigns").value or {}).get("campaigns", [])]
    campaign = cut_one(campaigns or ["default"])
    batches = watched.value["batches"]
    if batches:
        detail(table(batches))
    else:
        parts.empty(
            "No batch yet.",
            "A batch is cut when a campaign has enough preferences, or the oldest is old enough (batch_size and "
            "batch_max_age_s of its training settings). With a few preferences at hand you can cut one above, or:",
            session.pasted(CUT.format(campaign=campaign)),
        )


page()

"""Gold: how often each known answer was shown, how it is answered, whether it got around; the qualification round."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from dashboard import parts, session, wording
from dashboard.parts import Tile

Json = dict[str, Any]
MOST_LINES = 12
ALARMING = 10.0  # evidence to one from which a leak is worth a look
FIRST = """curl $PREFLOOP_SERVER/v1/outputs -H "Authorization: Bearer $PREFLOOP_KEY" -d '{"prompt": "2 + 2?",
  "responses": ["4", "5"], "gold": "a"}'"""


def suspicion(item: Json) -> float:
    """The evidence to one that the item got around."""
    return max(float(item["leak"]["right"]), float(item["leak"]["fast"]))


def summary(found: Json) -> None:
    """The tiles."""
    items = found["items"]
    answers = sum(item["judged"] for item in items)
    right = sum(item["judged"] * (item["right"] or 0) for item in items)
    suspicious = sum(suspicion(item) >= ALARMING for item in items if item["state"] != "retired")
    adaptive = "at most; less for those known well" if found["policy"]["adaptive"] else "of everybody's tasks"
    seen = sum(item["exposures"] for item in items)
    grew = sum(bool(item["grown_from"]) for item in items)
    parts.tiles(
        [
            Tile(
                label="In use",
                value=wording.count(found["in_use"]),
                note=f"{found['resting']:,} rest; {grew:,} of all grew from decided tasks",
            ),
            Tile(label="Retired", value=wording.count(found["retired"]), note="seen too often, or got around"),
            Tile(label="Suspicious", value=wording.count(suspicious), warn=suspicious > 0, note="may have got around"),
            Tile(
                label="Answered right",
                value=wording.percent(right / answers if answers else None),
                note=f"of {answers:,} answers",
            ),
            Tile(label="Shown", value=wording.count(seen), note="times in all"),
            Tile(label="Share", value=wording.percent(found["gold_rate"]), note=adaptive),
        ]
    )


def table(items: list[Json]) -> None:
    """Every item."""
    parts.title("Items", "those in use first, then the most seen")
    frame = pd.DataFrame(
        {
            "Task": [item["task"] for item in items],
            "State": [item["state"] for item in items],
            "Answer": [item["answer"] for item in items],
            "Since": [wording.moment(item["created_at"], session.zone()) for item in items],
            "Shown to": [item["exposures"] for item in items],
            "Right": [item["right"] and round(item["right"], 2) for item in items],
            "95% interval": [wording.interval(item["low"], item["high"]) for item in items],
            "Suddenly right": [round(item["leak"]["right"], 1) for item in items],
            "Suddenly fast": [round(item["leak"]["fast"], 1) for item in items],
        }
    )
    evidence = "Evidence to one that it got around: 1 is none, 100 would be a false alarm for one item in a hundred"
    config = {
        "Task": st.column_config.TextColumn(width="small"),
        "Since": st.column_config.DatetimeColumn(format="D MMM YYYY", help="When it became gold"),
        "Shown to": st.column_config.NumberColumn(help="Annotators it was given to"),
        "Right": st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1),
        "Suddenly right": st.column_config.NumberColumn(format="%.1f", help=evidence),
        "Suddenly fast": st.column_config.NumberColumn(format="%.1f", help=evidence),
    }
    parts.table(frame, "gold-items", 470, config)


def notable(items: list[Json]) -> None:
    """Retired items with the reason, and those that look as if they got around."""
    parts.title("What to know", "retired, suspicious, or too hard")
    lines = [(item["task"], wording.sentence(why_retired(item))) for item in items if item["reason"]]
    lines += [
        (item["task"], f"May have got around: {suspicion(item):,.0f} to one")
        for item in items
        if not item["reason"] and suspicion(item) >= ALARMING
    ]
    lines += [
        (item["task"], f"Only {wording.percent(item['right'])} say {item['answer']}: is the known answer right?")
        for item in items
        if item["high"] is not None and item["high"] < 0.5
    ]
    if lines:
        parts.listing(lines[:MOST_LINES])
    else:
        st.caption("Nothing: no item was seen too often, got around, or is answered wrongly by most.")


def growing(found: Json) -> None:
    """What grew from tasks that were decided here, the newest first, or how to let it grow."""
    grown = sorted((item for item in found["items"] if item["grown_from"]), key=lambda one: -one["created_at"])
    parts.title("Grown from decided tasks", "never trained on from then on")
    if grown:
        parts.listing([(grown_words(item), how_it_went(item)) for item in grown[:MOST_LINES]])
        if len(grown) > MOST_LINES:
            st.caption(f"The newest {MOST_LINES} of {len(grown)}.")
    elif found["policy"]["grow"]:
        st.caption("Nothing yet: what an adjudicator decides for one side becomes gold by itself, within seconds.")
    else:
        st.caption("What adjudicators decide becomes gold by itself with this in the campaign's file:")
        st.code("gold: {grow: true}", language="yaml")


def grown_words(item: Json) -> str:
    """Where the item comes from."""
    return f"{wording.short(item['task'])} from {wording.short(item['grown_from'])}"


def how_it_went(item: Json) -> str:
    """Since when it is gold, and what became of it."""
    since = f"Gold since {wording.clock(item['created_at'], session.zone())}"
    if item["reason"]:
        return f"{since}; {why_retired(item)}"
    told = f"{wording.percent(item['right'])} of {item['judged']} right" if item["judged"] else "not judged yet"
    return f"{since}; {item['state']}, {told}"


def why_retired(item: Json) -> str:
    """Why it is not offered any more, and since when."""
    when = f" · {wording.clock(item['retired_at'], session.zone())}" if item["retired_at"] else ""
    return f"{item['reason']}{when}"


def hygiene(found: Json) -> None:
    """What the campaign asks for."""
    policy, terms = found["policy"], found["qualification"]
    cap, in_use, rate = policy["exposure_cap"], policy["in_use"], policy["leak_rate"]
    parts.title("Rules of the campaign")
    parts.facts(
        [
            ("Shown to at most", f"{cap} annotators an item" if cap else "no limit"),
            ("At a time", f"{in_use} items, which take turns" if in_use else "all items"),
            ("Leaks", f"retired at a false-alarm rate of {rate:g} an item" if rate else "shown here, nothing is done"),
            ("Growing", "what adjudicators decide, by itself" if policy["grow"] else "by a lead's hand alone"),
            ("Qualification", qualification(terms)),
        ]
    )
    if terms["tasks"] > found["in_use"]:
        st.warning(
            f"The qualification round may take {terms['tasks']} tasks and only {found['in_use']} gold items are in "
            "use: whoever has seen them all waits. Add gold, or ask for fewer.",
            icon=":material/warning:",
        )


def qualification(terms: Json) -> str:
    """The round in a sentence."""
    if not terms["tasks"]:
        return "none: everybody gets tasks at once"
    marks = f"{wording.percent(terms['fail_mark'])} fails, {wording.percent(terms['pass_mark'])} passes"
    return f"at most {terms['tasks']} gold tasks first; {marks}, wrong for at most {wording.percent(terms['error'])}"


@st.fragment(run_every="10s")
def page() -> None:
    """Anew every ten seconds."""
    campaigns = session.watch("/v1/campaigns")
    subtitle = "Hidden tasks whose answer is known: whether they still tell the good from the bad."
    names = parts.live_campaigns(campaigns)
    chosen = st.session_state.get("gold-campaign", names[0]) if names else ""
    found = session.watch(f"/v1/campaigns/{session.part(chosen)}/gold") if names else campaigns
    parts.head("Gold", subtitle, campaigns, found)
    if not parts.seen(found, "gold") or not names:
        return
    if len(names) > 1:
        st.selectbox("Campaign", names, key="gold-campaign", width=320)
    if not found.value["items"]:
        parts.empty(
            "No gold yet.",
            "Send outputs whose better response you know, with a lead's key. They are mixed in and never trained on.",
            session.pasted(FIRST),
        )
        growing(found.value)
        return
    summary(found.value)
    table(found.value["items"])
    left, right = st.columns(2, gap="large")
    with left:
        notable(found.value["items"])
        growing(found.value)
    with right:
        hygiene(found.value)


page()

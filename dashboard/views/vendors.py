"""Vendors: two sources of judgments on the same tasks, side by side, and which to buy from."""

from __future__ import annotations

from html import escape
from typing import Any

import streamlit as st

from dashboard import parts, session, wording

Json = dict[str, Any]
EVERY_CAMPAIGN = "all campaigns"
ATTRIBUTES = """curl -X PUT $PREFLOOP_SERVER/v1/annotators/ID/attributes -H "Authorization: Bearer $PREFLOOP_KEY" \\
  -d '{"attributes": {"vendor": "north"}}'"""
SHARES = (
    ("accuracy", "Right, of decisive judgments", "known from agreement within and between; no gold needed"),
    ("left", "Takes the left one", "50% is no bias"),
    ("longer", "Takes the longer one", ""),
    ("markdown", "Takes the one with more markdown", ""),
    ("ties", "Says tie", ""),
)


def choose(found: Json) -> dict[str, str | int]:
    """What to compare by, which two, and their prices."""
    within, by, one, other, price_one, price_other = st.columns(6)
    campaigns = [row["name"] for row in (session.watch("/v1/campaigns").value or {}).get("campaigns", [])]
    campaign = within.selectbox("Campaign", [EVERY_CAMPAIGN, *campaigns], key="vendors-campaign")
    names = list(found["attributes"]) or ["vendor"]
    attribute = by.selectbox("Compare by", names, index=names.index("vendor") if "vendor" in names else 0, key="by")
    values = found["attributes"].get(attribute, [])
    first = one.selectbox("One", values, index=0, key=f"one-{attribute}") or ""
    rest = [value for value in values if value != first]
    second = other.selectbox("The other", rest, index=0 if rest else None, key=f"other-{attribute}") or ""
    prices = {
        name: column.number_input(f"Price, {who or '…'}", min_value=0.0, step=0.01, value=0.0, key=name)
        for name, column, who in (("price_one", price_one, first), ("price_other", price_other, second))
    }
    asked = {"by": attribute, "one": first, "other": second, **{name: f"{price:g}" for name, price in prices.items()}}
    return asked if campaign == EVERY_CAMPAIGN else {**asked, "campaign": campaign}


def share(found: Json | None, digits: int = 0) -> str:
    """A share with its interval, as HTML."""
    if found is None:
        return wording.DASH
    interval = wording.interval(found["low"], found["high"], digits)
    return f"{wording.percent(found['value'], digits)}<small>{interval}</small>"


def change(found: Json | None) -> tuple[str, bool]:
    """A difference of shares with its interval as HTML, and whether it leaves out zero."""
    if found is None:
        return wording.DASH, False
    interval = wording.between(found["low"], found["high"], 1)
    return f"{wording.points(found['value'], 1)}<small>{interval}</small>", not found["low"] <= 0 <= found["high"]


def number(found: Json | None, digits: int = 2) -> str:
    """A number with its interval, as HTML."""
    if found is None:
        return wording.DASH
    value, low, high = (f"{found[key]:.{digits}f}" for key in ("value", "low", "high"))
    return f"{value}<small>{low}{wording.DASH}{high}</small>"


def rows_of(found: Json) -> list[tuple[str, str, str, str, str, bool]]:
    """Name, remark, one, other, difference, and whether the difference is clear; all HTML."""
    one, other = found["one"], found["other"]
    rows = [(name, remark, share(one[key]), share(other[key]), *change(found[key])) for key, name, remark in SHARES]
    ratio = found["cost_ratio"]
    told = (
        f"{ratio['value']:.2f} times<small>{ratio['low']:.2f}{wording.DASH}{ratio['high']:.2f}</small>" if ratio else ""
    )
    cost_clear = bool(ratio) and not ratio["low"] <= 1 <= ratio["high"]
    needed = "judgments_needed"
    rows.append(
        ("Judgments for a task decided at 95%", "", number(one[needed], 1), number(other[needed], 1), "", False)
    )
    if ratio:
        rows.append(("Cost of such a task", "", number(one["cost"]), number(other["cost"]), told, cost_clear))
    loss = found["reward"]
    said = ""
    if loss:
        value, low, high = (wording.signed(loss[key], 3) for key in ("value", "low", "high"))
        said = f"{value}<small>{low} to {high}</small>"
    clear = bool(loss) and not loss["low"] <= 0 <= loss["high"]
    remark = "log-loss on judgments of both; lower is better"
    rows.append(
        ("What a reward model learns", remark, number(one["reward"], 3), number(other["reward"], 3), said, clear)
    )
    return rows


def side_by_side(found: Json) -> None:
    """The table: a row a measure."""
    one, other = found["one"], found["other"]
    cells = ["", escape(one["name"]), escape(other["name"]), "difference"]
    html = "".join(f'<div class="h">{cell}</div>' for cell in cells)
    counts = [f"{side['judgments']:,}<small>by {side['people']:,} people</small>" for side in (one, other)]
    html += f'<div class="k">Judgments</div><div>{counts[0]}</div><div>{counts[1]}</div><div></div>'
    for name, remark, first, second, difference, clear in rows_of(found):
        more = f"<br><small style='margin:0'>{escape(remark)}</small>" if remark else ""
        mark = ' class="clear"' if clear else ""
        html += f'<div class="k">{escape(name)}{more}</div><div>{first}</div><div>{second}</div>'
        html += f"<div{mark}>{difference}</div>"
    st.html(f'<div class="pf-sides">{html}</div>')


def recommendation(found: Json) -> None:
    """What to do, and what it rests on."""
    name = {"one": found["one"]["name"], "other": found["other"]["name"]}.get(found["better"])
    words = f"Buy from {name}" if name else "No difference that decides"
    said = "; ".join(found["reasons"])
    parts.verdict(
        words, f"{said[:1].upper()}{said[1:]}." if said else "Nothing could be compared.", "" if name else "quiet"
    )
    shared = found["shared"]
    if shared:
        st.caption(
            f"Between the two there is {shared['value']:.2f} (95%: {shared['low']:.2f} to {shared['high']:.2f}) of the "
            "agreement that one truth would give. Clearly below 1, each agrees with itself on something that the other "
            "does not see."
        )


def page() -> None:
    """Holds still while it is read; a change of names or prices asks anew."""
    top, probe = st.container(), session.watch("/v1/quality/comparison")
    told_apart = any(len(values) > 1 for values in (probe.value or {}).get("attributes", {}).values())
    watched = session.watch("/v1/quality/comparison", **(choose(probe.value) if told_apart else {}))
    with top:
        parts.head("Vendors", "Two sources on the same tasks: how reliable, how biased, at what cost.", watched)
    if not parts.seen(watched, "vendors"):
        return
    if not told_apart:
        parts.empty(
            "Nobody is told apart yet.",
            "Give annotators attributes (vendor, cohort, source), two values of one at least, and let both judge some "
            "of the same tasks: overlap 2 with skills, or a campaign of its own.",
            session.pasted(ATTRIBUTES),
        )
        return
    found = watched.value["comparison"]
    if found is None:
        least = watched.value["least_items"]
        st.caption(f"These two have fewer than {least} tasks in common: send {least} to both and come back.")
        return
    recommendation(found)
    parts.title(
        "Side by side", f"on the {found['items']:,} tasks that both judged; coloured where the difference is clear"
    )
    side_by_side(found)


page()

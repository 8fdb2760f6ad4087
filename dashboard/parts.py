"""What the pages are put together from: head, tiles, panels, empty states, and actions that ask before they act."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import session, wording
from dashboard.flow import sparkline
from dashboard.session import FORBIDDEN, Watched
from services.api.roles import TABLE

FIRST_ROW: Any = {"selection": {"rows": [0]}}  # a table opens with this chosen


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One number: label, value with unit, a note below, a sparkline."""

    label: str
    value: str
    unit: str = ""
    note: str = ""
    spark: Sequence[float] = ()
    warn: bool = False


def head(title: str, subtitle: str, *watched: Watched, counted: str = "judgments") -> None:
    """The page's title with how fresh it is and of what; a banner instead of an error where the service is away."""
    oldest = min((w.at for w in watched if w.at), default=0)
    away = any(w.away for w in watched)
    fresh = (
        f"updated {wording.ago(oldest, session.now())}" if away else as_of(*watched, counted=counted) or "<i></i>live"
    )
    st.html(
        f'<div class="pf-head"><div><h1>{escape(title)}</h1><p>{escape(subtitle)}</p></div>'
        f'<div class="pf-fresh">{fresh if oldest else ""}</div></div>'
    )
    if away:
        _banner(oldest)
    follow("away", away)
    if done := st.session_state.pop("done", ""):
        st.toast(done, icon=":material/check:")


def as_of(*watched: Watched, counted: str = "judgments") -> str:
    """When the oldest of these reports was worked out, of how many where not of all; "" where none of them is one."""
    oldest = min((w.as_of for w in watched if w.as_of), default=0)
    newest = max((w.newest for w in watched), default=0)
    of = f"the newest {newest:,} {counted}, " if newest else ""
    return f"{of}as of {wording.clock(oldest, session.zone())}" if oldest else ""


def follow(name: str, value: object) -> None:
    """Runs the whole page again when this value changed: for what stands outside the part that refreshes by itself."""
    before = st.session_state.get(f"follow-{name}", value)
    st.session_state[f"follow-{name}"] = value
    if before != value:
        st.rerun()


def _banner(oldest: int) -> None:
    kept = (
        f"What you see is from {wording.clock(oldest, session.zone())}, {wording.ago(oldest, session.now())}."
        if oldest
        else f"Nothing has been heard from {escape(session.server())} for this page yet."
    )
    st.html(
        f'<div class="pf-away" role="status"><b>Reconnecting.</b> The service does not answer just now. <span>{kept} '
        "This page tries again every few seconds; nothing needs doing here.</span></div>"
    )


def title(text: str, more: str = "") -> None:
    """A heading inside a page, with a quiet remark."""
    st.html(f'<h2 class="pf-title">{escape(text)}<span>{escape(more)}</span></h2>')


def tiles(found: Sequence[Tile]) -> None:
    """A row of tiles."""
    draw('<div class="pf-tiles">' + "".join(_tile(tile) for tile in found) + "</div>")


def _tile(tile: Tile) -> str:
    unit = f"<small>{escape(tile.unit)}</small>" if tile.unit else ""
    return (
        f'<div class="pf-tile{" warn" if tile.warn else ""}"><div class="k">{escape(tile.label)}</div>'
        f'<div class="v" title="{escape(tile.value)}">{escape(tile.value)}{unit}</div>'
        f'<div class="n">{escape(tile.note)}</div>{sparkline(tile.spark)}</div>'
    )


# st.html takes out SVG; a component does not. What it is given is ours, with every word from outside escaped.
_drawing = st.components.v2.component(
    "prefloop_drawing",
    html="<div></div>",
    js="""export default function ({ parentElement, data }) {
  const place = parentElement.querySelector("div");
  if (place.drawn !== data) { place.innerHTML = data; place.drawn = data; }
}""",
    isolate_styles=False,
)


def draw(markup: str) -> None:
    """HTML with SVG inside; all text in it must be escaped already."""
    _drawing(data=markup)


def facts(pairs: Sequence[tuple[str, str]]) -> None:
    """Terms and what they are, in a panel."""
    rows = "".join(f"<dt>{escape(term)}</dt><dd>{escape(said)}</dd>" for term, said in pairs)
    st.html(f'<div class="pf-panel"><dl class="pf-facts">{rows}</dl></div>')


def listing(rows: Sequence[tuple[str, str]]) -> None:
    """Lines with a smaller line below each, in a panel."""
    items = "".join(f"<li>{escape(line)}<small>{escape(more)}</small></li>" for line, more in rows)
    st.html(f'<div class="pf-panel"><ul class="pf-list">{items}</ul></div>')


def bars(rows: Sequence[tuple[str, float]], said: Callable[[float], str] = wording.count) -> None:
    """Labelled horizontal bars, the longest of them full, in a panel."""
    top = max((number for _, number in rows), default=0) or 1
    cells = "".join(
        f'<span>{escape(name)}</span><span class="b"><i style="width:{100 * number / top:.0f}%"></i></span>'
        f'<span class="c">{escape(said(number))}</span>'
        for name, number in rows
    )
    st.html(f'<div class="pf-panel"><div class="pf-bars">{cells}</div></div>')


def verdict(text: str, more: str, tone: str = "") -> None:
    """A conclusion in a panel: a badge, and what it rests on."""
    st.html(f'<div class="pf-panel pf-verdict">{badge(text, tone)}<p>{escape(more)}</p></div>')


def badge(text: str, tone: str = "") -> str:
    """A small word in a rounded box, as HTML; tones: "", "warn", "quiet"."""
    return f'<span class="pf-badge {tone}">{escape(text)}</span>'


def empty(what: str, first: str, command: str = "") -> None:
    """Nothing here yet: what will be, and the exact command that brings it."""
    st.html(f'<div class="pf-empty"><h3>{escape(what)}</h3><p>{escape(first)}</p></div>')
    if command:
        st.code(command, language="bash", wrap_lines=True)


def chart(rows: Any, spec: dict[str, Any], key: str) -> None:
    """A Vega-Lite chart over rows, which know their place: see charts.IN_ORDER."""
    numbered = pd.DataFrame(rows).assign(row=range(len(rows)))
    st.vega_lite_chart(numbered, spec, width="stretch", key=key)


def table(frame: Any, key: str, most: int, config: dict[str, Any] | None = None, **more: Any) -> Any:
    """A table as high as its rows, or `most` pixels and scrolling; a dash stands where nothing is known."""
    return st.dataframe(
        frame,
        column_config=config,
        hide_index=True,
        key=key,
        height="content" if 36 * (len(frame) + 1) <= most else most,
        placeholder=wording.DASH,
        **more,
    )


def pick(frame: Any, key: str, most: int, config: dict[str, Any] | None = None) -> int:
    """A table of which one row is read below it: the number of the chosen row, the first until one is chosen."""
    more = {"on_select": "rerun", "selection_mode": "single-row", "selection_default": FIRST_ROW}
    chosen = table(frame, key, most, config, **more)
    selected = chosen["selection"]["rows"]
    return int(selected[0]) if selected and selected[0] < len(frame) else 0


def plain(text: str) -> str:
    """Text from outside for a place that reads Markdown: every character stands for itself."""
    return re.sub(r"([\\`*_{}\[\]()<>#+\-.!|$~:])", r"\\\1", text)


def live_campaigns(campaigns: Watched) -> list[str]:
    """Names of those whose tasks people get; the one that the service began with is last until it is changed."""
    live = [one for one in (campaigns.value or {}).get("campaigns", []) if one["mode"] == "live"]
    return [one["name"] for one in sorted(live, key=lambda one: one["actor"] == "system")]


def seen(watched: Watched, subject: str) -> bool:
    """Whether there is something to show; says why not where the role does not see it."""
    if watched.refused is not None:
        words = f"Your role, {session.role()}, does not see {subject}." if watched.refused.status == FORBIDDEN else ""
        why, mend = (escape(wording.sentence(said)) for said in (str(watched.refused), watched.refused.mend))
        st.html(f'<div class="pf-notice"><b>{escape(words or "Nothing to show.")}</b> {why}. {mend}</div>')
    return watched.value is not None


# ---------------------------------------------------------------- actions


@dataclass(frozen=True, kw_only=True)
class Action:
    """Something a person does through the API, after they have said why where `reason` asks for it."""

    route: str  # of the role table, services/api/roles.py; always a POST
    label: str
    explained: str  # what will happen, markdown
    done: str  # said afterwards
    names: dict[str, str] = field(default_factory=dict)  # what the route's placeholders stand for
    body: dict[str, Any] = field(default_factory=dict)
    option: tuple[str, dict[str, Any]] | None = None  # a box to tick, and what it adds to the body
    reason: bool = True
    icon: str | None = None

    @property
    def path(self) -> str:
        """The route with its placeholders filled."""
        return self.route.format(**{name: session.part(value) for name, value in self.names.items()})

    def refused(self, role: str) -> str:
        """Why this role may not; "" where it may."""
        allowed = TABLE["POST", self.route]
        return (
            "" if role in allowed else f"Your role is {role}; this needs {' or '.join(sorted(allowed, reverse=True))}."
        )


def offer(action: Action, key: str, disabled: str = "") -> None:
    """A button that asks and then acts; disabled, with the reason, where the role may not or `disabled` says why."""
    why = action.refused(session.role()) or disabled
    if st.button(action.label, key=key, disabled=bool(why), help=why or None, icon=action.icon):
        _ask(action, key)


def _ask(action: Action, key: str) -> None:
    st.dialog(action.label)(lambda: confirmation(action, key))()


def confirmation(action: Action, key: str) -> None:
    """What the dialog holds: what will happen, the reason, the button that does it."""
    st.markdown(action.explained)
    with st.form(f"{key}-form", border=False):
        reason = (
            st.text_input("Reason", key=f"{key}-reason", max_chars=500, placeholder="Kept in the audit log")
            if action.reason
            else ""
        )
        chosen = action.option and st.checkbox(plain(action.option[0]), key=f"{key}-option")
        agreed = st.form_submit_button(action.label, type="primary")
    if not agreed:
        return
    if action.reason and not reason.strip():
        st.warning("Say why in a few words: it is kept beside your name.", icon=":material/edit:")
        return
    body = action.body | ({"reason": reason.strip()} if action.reason else {})
    if action.option and chosen:
        body |= action.option[1]
    if problem := session.act(action.path, body, action.done):
        st.error(problem, icon=":material/error:")
        return
    st.rerun()

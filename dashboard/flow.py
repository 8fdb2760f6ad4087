"""The picture of the loop: ten stations in a ring with live counts, as one inline SVG.

Dots run along an arrow while the station it leads to receives events. The picture is drawn anew every few seconds;
the dots keep their place because their animation starts at the wall clock's phase.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 1160, 336
BOX_WIDTH, BOX_HEIGHT = 184, 92
TOP, BOTTOM = 14, HEIGHT - 14 - BOX_HEIGHT
PERIOD_MS = 1_600  # one dot's way to the place of the next; the same in style.css
SIDE = 5  # stations a row


@dataclass(frozen=True, kw_only=True)
class Station:
    """One box: what it is, how many, how fast, one more line; `lively` lets dots run towards it."""

    label: str
    value: str
    rate: str = ""
    note: str = ""
    lively: bool = False
    warn: bool = False
    progress: float | None = None  # share done, draws a bar


def _corner(index: int) -> tuple[float, float]:
    """Left upper corner of station `index`: five on top left to right, five below right to left."""
    column = index if index < SIDE else 2 * SIDE - 1 - index
    step = (WIDTH - BOX_WIDTH - 4) / (SIDE - 1)
    return 2 + column * step, TOP if index < SIDE else BOTTOM


def _arrow(index: int, stations: int) -> str:
    """The SVG path from station `index` to the next one."""
    (x0, y0), (x1, y1) = _corner(index), _corner((index + 1) % stations)
    middle = BOX_HEIGHT / 2
    if y0 == y1 == TOP:
        return f"M{x0 + BOX_WIDTH:.0f} {y0 + middle:.0f}H{x1 - 3:.0f}"
    if y0 == y1:
        return f"M{x0:.0f} {y0 + middle:.0f}H{x1 + BOX_WIDTH + 3:.0f}"
    if y0 < y1:
        return f"M{x0 + BOX_WIDTH / 2:.0f} {y0 + BOX_HEIGHT:.0f}V{y1 - 3:.0f}"
    return f"M{x0 + BOX_WIDTH / 2:.0f} {y0:.0f}V{y1 + BOX_HEIGHT + 3:.0f}"


def _edge(path: str, lively: bool, extra: str = "") -> str:
    dots = f'<path class="pf-dots" d="{path}"/>' if lively else ""
    return f'<path class="pf-way{extra}" d="{path}" marker-end="url(#pf-tip)"/>{dots}'


def _bar(station: Station, x: float, y: float) -> str:
    if station.progress is None:
        return ""
    width, done = BOX_WIDTH - 28, min(1.0, max(0.0, station.progress))
    where = f'x="{x + 14:.0f}" y="{y + BOX_HEIGHT - 9:.0f}" height="3" rx="1.5"'
    return f'<rect class="pf-track" {where} width="{width}"/><rect class="pf-done" {where} width="{width * done:.1f}"/>'


def _box(station: Station, index: int) -> str:
    x, y = _corner(index)
    right = x + BOX_WIDTH - 14
    state = " pf-lively" if station.lively else " pf-warn" if station.warn else ""
    rate = f'<text class="pf-rate" x="{right:.0f}" y="{y + 55:.0f}" text-anchor="end">{escape(station.rate)}</text>'
    return (
        f'<g class="pf-station{state}">'
        f'<rect x="{x:.0f}" y="{y:.0f}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="12"/>'
        f'<text class="pf-label" x="{x + 14:.0f}" y="{y + 25:.0f}">{escape(station.label)}</text>'
        f'<text class="pf-value" x="{x + 14:.0f}" y="{y + 55:.0f}">{escape(station.value)}</text>'
        f"{rate if station.rate else ''}"
        f'<text class="pf-note" x="{x + 14:.0f}" y="{y + 76:.0f}">{escape(station.note)}</text>'
        f"{_bar(station, x, y)}</g>"
    )


def _middle(title: str, lines: Sequence[str]) -> str:
    first = HEIGHT / 2 + 4 - 10 * (len(lines) - 1)
    where = f'x="{WIDTH / 2:.0f}" text-anchor="middle"'
    words = "".join(
        f'<text class="pf-champion" {where} y="{first + 14 + 22 * n:.0f}">{escape(line)}</text>'
        for n, line in enumerate(lines)
    )
    return f'<text class="pf-label" {where} y="{first - 12:.0f}">{escape(title)}</text>{words}'


def _feedback(lively: bool) -> str:
    """Preferences tell assessments whom the others agreed with: the one short way back inside the loop."""
    x, _ = _corner(SIDE)
    way = f"M{x + 40:.0f} {BOTTOM}V{TOP + BOX_HEIGHT + 3}"
    label = f'<text class="pf-note" x="{x + 28:.0f}" y="{HEIGHT / 2 + 4:.0f}" text-anchor="end">agreements</text>'
    return _edge(way, lively, " pf-thin") + label


def _homeward() -> str:
    """What the last arrow means."""
    x, _ = _corner(0)
    return (
        f'<text class="pf-note" x="{x + BOX_WIDTH / 2 + 14:.0f}" y="{HEIGHT / 2 + 4:.0f}">answers from then on</text>'
    )


def picture(
    stations: Sequence[Station], title: str, lines: Sequence[str], *, feedback: bool, home: bool, now: int
) -> str:
    """The ring of `stations` (ten, outputs first) with `title` and `lines` in its middle; `now` in ms.

    `feedback`: agreements flow back; `home`: a promoted model is among those that send outputs.
    """
    said = "; ".join(f"{s.label} {s.value} {s.rate} {s.note}".strip() for s in stations)
    lively = [*(station.lively for station in stations[1:]), home and stations[0].lively]
    edges = "".join(_edge(_arrow(n, len(stations)), moves) for n, moves in enumerate(lively))
    tip = (
        '<defs><marker id="pf-tip" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="5.5" markerHeight="5.5" '
        'orient="auto">'
        '<path class="pf-tip" d="M1 1L6 4L1 7"/></marker></defs>'
    )
    return (
        f'<svg class="pf-loop" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="The loop: {escape(said)}" '
        f'style="--pf-phase:-{now % PERIOD_MS}ms">{tip}{edges}{_feedback(feedback)}{_homeward()}'
        f"{''.join(_box(station, n) for n, station in enumerate(stations))}{_middle(title, lines)}</svg>"
    )


def sparkline(values: Sequence[float], width: int = 132, height: int = 34) -> str:
    """A small line with a faint area below it, without axes; empty for fewer than two values."""
    if len(values) < 2:
        return ""
    top = max(values) or 1.0
    step = width / (len(values) - 1)
    points = " ".join(f"{n * step:.1f},{height - 2 - (height - 4) * v / top:.1f}" for n, v in enumerate(values))
    return (
        f'<svg class="pf-spark" viewBox="0 0 {width} {height}" preserveAspectRatio="none" aria-hidden="true">'
        f'<polygon points="0,{height} {points} {width},{height}"/><polyline points="{points}"/></svg>'
    )

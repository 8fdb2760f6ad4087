"""How numbers, times and intervals read on the pages: always with their unit, never with false digits."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any

MINUS, DASH = "\u2212", "\u2013"
HALF_A_YEAR_MS = 183 * 86_400_000


def count(number: float | None) -> str:
    """12,345; 123 k; 1.2 M; 1.0 bn."""
    if number is None:
        return DASH
    if abs(number) < 100_000:
        return f"{number:,.0f}"
    if abs(number) < 999_500:
        return f"{number / 1e3:,.0f} k"
    return f"{number / 1e6:,.1f} M" if abs(number) < 999.95e6 else f"{number / 1e9:,.1f} bn"


def rate(per_second: float) -> str:
    """Events a second, or a minute where that says more; a dash where nothing moves."""
    if per_second <= 0:
        return DASH
    if per_second < 0.095:
        return f"{per_second * 60:.1f}/min"
    return f"{per_second:.1f}/s" if per_second < 99.5 else f"{count(per_second)}/s"


def percent(share: float | None, digits: int = 0) -> str:
    """0.914 as 91%."""
    return DASH if share is None else f"{share * 100:.{digits}f}%"


def signed(number: float, digits: int = 2) -> str:
    """With its sign, and a true minus."""
    return f"{number:+z.{digits}f}".replace("-", MINUS)


def interval(low: float | None, high: float | None, digits: int = 0) -> str:
    """88–97%."""
    if low is None or high is None:
        return DASH
    return f"{low * 100:.{digits}f}{DASH}{high * 100:.{digits}f}%"


def points(change: float | None, digits: int = 0) -> str:
    """A difference of shares: -0.147 as −15 points."""
    return DASH if change is None else f"{signed(change * 100, digits)} points"


def between(low: float, high: float, digits: int = 0) -> str:
    """An interval of such differences: −19 to −11."""
    return f"{signed(low * 100, digits)} to {signed(high * 100, digits)}"


def points_between(change: Mapping[str, float]) -> str:
    """A difference of shares (value, low, high) with its interval: −14.7 points (95%: −19.1 to −10.9)."""
    return f"{points(change['value'], 1)} (95%: {between(change['low'], change['high'], 1)})"


def span(milliseconds: float) -> str:
    """A length of time in its two largest units: 8 s, 3 min, 2 h 5 min, 4 d 1 h; of months, in days or years."""
    seconds = max(0, round(milliseconds / 1000))
    if seconds < 60:
        return f"{seconds} s"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86_400
    if minutes < 60:
        return f"{minutes} min"
    if hours < 48:
        return f"{hours} h {minutes % 60} min" if minutes % 60 else f"{hours} h"
    if days >= 2 * 365:
        return f"{days // 365} years"
    return f"{days} d {hours % 24} h" if hours % 24 and days < 60 else f"{days} d"


def ago(at: int | None, now: int) -> str:
    """How long ago, for a time in ms; 0 and None are never."""
    if not at:
        return "never"
    return "just now" if now - at < 3_000 else f"{span(now - at)} ago"


def moment(at: int | None, zone: tzinfo | None = None) -> datetime | None:
    """A time in ms in the viewer's zone (UTC where it is not known)."""
    return datetime.fromtimestamp(at / 1000, zone or UTC) if at else None


def clock(at: int | None, zone: tzinfo | None = None, now: float | None = None) -> str:
    """21 Nov 09:35:41, and with its year what is half a year from `now` (ms; by default the time it is)."""
    found = moment(at, zone)
    if not (found and at):
        return DASH
    is_near = abs((time.time() * 1000 if now is None else now) - at) < HALF_A_YEAR_MS
    return f"{found.day} {found:%b %H:%M:%S}" if is_near else f"{found.day} {found:%b %Y %H:%M}"


def sentence(said: str) -> str:
    """With a capital letter, the others as they are."""
    return said[:1].upper() + said[1:]


def told_apart(people: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of people, each with a name of its own: those who share one get the end of their id behind it."""
    often = Counter(row.get("name") for row in people)
    shared = {name for name, times in often.items() if name and times > 1}
    return [
        row | {"name": f"{row['name']} ({row['annotator'][-4:]})"} if row.get("name") in shared else row
        for row in people
    ]


def short(identity: str) -> str:
    """An id that fits a line."""
    return identity if len(identity) <= 20 else f"{identity[:12]}…"

"""Order in the session: what changes while somebody goes on judging.

Tired people agree less, say tie more often, or settle on a side. The trend is taken within each person, because
whoever goes on for longer may be another kind of annotator from the start (fixed effects; errors clustered by person,
Arellano 1987).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log2, sqrt

import numpy as np

from streams.events import Struct
from streams.quality.biases import Rate, left_rate, rate_of
from streams.quality.compared import Compared
from streams.quality.intervals import Estimate, normal, wilson
from streams.quality.pairs import Floats, Ints, numbered, summed

SESSION_GAP_MS = 30 * 60_000  # a pause that ends a session
PLACES = (1, 4, 8, 16, 32, 64)  # first judgment of each bin
LEAST_PEOPLE = 8  # with fewer, errors clustered by person are far too small (Cameron and Miller 2015, section VI)


class PlacePoint(Struct, frozen=True, kw_only=True):
    """Judgments from that place in their session on, to the next bin."""

    place: int
    agrees: Rate  # of the judgments that others can be compared with
    left: Rate
    ties: Rate


class SessionOrder(Struct, frozen=True, kw_only=True):
    """What changes in the course of a session, within one person."""

    points: list[PlacePoint]
    agrees_by_doubling: Estimate | None  # change of the share that agrees, each time the place doubles
    ties_by_doubling: Estimate | None
    judgments: int
    sessions: int


def session_order(rows: Sequence[Compared], agrees: Sequence[float | None]) -> SessionOrder:
    """`agrees`: for each row the share of the others on its item that say the same; None without others."""
    timed = [n for n, row in enumerate(rows) if row.answered_at]
    timed.sort(key=lambda n: (rows[n].annotator, rows[n].answered_at))
    places = _places([rows[n] for n in timed])
    bins: dict[int, list[int]] = {}
    for n, place in zip(timed, places, strict=True):
        bins.setdefault(max(edge for edge in PLACES if edge <= place), []).append(n)
    who, _ = numbered(rows[n].annotator for n in timed)
    known = np.array([agrees[n] is not None for n in timed], dtype=bool)
    doubling = np.array([log2(place) for place in places])
    met = np.array([agrees[n] or 0.0 for n in timed])
    tied = np.array([float(rows[n].choice == "tie") for n in timed])
    return SessionOrder(
        points=[
            _place_point(place, [rows[n] for n in found], [agrees[n] for n in found])
            for place, found in sorted(bins.items())
        ],
        agrees_by_doubling=within(doubling[known], met[known], who[known]),
        ties_by_doubling=within(doubling, tied, who),
        judgments=len(timed),
        sessions=places.count(1),
    )


def _places(rows: Sequence[Compared]) -> list[int]:
    """The place of each judgment in its session, from 1; rows by annotator and time."""
    places: list[int] = []
    before: Compared | None = None
    for row in rows:
        same = before is not None and before.annotator == row.annotator
        on = same and before is not None and row.answered_at - before.answered_at < SESSION_GAP_MS
        places.append(places[-1] + 1 if on else 1)
        before = row
    return places


def _place_point(place: int, rows: Sequence[Compared], agrees: Sequence[float | None]) -> PlacePoint:
    shares = [share for share in agrees if share is not None]
    low, high = wilson(sum(shares) / len(shares) if shares else 0.0, len(shares))
    rate = Rate(rate=sum(shares) / len(shares) if shares else None, low=low, high=high, n=len(shares))
    ties = rate_of(sum(row.choice == "tie" for row in rows), len(rows))
    return PlacePoint(place=place, agrees=rate, left=left_rate((row.choice, row.swapped) for row in rows), ties=ties)


def within(x: Floats, y: Floats, who: Ints) -> Estimate | None:
    """Slope of y on x within people, errors clustered by person; None where x varies within fewer than LEAST_PEOPLE."""
    size = int(who.max(initial=-1)) + 1
    dx, dy = _centred(x, who, size), _centred(y, who, size)
    people = int((summed(who, dx * dx, size) > 1e-9).sum())
    if people < LEAST_PEOPLE:
        return None
    mass = float(dx @ dx)
    slope = float(dx @ dy) / mass
    scores = summed(who, dx * (dy - slope * dx), size)
    return normal(slope, sqrt(float(scores @ scores) * people / (people - 1)) / mass)


def _centred(values: Floats, who: Ints, size: int) -> Floats:
    """Each value less its person's mean."""
    return values - (summed(who, values, size) / np.maximum(np.bincount(who, minlength=size), 1))[who]

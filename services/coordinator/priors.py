"""What the crowd is like, told to its members: what is believed of a newcomer, and of whoever has judged little.

The crowd's distribution of accuracies is learned by empirical Bayes (streams/quality/reliability.py) from the newest
judgments, and told again where it has moved. It reaches an annotator's state as an event, so a replay repeats it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import structlog
from sqlalchemy import Connection, Integer, cast, func, select

from services.appending import appending
from services.bootstrap import Service
from services.coordinator.gather import snapshot
from services.store import models as m
from streams.events import Prior, digest
from streams.quality import reliability
from streams.quality.reliability import Grades

FEWEST = 10  # annotators who were compared with others, below which nothing is learned
GROWTH = 200  # judgments from one look to the next
MOVED = 0.05  # total variation from which on it is told again
MOST_JUDGMENTS = 20_000  # the newest; what a look costs stays bounded
STEPS = 20  # probabilities are read to a twentieth
_log = structlog.get_logger("priors")

Shares = tuple[float, ...]


# ---------------------------------------------------------------- decide


def learned(grades: Iterable[Grades]) -> Shares | None:
    """The crowd's shares; None where too few were compared with others."""
    graded = [each for each in grades if each.evidence > 0]
    return reliability.crowd_shares(graded) if len(graded) >= FEWEST else None


def has_moved(before: Sequence[float] | None, shares: Sequence[float]) -> bool:
    """Whether an annotator who was told `before` (None: nothing) has to be told."""
    known = reliability.PRIOR if before is None else before
    return sum(abs(x - y) for x, y in zip(known, shares, strict=True)) / 2 > MOVED


def prior_of(annotator: str, shares: Shares, members: int, now: int) -> Prior:
    """The event."""
    return Prior(
        id=digest("prior", annotator, str(now), *map(repr, shares)),
        annotator=annotator,
        shares=shares,
        members=members,
        actor="coordinator",
        occurred_at=now,
        ingested_at=now,
    )


# ---------------------------------------------------------------- gather


def graded(sql: Connection) -> dict[str, Grades]:
    """What the others' word says of everybody's newest judgments, by annotator; models are no members of the crowd."""
    judgments = m.judgments.c
    newest = (
        select(judgments.annotator, judgments.agreement)
        .where(
            judgments.role == "annotator",
            judgments.withdrawn.is_(False),
            judgments.choice != "tie",
            judgments.agreement.is_not(None),
        )
        .order_by(judgments.log_offset.desc())
        .limit(MOST_JUDGMENTS)
        .subquery()
    )
    step = cast(func.round(newest.c.agreement * STEPS), Integer)
    rows = sql.execute(select(newest.c.annotator, step, func.count()).group_by(newest.c.annotator, step))
    found: dict[str, Grades] = {}
    for annotator, at, count in rows:
        mine = at / STEPS
        told = (mine, 1.0 - mine, 0.0)
        found[annotator] = reliability.learn_graded(found.get(annotator, Grades()), 0, "a", told, sign=count)
    return found


# ---------------------------------------------------------------- apply


class PriorKeeper:
    """Tells the crowd's members what the crowd is like. What it has told it finds in the log when it starts."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._seen = -1  # judgments at the last look
        self._members = 0
        self._shares: Shares | None = None
        self._told: dict[str, Sequence[float]] | None = None

    def tick(self) -> int:
        """How many were told."""
        told = self._told_before()
        with snapshot(self._service.database) as sql:
            count = sql.execute(select(func.coalesce(func.sum(m.standings.c.judgments), 0))).scalar_one()
            if self._seen < 0 or count >= self._seen + GROWTH:
                grades = graded(sql)
                self._seen, self._members, self._shares = count, len(grades), learned(grades.values())
            if self._shares is None:
                return 0
            members = [row.annotator for row in sql.execute(select(m.standings.c.annotator))]
        shares, now = self._shares, self._service.clock()
        priors = [prior_of(who, shares, self._members, now) for who in members if has_moved(told.get(who), shares)]
        if priors:
            self._service.log.submit(appending(priors)).result()
            told.update((prior.annotator, prior.shares) for prior in priors)
            _log.info("crowd's prior", told=len(priors), members=self._members)
        return len(priors)

    def _told_before(self) -> dict[str, Sequence[float]]:
        if self._told is None:
            self._told = told_before(self._service)
        return self._told


def told_before(service: Service) -> dict[str, Sequence[float]]:
    """What each annotator was told last, from the log."""
    found: dict[str, Sequence[float]] = {}
    start = 0
    while records := service.store.read("priors", start, 1_000):
        found.update((event.annotator, event.shares) for record in records if isinstance(event := record.event, Prior))
        start = records[-1].offset + 1
    return found

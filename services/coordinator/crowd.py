"""What no single annotator's stream can show: who errs together, whose reasons are copied, who came in a burst, and who
is at odds with a reward model.

Each becomes an alert with its evidence; nothing else follows by itself, since whether two colleagues collude is for a
lead to judge. What is found again is not told again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import anyio
import structlog
from sqlalchemy import Connection, Row, func, or_, select

from services.analysis.apart import report
from services.appending import appending_new
from services.bootstrap import Service
from services.coordinator.gather import snapshot
from services.store import models as m
from streams.events import Alert, Hypothesis, digest
from streams.quality import bursts, copying, disagreement
from streams.quality.bursts import Newcomer
from streams.quality.disagreement import Scored
from streams.quality.discovery import accused
from streams.quality.ring import Answered, Member, may_hold_one

FALSE_DISCOVERIES = 0.05  # share of the accused pairs that may be innocent
MOST_JUDGMENTS = 20_000  # the newest; what a look costs stays bounded
Evidence = Mapping[str, float | int | str]
_log = structlog.get_logger("crowd")


# ---------------------------------------------------------------- decide


def alerts_for_rings(rings: Iterable[Sequence[Member]], now: int) -> list[Alert]:
    """One alert a member of every ring; another once their common mistakes have doubled."""
    alerts: list[Alert] = []
    for ring in rings:
        for member in ring:
            evidence: Evidence = {
                "shared": member.shared,
                "together": member.together,
                "expected": round(member.expected, 1),
                "capital": round(member.evidence, 1),
            }
            others = [one.annotator for one in ring if one is not member]
            again = str(member.together.bit_length())
            alerts.append(_alert("collusion", member.annotator, others, evidence, now, (again,)))
    return alerts


def alerts_for_copies(tasks: Iterable[Mapping[str, str]], now: int) -> list[Alert]:
    """Two alerts a pair whose reasons are alike: which of them copied, the words do not say."""
    found = copying.pairs(tasks)
    alerts: list[Alert] = []
    for pair in accused({pair: one.evidence for pair, one in found.items()}, FALSE_DISCOVERIES):
        one = found[pair]
        evidence: Evidence = {"shared": one.shared, "alike": one.alike, "capital": round(one.evidence, 1)}
        alerts += _alerts("copying", pair, evidence, now)
    return alerts


def alerts_for_bursts(people: Sequence[Newcomer], now: int) -> list[Alert]:
    """One alert a member of the most surprising burst."""
    burst = bursts.find(people)
    if burst is None:
        return []
    told = dict(bursts.by_annotator(burst))
    return list(_alerts("burst", burst.members, told, now, rate=2 * bursts.RATE, since=burst.since))


def alerts_for_disagreement(judgments: Sequence[Scored], now: int) -> list[Alert]:
    """One alert for each annotator who contradicts a confident reward model more often than the crowd explains."""
    found = disagreement.odds(judgments)
    alerts: list[Alert] = []
    for who in accused({who: one.evidence for who, one in found.items()}, FALSE_DISCOVERIES):
        one = found[who]
        evidence: Evidence = {
            "compared": one.compared,
            "contradicted": one.contradicted,
            "expected": round(one.expected, 1),
            "capital": round(one.evidence, 1),
        }
        alerts += _alerts("reward_model", (who,), evidence, now)
    return alerts


def _alerts(
    hypothesis: Hypothesis,
    group: Sequence[str],
    evidence: Evidence,
    now: int,
    rate: float = FALSE_DISCOVERIES,
    since: int = 0,
) -> Iterator[Alert]:
    """One a member of the group, which names the others."""
    for annotator in group:
        others = [who for who in group if who != annotator]
        yield _alert(hypothesis, annotator, others, evidence, now, group, rate, since)


def _alert(
    hypothesis: Hypothesis,
    annotator: str,
    others: Sequence[str],
    evidence: Evidence,
    now: int,
    told: Sequence[str],
    rate: float = FALSE_DISCOVERIES,
    since: int = 0,
) -> Alert:
    """About one of them. What is found again with the same `told` is the same alert."""
    identity = digest("alert", hypothesis, annotator, *told)
    return Alert(
        id=identity,
        alert=identity,
        annotator=annotator,
        hypothesis=hypothesis,
        evidence={"with": ", ".join(others), **evidence},
        since=since,
        false_alarm_rate=rate,
        enforced=False,
        actor="coordinator",
        occurred_at=now,
        ingested_at=now,
    )


# ---------------------------------------------------------------- gather


def judged(sql: Connection) -> list[Row[Any]]:
    """The newest judgments of people that count: task, annotator, choice, sketch, answer that stands (or None)."""
    judgments, tasks, preferences = m.judgments.c, m.tasks.c, m.preferences.c
    answer = func.coalesce(tasks.gold, preferences.verdict).label("answer")
    query = (
        select(judgments.task, judgments.annotator, judgments.choice, judgments.reason_sketch, answer)
        .join(m.tasks, tasks.task == judgments.task)
        .outerjoin(m.preferences, preferences.task == judgments.task)
        .where(judgments.role == "annotator", judgments.withdrawn.is_(False))
        .order_by(judgments.log_offset.desc())
        .limit(MOST_JUDGMENTS)
    )
    return list(sql.execute(query))


def answered(rows: Iterable[Row[Any]]) -> list[Answered]:
    """By task, where an answer stands."""
    choices: dict[str, dict[str, Any]] = defaultdict(dict)
    answers = {}
    for row in rows:
        if row.answer is not None:
            choices[row.task][row.annotator], answers[row.task] = row.choice, row.answer
    return [Answered(answer=answers[task], choices=said) for task, said in choices.items()]


def sketches(rows: Iterable[Row[Any]]) -> list[dict[str, str]]:
    """By task, the reasons that were given."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for row in rows:
        if row.reason_sketch:
            found[row.task][row.annotator] = row.reason_sketch
    return list(found.values())


def scored(sql: Connection) -> list[Scored]:
    """The newest decisive judgments of people on tasks of which a reward model is confident, by its newest score."""
    judgments, scores, least = m.judgments.c, m.scores.c, disagreement.BANDS[0]
    query = (
        select(judgments.task, judgments.annotator, judgments.choice, judgments.accuracy, scores.probability)
        .join(m.scores, scores.task == judgments.task)
        .where(
            judgments.role == "annotator",
            judgments.withdrawn.is_(False),
            judgments.assessed,
            judgments.choice != "tie",
            or_(scores.probability >= least, scores.probability <= 1 - least),
        )
        .order_by(judgments.log_offset.desc(), scores.at)
        .limit(MOST_JUDGMENTS)
    )
    newest = {(row.task, row.annotator): row for row in sql.execute(query)}  # of several models the last one's word
    return [
        Scored(
            task=row.task,
            annotator=row.annotator,
            confidence=max(row.probability, 1 - row.probability),
            contradicts=(row.choice == "a") != (row.probability > 0.5),
            accuracy=row.accuracy,
        )
        for row in newest.values()
    ]


def newcomers(sql: Connection, rows: Iterable[Row[Any]]) -> list[Newcomer]:
    """Everybody's first judgment, and how often they dissent where an answer stands."""
    at = func.min(func.coalesce(func.nullif(m.judgments.c.answered_at, 0), m.judgments.c.ingested_at))
    query = select(m.judgments.c.annotator, at).where(m.judgments.c.role == "annotator")
    first = sql.execute(query.group_by(m.judgments.c.annotator))
    compared: dict[str, list[bool]] = defaultdict(list)
    for row in rows:
        if row.answer is not None:
            compared[row.annotator].append(row.choice != row.answer)
    return [
        Newcomer(annotator=who, at=when, compared=len(compared[who]), dissents=sum(compared[who]))
        for who, when in first
    ]


# ---------------------------------------------------------------- apply


class Crowd:
    """Looks at the crowd when it has judged, or a reward model has, since the last look."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._seen: tuple[int, int] | None = None

    def tick(self) -> int:
        """How many alerts were told."""
        with snapshot(self._service.database) as sql:
            newest = _newest(sql)
            if newest == self._seen:
                return 0
            self._seen, now = newest, self._service.clock()
            rows = judged(sql)
            people = newcomers(sql, rows)
            opposed = scored(sql)
        alerts = alerts_for_rings(_rings(answered(rows)), now)
        alerts += alerts_for_copies(sketches(rows), now)
        alerts += alerts_for_bursts(people, now)
        alerts += alerts_for_disagreement(opposed, now)
        work = appending_new("alert", alerts, lambda alert: (alert.alert, ""))
        told = self._service.log.submit(work).result() if alerts else 0
        if told:
            _log.info("crowd", alerts=told)
        return told


def _rings(tasks: list[Answered]) -> list[tuple[Member, ...]]:
    """Found in a process of its own, since numpy is needed."""
    if not may_hold_one(tasks):
        return []
    found: list[tuple[Member, ...]] = anyio.run(report, "rings.rings_report", tasks, FALSE_DISCOVERIES)
    return found


def _newest(sql: Connection) -> tuple[int, int]:
    """Offset of the newest judgment, time of the newest score."""
    judged = sql.execute(select(func.max(m.judgments.c.log_offset))).scalar()
    return judged or 0, sql.execute(select(func.max(m.scores.c.at))).scalar() or 0

"""What a replayed campaign says: counts, agreement, would-be suspensions, annotators."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec
from sqlalchemy import Connection, Integer, Table, cast, func, select

from services.replay.feed import Tally, annotator_id, chunks, task_of_item
from services.replay.recordings import BadLine, Item
from services.store import models as m
from streams.quality.agreement import agreed_of, kinds_counted

SHOWN = 5  # annotators at each end of the table
LABELS = ("a", "b", "tie")
Kinds = Counter[tuple[tuple[str, int], ...]]  # ((label, count), ...) of a task -> how many tasks are alike
LEAST_EVIDENCE = 5  # judgments without which a reliability says nothing yet


class Fed(msgspec.Struct, kw_only=True):
    """What became of the records of one file."""

    read: int
    new: int
    already_here: int
    rejected: dict[str, int]  # by reason
    examples: dict[str, list[str]]

    @property
    def is_none_taken(self) -> bool:
        """Whether all that was read was rejected: most often a file of something else."""
        return bool(self.rejected) and not (self.new or self.already_here)


class Consensus(msgspec.Struct, kw_only=True):
    """How often the campaign's verdict is the consensus that came with the items."""

    compared: int
    same: int
    undecided: int  # items with a consensus, but without a verdict here

    @property
    def share(self) -> float | None:
        """Of the compared ones, in [0, 1]."""
        return self.same / self.compared if self.compared else None


class Annotator(msgspec.Struct, kw_only=True):
    """One person of the recording."""

    annotator: str
    judgments: int
    accuracy: float  # each rate with its 95 % interval
    accuracy_low: float
    accuracy_high: float
    side_bias: float
    side_bias_low: float | None
    side_bias_high: float | None
    tie_rate: float
    tie_rate_low: float | None
    tie_rate_high: float | None


class Findings(msgspec.Struct, kw_only=True):
    """The whole report."""

    campaign: str
    items: Fed
    judgments: Fed
    tasks: int
    equal_items: int  # whose two responses are the same: no task
    preferences: int  # tasks with a verdict
    annotators: int
    alpha: float | None  # Krippendorff's, nominal over a, b, tie; with its 95 % interval
    alpha_low: float | None
    alpha_high: float | None
    percent_agreement: float | None  # of pairs of judgments on the same task, in [0, 1]
    tie_share: float | None  # of the judgments
    consensus: Consensus
    alerts: dict[str, int]  # by hypothesis
    would_suspend: dict[str, int]  # annotators, by the hypothesis of the alert
    most_reliable: list[Annotator]
    least_reliable: list[Annotator]
    dead_letters: int
    seconds: float
    judgments_per_second: float  # read from the file, over the whole command


def fed(tally: Tally) -> Fed:
    """The tally as it is reported."""
    return Fed(
        read=tally.read,
        new=tally.new,
        already_here=tally.same,
        rejected=dict(tally.rejected.most_common()),
        examples=tally.examples,
    )


def findings(
    sql: Connection, campaign: str, items: Tally, judgments: Tally, consensus: Consensus, seconds: float
) -> Findings:
    """Everything that the views say of the campaign. `seconds` is what the command took."""
    kinds = kinds_of_tasks(sql, campaign)
    alpha = agreed_of(kinds_counted(kinds)).alpha
    tasks = _count(sql, m.tasks, campaign)
    people = _annotators(sql, campaign)
    return Findings(
        campaign=campaign,
        items=fed(items),
        judgments=fed(judgments),
        tasks=tasks,
        equal_items=_count(sql, m.outputs, campaign) - tasks,
        preferences=_decided(sql, campaign),
        annotators=len(people),
        alpha=alpha.value if alpha else None,
        alpha_low=alpha.low if alpha else None,
        alpha_high=alpha.high if alpha else None,
        percent_agreement=percent_of(kinds),
        tie_share=tie_share_of(kinds),
        consensus=consensus,
        alerts=_alerts(sql, campaign),
        would_suspend=_would_suspend(sql, campaign),
        most_reliable=_ranked(people)[:SHOWN],
        least_reliable=_ranked(people)[::-1][:SHOWN],
        dead_letters=sql.scalar(select(func.count()).select_from(m.dead_letters)) or 0,
        seconds=seconds,
        judgments_per_second=judgments.read / seconds,
    )


# ---------------------------------------------------------------- agreement


def kinds_of_tasks(sql: Connection, campaign: str) -> Kinds:
    """How many tasks have each combination of label counts; few kinds, however many tasks."""
    table = m.judgments.c
    said = [func.sum(cast(table.choice == label, Integer)) for label in LABELS]
    rows = sql.execute(select(*said).where(table.campaign == campaign, ~table.late).group_by(table.task))
    found: Kinds = Counter()
    for row in rows:
        found[tuple((label, int(count)) for label, count in zip(LABELS, row, strict=True) if count)] += 1
    return found


def percent_of(kinds: Kinds) -> float | None:
    """Share of pairs of judgments on the same task that say the same; None without pairs."""
    same = pairs = 0
    for kind, tasks in kinds.items():
        counts = [count for _, count in kind]
        pairs += tasks * sum(counts) * (sum(counts) - 1)
        same += tasks * sum(count * (count - 1) for count in counts)
    return same / pairs if pairs else None


def tie_share_of(kinds: Kinds) -> float | None:
    """Share of the judgments that say tie; None without judgments."""
    said: Counter[str] = Counter()
    for kind, tasks in kinds.items():
        said.update({label: tasks * count for label, count in kind})
    return said["tie"] / said.total() if said else None


def compare(sql: Connection, campaign: str, items: Iterable[Item | BadLine]) -> Consensus:
    """The verdicts beside the consensus of the items that have one."""
    found = Consensus(compared=0, same=0, undecided=0)
    known = (item for item in items if isinstance(item, Item) and item.consensus and item.a != item.b)
    for chunk in chunks(known):
        wanted = {task_of_item(campaign, item.item): item.consensus for item in chunk}
        table = m.preferences.c
        rows = sql.execute(select(table.task, table.verdict).where(table.task.in_(wanted)))
        verdicts = {row[0]: row[1] for row in rows}
        for task, consensus in wanted.items():
            verdict = verdicts.get(task)
            found.undecided += verdict is None
            found.compared += verdict is not None
            found.same += verdict == consensus
    return found


# ---------------------------------------------------------------- views


def _count(sql: Connection, table: Table, campaign: str) -> int:
    return sql.scalar(select(func.count()).select_from(table).where(table.c.campaign == campaign)) or 0


def _decided(sql: Connection, campaign: str) -> int:
    table = m.preferences.c
    query = select(func.count()).where(table.campaign == campaign, table.verdict.is_not(None))
    return sql.scalar(query) or 0


def _alerts(sql: Connection, campaign: str) -> dict[str, int]:
    table = m.alerts.c
    query = select(table.hypothesis, func.count()).where(table.campaign == campaign).group_by(table.hypothesis)
    return {row[0]: row[1] for row in sql.execute(query.order_by(table.hypothesis))}


def _would_suspend(sql: Connection, campaign: str) -> dict[str, int]:
    """Suspensions that were reported and not enforced, by the alert behind them."""
    history, alerts = m.standing_history.c, m.alerts.c
    query = (
        select(alerts.hypothesis, func.count(history.annotator.distinct()))
        .join(m.alerts, alerts.alert == history.alert)
        .where(alerts.campaign == campaign, history.standing == "suspended", ~history.enforced)
        .group_by(alerts.hypothesis)
        .order_by(alerts.hypothesis)
    )
    return {row[0]: row[1] for row in sql.execute(query)}


def _annotators(sql: Connection, campaign: str) -> list[Annotator]:
    prefix = annotator_id(campaign, "")
    table = m.standings.c
    rows = sql.execute(select(m.standings).where(table.annotator.startswith(prefix, autoescape=True))).mappings()
    return [
        Annotator(
            annotator=row["annotator"].removeprefix(prefix),
            judgments=row["judgments"],
            **{name: row[name] for name in Annotator.__struct_fields__ if name not in ("annotator", "judgments")},
        )
        for row in rows
        if row["accuracy"] is not None
    ]


def _ranked(people: Sequence[Annotator]) -> list[Annotator]:
    """The surely good first, the surely bad last: by the middle of the interval among those with some evidence."""
    known = [person for person in people if person.judgments >= LEAST_EVIDENCE]
    return sorted(known, key=lambda person: (-person.accuracy, -person.judgments, person.annotator))

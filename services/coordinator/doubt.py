"""Which datasets and models rest on judgments that were taken back since, and how a dataset would look now.

A view of what the log says, not an event: restoring the judgments clears the doubt by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, func, select

from services.coordinator.gather import LogReader
from services.store import models as m
from streams.events import Batch, Choice, Preference

FOLLOWED_MS = 10_000  # by then the stages have long followed a retraction with a new revision of its preference
SCANNED = 1_000  # records of the log read at once where an older revision is looked for

Model = tuple[str, str, str]  # model, batch, parent


@dataclass(frozen=True, kw_only=True)
class Doubt:
    """Of a model: training pairs of its batch that rest on judgments withdrawn since, and doubted ancestors."""

    pairs: int
    size: int
    inherited_from: tuple[str, ...] = ()


def doubts_of(models: Sequence[Model], doubted: Mapping[str, int], sizes: Mapping[str, int]) -> dict[str, Doubt]:
    """The models in doubt. `doubted`: batch -> pairs in doubt; `sizes`: batch -> training pairs."""
    known = {model: (batch, parent) for model, batch, parent in models}
    found: dict[str, Doubt] = {}
    for model, (batch, _) in known.items():
        ancestors = tuple(one for one in _ancestors(model, known) if doubted.get(known[one][0]))
        pairs = doubted.get(batch, 0)
        if pairs or ancestors:
            found[model] = Doubt(pairs=pairs, size=sizes.get(batch, 0), inherited_from=ancestors)
    return found


def _ancestors(model: str, known: Mapping[str, tuple[str, str]]) -> list[str]:
    """The models it was trained from, the nearest first."""
    found: list[str] = []
    parent = known[model][1]
    while parent in known and parent not in found and parent != model:
        found.append(parent)
        parent = known[parent][1]
    return found


def doubted_batches(sql: Connection) -> dict[str, int]:
    """Batch -> training members that rest on a judgment withdrawn since the cut. Those never doubted are absent.

    Taking back a judgment that counts makes a new revision of its preference. So where the member's revision is still
    the newest, what is withdrawn was so before the cut. Where it is not, the time tells: the newer revision may come
    from somebody else's judgment.
    """
    judgments, members, batches, preferences = m.judgments.c, m.batch_members.c, m.batches.c, m.preferences.c
    rows = sql.execute(
        select(members.batch, func.count(members.task.distinct()))
        .join(m.judgments, judgments.task == members.task)
        .join(m.batches, batches.batch == members.batch)
        .join(m.preferences, preferences.task == members.task)
        .where(
            preferences.revision > members.revision,
            judgments.withdrawn,
            judgments.weight > 0,
            ~judgments.late,
            judgments.ingested_at <= batches.at,
            (judgments.withdrawn_at == 0) | (judgments.withdrawn_at > batches.at - FOLLOWED_MS),
            ~members.holdout,
        )
        .group_by(members.batch)
    )
    return {batch: count for batch, count in rows}  # noqa: C416  (rows are no pairs to dict())


def doubted_models(sql: Connection) -> dict[str, Doubt]:
    """Every model that is in doubt now."""
    doubted = doubted_batches(sql)
    if not doubted:
        return {}
    models = [(row.model, row.batch, row.parent) for row in sql.execute(select(m.models))]
    sizes = {row.batch: row.size for row in sql.execute(select(m.batches.c.batch, m.batches.c.size))}
    return doubts_of(models, doubted, sizes)


# ---------------------------------------------------------------- a dataset as it was cut, and as it would be now


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One member whose preference was revised since the cut. `verdict_now` None: it would be left out now."""

    task: str
    revision: int
    verdict: Choice | None
    probability: float
    revision_now: int
    verdict_now: Choice | None
    probability_now: float

    @property
    def change(self) -> Literal["gone", "turned", "moved"]:
        """Left out now, another verdict, or only another probability."""
        if self.verdict_now is None:
            return "gone"
        return "moved" if self.verdict == self.verdict_now else "turned"


def difference(cut: Preference, now: Preference) -> Difference:
    """The member as it was cut beside what it would be now."""
    return Difference(
        task=cut.task,
        revision=cut.revision,
        verdict=cut.verdict,
        probability=max(cut.p_a, cut.p_b, cut.p_tie),
        revision_now=now.revision,
        verdict_now=now.verdict,
        probability_now=max(now.p_a, now.p_b, now.p_tie),
    )


def dataset_diff(sql: Connection, log: LogReader, batch: Batch) -> list[Difference]:
    """The training members whose preference now differs from the one that was cut, by task."""
    members = m.batch_members.c
    rows = sql.execute(
        select(members.task, members.revision, m.preferences.c.revision.label("newest"))
        .join(m.preferences, m.preferences.c.task == members.task)
        .where(members.batch == batch.batch, ~members.holdout, m.preferences.c.revision != members.revision)
        .order_by(members.task)
    ).all()
    known = revisions(log, {place for row in rows for place in ((row.task, row.revision), (row.task, row.newest))})
    pairs = [(known[row.task, row.revision], known[row.task, row.newest]) for row in rows]
    return [difference(cut, now) for cut, now in pairs if said(cut) != said(now)]


def said(preference: Preference) -> tuple[Choice | None, float, float, float]:
    """What a dataset takes from a preference; one restored says the same as before, in a later revision."""
    return preference.verdict, round(preference.p_a, 9), round(preference.p_b, 9), round(preference.p_tie, 9)


def revisions(log: LogReader, wanted: set[tuple[str, int]]) -> dict[tuple[str, int], Preference]:
    """These revisions, each (task, revision), from the log: the view holds the newest alone."""
    found: dict[tuple[str, int], Preference] = {}
    start = 0
    while len(found) < len(wanted) and (records := log.read("preferences", start, SCANNED)):
        for record in records:
            if isinstance(event := record.event, Preference) and (event.task, event.revision) in wanted:
                found[event.task, event.revision] = event
        start = records[-1].offset + 1
    return found

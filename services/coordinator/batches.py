"""When the preferences that people reached become a dataset, and which of them are in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import ColumnElement, Connection, select

from services.bootstrap import Service
from services.coordinator.calibration import TAG
from services.coordinator.gather import caught_up, newest_campaign, newest_campaigns, places, snapshot
from services.coordinator.growth import adjudicated, gold_id
from services.coordinator.refining import evidence_on, refined
from services.coordinator.registry import champion_of, promotions_of
from services.store import models as m
from services.trail import is_told
from streams.engines.port import Transaction
from streams.errors import ConflictError, NotFoundError, UnavailableError
from streams.events import Batch, Campaign, RunUpdate, Training, digest
from streams.quality.consensus import Posterior

MOST_MEMBERS = 20_000  # of one batch: its event stays near one and a half megabytes
MOST_HOLDOUT = 2_000  # newest held-out pairs that a batch names: more would only make its evaluation slower
ASKED_AT_ONCE = 500  # tasks: every database takes a list so long
READ_FROM = ("preferences", "tasks", "task_updates", "batches", "promotions", "campaigns")
_log = structlog.get_logger("batches")


# ---------------------------------------------------------------- decide


@dataclass(frozen=True, kw_only=True)
class Ready:
    """A decided preference that is in no batch with this revision (a held-out one: that may be in many)."""

    task: str
    revision: int
    at: int  # ms, when it was reached
    holdout: bool = False


@dataclass(frozen=True, kw_only=True)
class BatchPlan:
    """What a batch will hold; (task, preference revision), sorted."""

    batch: str
    members: tuple[tuple[str, int], ...]
    holdout: tuple[tuple[str, int], ...]
    reason: str

    @property
    def tasks(self) -> list[str]:
        """Those of the members, then the held-out ones."""
        return [task for task, _ in (*self.members, *self.holdout)]


def plan_batch(
    ready: Sequence[Ready], training: Training, now: int, *, campaign: str = "default", by_hand: bool = False
) -> BatchPlan | None:
    """A batch of everything ready, where there is enough or the oldest has waited long enough; else None.

    `now` in ms. `by_hand`: a person asked, so that one preference is enough. Held-out pairs make no batch alone.
    """
    members = tuple(sorted((one.task, one.revision) for one in ready if not one.holdout))
    if not members:
        return None
    oldest = min(one.at for one in ready if not one.holdout)
    reason = "by hand" if by_hand else _due(len(members), (now - oldest) / 1000, training)
    if not reason:
        return None
    holdout = tuple(sorted((one.task, one.revision) for one in ready if one.holdout))
    return BatchPlan(batch=batch_id(campaign, members), members=members, holdout=holdout, reason=reason)


def _due(count: int, age_s: float, training: Training) -> str:
    if count >= training.batch_size:
        return f"count: {count} preferences, {training.batch_size} make a batch"
    if age_s >= training.batch_max_age_s and count >= training.batch_min:
        return f"age: the oldest of {count} preferences has waited {age_s:.0f} s of {training.batch_max_age_s}"
    return ""


def batch_id(campaign: str, members: Sequence[tuple[str, int]]) -> str:
    """The same members make the same batch, whatever their order."""
    return digest("batch", campaign, *(f"{task}/{revision}" for task, revision in sorted(members)))


def requested_run(batch: Batch, campaign: Campaign, champion: str) -> RunUpdate | None:
    """The run that a batch asks for, from the champion on; None where the campaign wants none."""
    training = campaign.training
    if not training.auto or not training.base_model:
        return None
    run = digest("run", batch.batch)
    return RunUpdate(
        id=digest("run_update", run, "requested"),
        run=run,
        batch=batch.batch,
        status="requested",
        base_model=training.base_model,
        parent=champion,
        config=training.config,
        campaign=campaign.name,
        campaign_version=campaign.version,
        actor="coordinator",
        correlation=run,
        occurred_at=batch.occurred_at,
        ingested_at=batch.ingested_at,
    )


# ---------------------------------------------------------------- gather


def ready_of(sql: Connection, campaign: str, *, keeps_gold: bool = False) -> list[Ready]:
    """What the next batch of that campaign could hold, in the log's order; nothing that became gold, or will."""
    which = ~m.preferences.c.holdout & ~_in_a_batch()
    fresh = _decided(sql, campaign, which & ~adjudicated() if keeps_gold else which, limit=MOST_MEMBERS)
    tasks = m.tasks.c
    gold = set(sql.execute(select(tasks.task).where(tasks.campaign == campaign, tasks.gold.is_not(None))).scalars())
    fresh = [one for one in fresh if gold_id(one.task) not in gold] if gold else fresh
    held_out = _decided(sql, campaign, m.preferences.c.holdout, limit=MOST_HOLDOUT, newest_first=True)
    return [*fresh, *held_out]


def _decided(
    sql: Connection, campaign: str, which: ColumnElement[bool], *, limit: int, newest_first: bool = False
) -> list[Ready]:
    """Decided, closed, neither gold nor of a calibration round. A recorded task never closes: it counts as is."""
    preferences, tasks = m.preferences.c, m.tasks.c
    order = preferences.log_offset.desc() if newest_first else preferences.log_offset
    rows = sql.execute(
        select(preferences.task, preferences.revision, preferences.at, preferences.holdout, preferences.tags)
        .join(m.tasks, tasks.task == preferences.task)
        .where(
            preferences.campaign == campaign,
            preferences.verdict.is_not(None),
            ~preferences.gold,
            (tasks.status == "closed") | (tasks.mode == "recorded"),
            which,
        )
        .order_by(order)
        .limit(limit)
    )
    return [
        Ready(task=task, revision=revision, at=at, holdout=holdout)
        for task, revision, at, holdout, tags in rows
        if TAG not in tags
    ]


def _in_a_batch() -> ColumnElement[bool]:
    members, preferences = m.batch_members.c, m.preferences.c
    return (
        select(members.task).where(members.task == preferences.task, members.revision == preferences.revision).exists()
    )


# ---------------------------------------------------------------- apply


def cut_due(service: Service) -> list[Batch]:
    """Cuts a batch for every live campaign where one is due; recorded ones are cut by hand alone."""
    with service.database.connect() as sql:
        campaigns = [campaign for campaign in newest_campaigns(sql) if campaign.mode == "live"]
    batches = (_cut(service, campaign, by_hand=False) for campaign in campaigns)
    return [batch for batch in batches if batch is not None]


def cut_now(service: Service, name: str) -> Batch:
    """Cuts a batch of what is ready, however little; durable when it returns.

    Raises NotFoundError for an unknown campaign, ConflictError where nothing is ready, UnavailableError while
    the views are behind.
    """
    with service.database.connect() as sql:
        campaign = newest_campaign(sql, name)
        behind = not caught_up(sql, service.store, "batches")
    if campaign is None:
        raise NotFoundError(f"no campaign {name!r}", field="campaign", mend="GET /v1/campaigns lists them")
    if behind:
        raise UnavailableError("the views are still catching up with the log: try again in a moment")
    batch = _cut(service, campaign, by_hand=True)
    if batch is None:
        raise ConflictError(
            f"campaign {name!r} has no decided preference that is not in a batch yet",
            field="campaign",
            mend="wait until a task is closed; gold and held-out tasks do not count",
        )
    return batch


def _cut(service: Service, campaign: Campaign, *, by_hand: bool) -> Batch | None:
    """One at a time in the whole service: a cut must see the one before it."""
    with service.exclusive(f"batches of {campaign.name}"):
        return _cut_alone(service, campaign, by_hand=by_hand)


def _cut_alone(service: Service, campaign: Campaign, *, by_hand: bool) -> Batch | None:
    """Gathers, decides, appends batch and run in one transaction; None where no batch is to be cut (now)."""
    with snapshot(service.database) as sql:
        if not caught_up(sql, service.store, "batches"):
            return None  # what the last batch holds is not yet seen: the next tick will see it
        offsets, ready = places(sql), ready_of(sql, campaign.name, keeps_gold=campaign.gold.grow)
        plan = plan_batch(ready, campaign.training, service.clock(), campaign=campaign.name, by_hand=by_hand)
        if plan is None:
            return None
        evidence = evidence_on(sql, campaign.name, plan.tasks)
    batch = _batch_of(plan, campaign, offsets, refined(evidence, plan.tasks), service.clock())
    run = requested_run(batch, campaign, champion_of(promotions_of(service.store, campaign.name)))

    def append(transaction: Transaction) -> bool:
        if transaction.admit("batch", f"{campaign.name}/{offsets.get('batches', 0)}", batch.batch) != "new":
            return False  # another cut of the same moment came first
        transaction.append(batch)
        if run is not None:
            transaction.append(run)
        return True

    appended = service.log.submit(append).result()
    _log.info("batch cut", campaign=campaign.name, batch=batch.batch, size=len(batch.members), appended=appended)
    if appended and is_told():
        with service.database.connect() as sql:
            _log.debug("batch holds", batch=batch.batch, outputs=_outputs_of(sql, batch))
    return batch if appended else None


def _outputs_of(sql: Connection, batch: Batch) -> list[str]:
    """The outputs that a batch goes back to."""
    tasks, members = m.tasks.c, [task for task, _ in (*batch.members, *batch.holdout)]
    chunks = [members[start : start + ASKED_AT_ONCE] for start in range(0, len(members), ASKED_AT_ONCE)]
    found = [sql.execute(select(tasks.correlation).where(tasks.task.in_(chunk))).scalars() for chunk in chunks]
    return sorted({output for outputs in found for output in outputs})


def _batch_of(
    plan: BatchPlan, campaign: Campaign, offsets: dict[str, int], posteriors: tuple[Posterior | None, ...], now: int
) -> Batch:
    return Batch(
        id=digest("batch_cut", plan.batch, str(offsets.get("batches", 0))),
        batch=plan.batch,
        members=plan.members,
        holdout=plan.holdout,
        refined=posteriors,
        offsets={topic: offsets.get(topic, 0) for topic in READ_FROM},
        reason=plan.reason,
        campaign=campaign.name,
        campaign_version=campaign.version,
        actor="coordinator",
        occurred_at=now,
        ingested_at=now,
    )

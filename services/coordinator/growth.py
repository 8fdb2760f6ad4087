"""Gold grown from real tasks: one whose answer an adjudicator or a lead vouches for becomes a task of its own.

The gold task shows the same responses by reference, so that erasing the words erases both. The task that it came from
is never trained on from then on, and whoever judged that one is not given this one (services/api/handout.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec.structs import replace
from sqlalchemy import ColumnElement, Connection, Row, and_, select

from services.appending import appending_new
from services.bootstrap import Service
from services.coordinator.gather import snapshot
from services.store import models as m
from services.store.lives import task_of
from streams.engines.port import Transaction
from streams.errors import ConflictError
from streams.events import Campaign, Choice, Task, digest

MOST_AT_ONCE = 200  # tasks that become gold in a tick


# ---------------------------------------------------------------- decide


def gold_id(task: str) -> str:
    """The id of the gold task that this task becomes."""
    return digest("gold", task)


def grown(task: Task, answer: Choice, *, actor: str, now: int) -> Task:
    """The gold task with that known answer; `now` in ms."""
    return replace(
        task,
        id=gold_id(task.task),
        task=gold_id(task.task),
        gold=answer,
        zero_tolerance=False,
        actor=actor,
        occurred_at=now,
        ingested_at=now,
    )


# ---------------------------------------------------------------- gather


def adjudicated() -> ColumnElement[bool]:
    """Preferences that an adjudicator decided for one side: clear enough to become gold."""
    return and_(m.preferences.c.reached == "adjudicated", m.preferences.c.verdict.in_(("a", "b")))


def candidates(sql: Connection, campaign: str, *which: ColumnElement[bool], limit: int = MOST_AT_ONCE) -> list[Row]:  # type: ignore[type-arg]
    """Tasks (with their `verdict`) that may become gold, oldest first: decided, never trained on, not gold already."""
    tasks, preferences, members = m.tasks.c, m.preferences.c, m.batch_members.c
    gold = set(sql.execute(select(tasks.task).where(tasks.campaign == campaign, tasks.gold.is_not(None))).scalars())
    trained = select(members.task).where(members.task == tasks.task, ~members.holdout)
    rows = sql.execute(
        select(m.tasks, preferences.verdict)
        .join(m.preferences, preferences.task == tasks.task)
        .where(tasks.campaign == campaign, tasks.mode == "live", tasks.status == "closed", tasks.gold.is_(None))
        .where(preferences.verdict.in_(("a", "b")), ~tasks.holdout, ~trained.exists(), *which)
        .order_by(tasks.log_offset)
    )
    return [row for row in rows if gold_id(row.task) not in gold][:limit]


def answers_known(sql: Connection, annotator: str, campaigns: Sequence[str]) -> list[str]:
    """Gold tasks that grew from tasks of these campaigns which the annotator has judged: they know those."""
    judgments, tasks = m.judgments.c, m.tasks.c
    judged = select(judgments.task).where(judgments.annotator == annotator, judgments.campaign.in_(campaigns))
    of_gold = select(tasks.task).where(tasks.campaign.in_(campaigns), tasks.gold.is_not(None))
    gold = set(sql.execute(of_gold).scalars())
    return [name for task in sql.execute(judged).scalars() if (name := gold_id(task)) in gold]


def origins_of(sql: Connection, campaign: str) -> dict[str, str]:
    """Gold task -> the decided task that it grew from. Both belong to the same output, and so to one correlation."""
    tasks = m.tasks.c
    here = tasks.campaign == campaign
    gold = set(sql.execute(select(tasks.task).where(here, tasks.gold.is_not(None))).scalars())
    related = select(tasks.correlation).where(here, tasks.gold.is_not(None))
    kin = select(tasks.task).where(here, tasks.gold.is_(None), tasks.correlation.in_(related))
    return {name: task for task in sql.execute(kin).scalars() if (name := gold_id(task)) in gold}


# ---------------------------------------------------------------- apply


def grow(service: Service, campaign: Campaign) -> int:
    """Makes gold of what adjudicators decided; how many tasks became gold."""
    with snapshot(service.database) as sql:
        found = candidates(sql, campaign.name, adjudicated())
    now = service.clock()
    events = [grown(task_of(row), row.verdict, actor="coordinator", now=now) for row in found]
    return service.log.submit(_becoming_gold(events)).result() if events else 0


def accept(service: Service, campaign: str, task: str, *, by: str) -> Task:
    """A lead makes gold of one decided task. ConflictError where that cannot be."""
    with snapshot(service.database) as sql:
        found = candidates(sql, campaign, m.tasks.c.task == task)
    if not found:
        raise ConflictError(
            f"task {task[:80]!r} cannot become gold",
            field="task",
            mend="it must be decided for a or b, not held out, in no batch, and not gold already",
        )
    event = grown(task_of(found[0]), found[0].verdict, actor=by, now=service.clock())
    service.log.submit(_becoming_gold([event])).result()
    return event


def _becoming_gold(events: Sequence[Task]) -> Callable[[Transaction], int]:
    """A task becomes gold once."""
    return appending_new("gold", events, lambda event: (event.task, str(event.gold)))

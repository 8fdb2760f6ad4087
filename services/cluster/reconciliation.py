"""The backstop behind the stages: a judgment without an assessment is seen in SQL, told, and appended again.

Judgments reach SQL by the materializer, past Faust. So one that the stages missed, whatever the reason, stands there
unassessed while nothing lags. Appended again it is a double to whoever had it; each is tried a few times, for one that
the stage cannot use has a dead letter and will never be assessed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import structlog
from sqlalchemy import Engine, select

from services.appending import appending
from services.bootstrap import Writing
from services.store import models as m
from services.store.database import outages
from streams.engines.kafka_reader import KafkaReader
from streams.engines.kafka_topics import Layout
from streams.errors import DecodeError
from streams.events import Judgment

OVERDUE_MS = 60_000  # after which a judgment should have its assessment; also the time between two looks
MOST = 200  # of one look
TRIES = 3
_log = structlog.get_logger("reconciliation")

Missing = tuple[str, str]  # judgment and annotator


class Reconciler:
    """Call `tick` as often as you like. `find` brings judgments out of the log."""

    def __init__(
        self,
        *,
        database: Engine,
        log: Writing,
        lag: Callable[[], Mapping[str, int]],
        find: Callable[[Sequence[Missing]], list[Judgment]],
        clock: Callable[[], int],
    ) -> None:
        self._database = database
        self._writer = log
        self._lag = lag
        self._find = find
        self._clock = clock
        self._look_at = 0
        self._tries: Counter[str] = Counter()
        self.appended = 0  # since the start: alarm when it grows

    def tick(self) -> None:
        """Looks, when it is time."""
        now = self._clock()
        if now < self._look_at:
            return
        self._look_at = now + OVERDUE_MS
        overdue = [one for one in overdue_judgments(self._database, now - OVERDUE_MS) if self._tries[one[0]] < TRIES]
        if overdue and not any(self._lag().values()):  # a backlog is no loss
            self._append(overdue)

    def _append(self, overdue: Sequence[Missing]) -> None:
        found = self._find(overdue)
        _log.error("judgments without an assessment: appended again", judgments=[x.judgment for x in found])
        self._writer.submit(appending(found)).result()
        self._tries.update(judgment for judgment, _ in overdue)
        self.appended += len(found)


def overdue_judgments(database: Engine, before: int) -> list[Missing]:
    """The oldest that came before that time (ms) and have no assessment yet."""
    judgment = m.judgments.c
    query = (
        select(judgment.judgment, judgment.annotator)
        .where(judgment.assessed.is_(False), judgment.ingested_at > 0, judgment.ingested_at < before)
        .order_by(judgment.ingested_at)
        .limit(MOST)
    )
    with outages(), database.connect() as sql:
        return [(row.judgment, row.annotator) for row in sql.execute(query)]


def judgments_in(reader: KafkaReader, layout: Layout, wanted: Sequence[Missing]) -> list[Judgment]:
    """The first copy of each in the log. Reads the whole partitions of their annotators: rare, and seconds."""
    topic = layout.home("judgments").name
    partitions = {layout.place("judgments", annotator)[2] for _, annotator in wanted}
    left, found = {judgment for judgment, _ in wanted}, []
    for delivery in reader.all(layout.full_name(topic)):
        if delivery.partition not in partitions or not left:
            continue
        try:
            event = layout.record(topic, delivery.partition, delivery.offset, delivery.key, delivery.payload).event
        except DecodeError:
            continue  # the stage has buried it
        if isinstance(event, Judgment) and event.judgment in left:
            left.discard(event.judgment)
            found.append(event)
    return found

"""What the coordinator's decisions are made from: reads of the views, and how far the views had come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec
from sqlalchemy import Connection, func, select, text

from services.store import models as m
from services.store.cluster_tables import REACHED
from services.store.database import snapshot as snapshot  # its readers gather with it
from services.store.projection import Views
from streams.engines.port import Record
from streams.events import Campaign


class LogReader(Protocol):
    """The reading half of streams.engines.port.Log."""

    def read(self, topic: str, start: int = 0, limit: int = 1000) -> Sequence[Record]:
        """Records of the topic from offset `start` on, in order."""
        ...

    def end(self, topic: str) -> int:
        """The offset after the last record of the topic."""
        ...


def places(sql: Connection) -> dict[str, int]:
    """Topic -> offset after the last event that the views have folded, in this connection's snapshot."""
    name = REACHED if sql.dialect.name == "postgresql" else Views.name
    rows = sql.execute(text("SELECT topic, next_offset FROM engine_offsets WHERE consumer = :name"), {"name": name})
    return {str(topic): int(place) for topic, place in rows}


def caught_up(sql: Connection, log: LogReader, *topics: str) -> bool:
    """Whether the views hold every event of these topics: a decision on older rows could be made twice."""
    reached = places(sql)
    return all(reached.get(topic, 0) >= log.end(topic) for topic in topics)


def newest_campaigns(sql: Connection) -> list[Campaign]:
    """The newest version of every campaign, by name."""
    newest = select(m.campaigns.c.name, func.max(m.campaigns.c.version).label("version")).group_by(m.campaigns.c.name)
    latest = newest.subquery()
    rows = sql.execute(
        select(m.campaigns.c.definition)
        .join(latest, (m.campaigns.c.name == latest.c.name) & (m.campaigns.c.version == latest.c.version))
        .order_by(m.campaigns.c.name)
    )
    return [msgspec.convert(definition, Campaign) for (definition,) in rows]


def newest_campaign(sql: Connection, name: str) -> Campaign | None:
    """The newest version of that campaign, or None."""
    table = m.campaigns
    row = sql.execute(
        select(table.c.definition).where(table.c.name == name).order_by(table.c.version.desc()).limit(1)
    ).fetchone()
    return msgspec.convert(row[0], Campaign) if row else None

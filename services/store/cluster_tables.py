"""The SQL tables that only a cluster has: what one machine's log file holds beside the views, and how far readers are.

Made by the migrations, like everything in PostgreSQL. Times are ms since 1970 UTC.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, MetaData, String, Table

metadata = MetaData()

admissions = Table(  # a fact: lives here alone
    "admissions",
    metadata,
    Column("kind", String, primary_key=True),
    Column("identity", String, primary_key=True),
    Column("content_hash", String, nullable=False),
    Column("confirmed", Boolean, nullable=False),  # what it admitted is known to be in the log
    Column("at", BigInteger, nullable=False),
)

texts = Table(  # a view: the newest words of each owner, as the log holds them
    "texts",
    metadata,
    Column("owner", String, primary_key=True),
    Column("payload", LargeBinary, nullable=False),
)

kept_events = Table(  # a view: topics that are read by place, in the order of folding
    "kept_events",
    metadata,
    Column("topic", String, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("key", String, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Index("kept_events_by_key", "topic", "key"),
)

engine_offsets = Table(  # how far a reader of the log has come
    "engine_offsets",
    metadata,
    Column("consumer", String, primary_key=True),
    Column("topic", String, primary_key=True),  # a Kafka topic, without prefix
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("next_offset", BigInteger, nullable=False),
)

engine_origins = Table(  # the newest origin folded of each source, so that an event that was sent twice is folded once
    "engine_origins",
    metadata,
    Column("consumer", String, primary_key=True),
    Column("topic", String, primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("source", String, primary_key=True),  # see streams.engines.guarded.source_of
    Column("source_offset", BigInteger, nullable=False),
    Column("ordinal", Integer, nullable=False),
)

# Consumers in engine_offsets beside the views' own, which names Kafka partitions:
REACHED = "views reached"  # by topic of ours: the log_offset after the last one folded, as one machine's places are
COUNTED = "counted"  # by topic of ours: events folded, doubles left out
MIGRATED = "migration"  # by Kafka partition: where what a migration brought ends

KEPT = frozenset(  # topics of many partitions that somebody reads from the beginning, in kept_events
    {
        "preferences",  # older revisions
        "singles",  # what waits for a partner
        "priors",  # what the crowd's members were told last
    }
)
VIEWS = (texts, kept_events)
PLACES = (engine_offsets, engine_origins)

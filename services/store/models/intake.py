"""What comes in from outside, and what could not be used."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, String, Table, Text

from services.store.models.columns import flag, identity, metadata, number, real, string

campaigns = Table(
    "campaigns",
    metadata,
    identity("name"),
    Column("version", BigInteger, primary_key=True),
    string("mode"),
    Column("definition", JSON, nullable=False),  # the Campaign event
    string("actor"),
    number("created_at"),
)

outputs = Table(
    "outputs",
    metadata,
    identity("output"),
    string("campaign"),
    string("prompt_digest"),
    number("prompt_length"),
    Column("responses", JSON, nullable=False),
    Column("tags", JSON, nullable=False),
    flag("sampled"),
    flag("holdout"),
    Column("gold", String, nullable=True),
    string("trace"),
    number("occurred_at"),
    number("ingested_at"),
    number("log_offset"),
)

signals = Table(
    "signals",
    metadata,
    identity("signal"),
    string("output"),
    string("campaign"),
    string("kind"),
    Column("position", BigInteger, nullable=True),
    real("value"),
    number("occurred_at"),
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("log_offset", BigInteger, primary_key=True, autoincrement=False),
    string("topic"),
    number("source_offset"),
    string("key"),
    string("stage"),
    string("reason"),
    Column("payload", Text, nullable=False),  # as text, undecodable bytes escaped
    number("at"),
)

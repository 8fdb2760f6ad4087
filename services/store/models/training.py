"""Datasets, runs, models, and what became of them."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Float, Index, Table

from services.store.models.columns import flag, identity, metadata, number, string

scores = Table(  # what reward models say of tasks that they were not trained on
    "scores",
    metadata,
    identity("task"),
    identity("model"),
    Column("probability", Float, nullable=False),  # that canonical a is better
    number("at"),
)

batches = Table(
    "batches",
    metadata,
    identity("batch"),
    string("campaign"),
    Column("size", BigInteger, nullable=False, default=0),
    Column("holdout_size", BigInteger, nullable=False, default=0),
    Column("definition", JSON, nullable=False),  # the Batch event
    string("reason"),
    number("at"),
)

batch_members = Table(
    "batch_members",
    metadata,
    identity("batch"),
    identity("task"),
    Column("revision", BigInteger, nullable=False),
    flag("holdout"),
    Index("batch_members_by_task", "task"),
)

runs = Table(
    "runs",
    metadata,
    identity("run"),
    string("campaign"),
    string("batch"),
    string("status"),
    string("trainer"),
    string("base_model"),
    string("parent"),
    Column("config", JSON, nullable=False),
    string("stage"),
    Column("step", BigInteger, nullable=False, default=0),
    Column("steps", BigInteger, nullable=False, default=0),
    Column("metrics", JSON, nullable=False),
    string("error"),
    number("requested_at"),
    number("updated_at"),
)

run_metrics = Table(  # the curves
    "run_metrics",
    metadata,
    identity("run"),
    identity("stage"),
    Column("step", BigInteger, primary_key=True),
    Column("metrics", JSON, nullable=False),
    number("at"),
)

models = Table(
    "models",
    metadata,
    identity("model"),
    string("campaign"),
    string("run"),
    string("batch"),
    string("parent"),
    string("uri"),
    string("status", "candidate"),  # candidate, champion, retired, rejected
    Column("report", JSON, nullable=False),
    Column("manifest", JSON, nullable=False),
    number("at"),
)

promotions = Table(
    "promotions",
    metadata,
    identity("event"),
    string("campaign"),
    string("model"),
    string("decision"),
    string("previous"),
    Column("reasons", JSON, nullable=False),
    flag("override"),
    string("by"),
    number("at"),
)

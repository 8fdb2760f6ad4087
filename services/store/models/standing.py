"""Where annotators stand, and why."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Float, Index, Table

from services.store.models.columns import flag, identity, metadata, number, real, string

standings = Table(  # the newest standing and reliability of each annotator
    "standings",
    metadata,
    identity("annotator"),
    string("standing", "active"),
    Column("standing_weight", Float, nullable=False, default=1.0),
    number("since"),
    string("by"),
    string("reason"),
    string("event"),  # the Standing event's id
    real("accuracy"),
    real("accuracy_low"),
    real("accuracy_high"),
    real("side_bias"),
    real("side_bias_low"),
    real("side_bias_high"),
    real("tie_rate"),
    real("tie_rate_low"),
    real("tie_rate_high"),
    Column("judgments", BigInteger, nullable=False, default=0),
    real("evidence"),
    number("last_judgment_at"),
)

standing_history = Table(
    "standing_history",
    metadata,
    identity("event"),
    string("annotator"),
    string("standing"),
    number("since"),
    string("by"),
    string("reason"),
    string("alert"),
    flag("enforced"),
    number("at"),
    Index("standing_history_by_annotator", "annotator"),
)

appeals = Table(
    "appeals",
    metadata,
    identity("appeal"),
    string("annotator"),
    string("standing"),  # the event appealed against: open as long as that one is in force
    number("length"),
    number("at"),
    number("log_offset"),
    Index("appeals_by_annotator", "annotator"),
)

alerts = Table(
    "alerts",
    metadata,
    identity("alert"),
    string("annotator"),
    string("campaign"),
    string("hypothesis"),
    Column("evidence", JSON, nullable=False),
    number("since"),
    real("false_alarm_rate"),
    string("judgment"),
    flag("enforced"),
    number("at"),
    number("log_offset"),
)

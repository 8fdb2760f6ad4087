"""What people are asked, what they said, and what it came to."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Boolean, Column, Float, Index, String, Table, text

from services.store.models.columns import flag, identity, metadata, number, real, string

tasks = Table(
    "tasks",
    metadata,
    identity("task"),
    string("campaign"),
    Column("campaign_version", BigInteger, nullable=False, default=1),
    string("prompt_digest"),
    number("prompt_length"),
    Column("a", JSON, nullable=False),  # a Candidate
    Column("b", JSON, nullable=False),
    Column("tags", JSON, nullable=False),
    Column("skills", JSON, nullable=False),
    Column("priority", BigInteger, nullable=False, default=0),
    Column("overlap", BigInteger, nullable=False, default=0),
    Column("slots_wanted", BigInteger, nullable=False, default=0),
    Column("counted", BigInteger, nullable=False, default=0),  # judgments counted so far
    Column("target_posterior", Float, nullable=False, default=0.9),
    Column("min_judgments", BigInteger, nullable=False, default=1),
    Column("overlap_cap", BigInteger, nullable=False, default=7),
    flag("zero_tolerance"),
    string("mode", "live"),
    string("status", "open"),  # open, escalated, closed
    flag("vetoed"),
    flag("holdout"),
    Column("gold", String, nullable=True),
    string("correlation"),
    number("created_at"),
    number("updated_at"),  # of the newest task update; 0: none yet
    number("log_offset"),
    Index("tasks_by_status", "status", "campaign"),
)

assignments = Table(
    "assignments",
    metadata,
    identity("task"),
    identity("annotator"),
    string("kind"),  # granted, skipped, expired, judged
    Column("slot", BigInteger, nullable=False, default=0),
    string("role", "annotator"),
    flag("swapped"),
    number("lease_until"),
    string("reason"),
    number("at"),
    Index("assignments_by_annotator", "annotator"),
)

judgments = Table(
    "judgments",
    metadata,
    identity("judgment"),
    string("task"),
    string("annotator"),
    string("campaign"),
    Column("revision", BigInteger, nullable=False, default=1),
    string("choice"),
    flag("swapped"),
    Column("strength", BigInteger, nullable=True),
    Column("marks", JSON, nullable=False),
    Column("flags", JSON, nullable=False),
    string("reason_sketch"),
    string("role", "annotator"),
    Column("gold", String, nullable=True),
    number("length_a"),
    number("length_b"),
    flag("late"),
    flag("withdrawn"),
    number("withdrawn_at"),  # ms; 0 where it is not, or was folded before there was this column
    number("shown_at"),
    number("answered_at"),
    number("ingested_at"),
    number("log_offset"),
    # filled by the assessment
    Column("assessed", Boolean, nullable=False, default=False),
    real("weight"),
    real("accuracy"),
    Column("reliability", JSON, nullable=True),  # what was known of the annotator, whole
    Column("checks", JSON, nullable=True),
    # filled by the agreement
    real("agreement"),  # leave-one-out probability of the choice
    Index("judgments_by_task", "task"),
    Index("judgments_by_annotator", "annotator", "answered_at"),
    Index("judgments_by_offset", "log_offset"),
    Index("judgments_withdrawn", "task", sqlite_where=text("withdrawn"), postgresql_where=text("withdrawn")),
)

preferences = Table(  # the newest revision of each task's preference
    "preferences",
    metadata,
    identity("task"),
    string("campaign"),
    Column("revision", BigInteger, nullable=False, default=1),
    Column("verdict", String, nullable=True),
    real("p_a"),
    real("p_b"),
    real("p_tie"),
    string("reached"),
    Column("judgments", JSON, nullable=False),
    string("prompt_digest"),
    Column("tags", JSON, nullable=False),
    flag("holdout"),
    flag("gold"),
    number("at"),
    number("log_offset"),
    Index("preferences_by_offset", "log_offset"),
    Index("preferences_by_campaign", "campaign", "at"),
)

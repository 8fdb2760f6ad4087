"""The SQL tables, in SQLAlchemy Core, the same for SQLite and PostgreSQL.

`VIEWS` are folded from the log by services/store/projection.py: drop them, fold again, and they come back
equal. `FACTS` (keys, annotators' names) live in SQL alone, like the admission index, which the log of one machine
keeps beside itself and a cluster in cluster_tables.py. Times are ms since 1970 UTC.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    MetaData,
    String,
    Table,
    Text,
    column,
    table,
    text,
)

metadata = MetaData()


def _id(name: str) -> Column[str]:
    return Column(name, String, primary_key=True)


def _text(name: str, default: str = "") -> Column[str]:
    return Column(name, Text, nullable=False, default=default)


def _number(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, default=0)


def _real(name: str) -> Column[float]:
    return Column(name, Float, nullable=True)


def _flag(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False, default=False)


campaigns = Table(
    "campaigns",
    metadata,
    _id("name"),
    Column("version", BigInteger, primary_key=True),
    _text("mode"),
    Column("definition", JSON, nullable=False),  # the Campaign event
    _text("actor"),
    _number("created_at"),
)

outputs = Table(
    "outputs",
    metadata,
    _id("output"),
    _text("campaign"),
    _text("prompt_digest"),
    _number("prompt_length"),
    Column("responses", JSON, nullable=False),
    Column("tags", JSON, nullable=False),
    _flag("sampled"),
    _flag("holdout"),
    Column("gold", String, nullable=True),
    _text("trace"),
    _number("occurred_at"),
    _number("ingested_at"),
    _number("log_offset"),
)

signals = Table(
    "signals",
    metadata,
    _id("signal"),
    _text("output"),
    _text("campaign"),
    _text("kind"),
    Column("position", BigInteger, nullable=True),
    _real("value"),
    _number("occurred_at"),
)

tasks = Table(
    "tasks",
    metadata,
    _id("task"),
    _text("campaign"),
    Column("campaign_version", BigInteger, nullable=False, default=1),
    _text("prompt_digest"),
    _number("prompt_length"),
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
    _flag("zero_tolerance"),
    _text("mode", "live"),
    _text("status", "open"),  # open, escalated, closed
    _flag("vetoed"),
    _flag("holdout"),
    Column("gold", String, nullable=True),
    _text("correlation"),
    _number("created_at"),
    _number("log_offset"),
    Index("tasks_by_status", "status", "campaign"),
)

assignments = Table(
    "assignments",
    metadata,
    _id("task"),
    _id("annotator"),
    _text("kind"),  # granted, skipped, expired, judged
    Column("slot", BigInteger, nullable=False, default=0),
    _text("role", "annotator"),
    _flag("swapped"),
    _number("lease_until"),
    _text("reason"),
    _number("at"),
    Index("assignments_by_annotator", "annotator"),
)

judgments = Table(
    "judgments",
    metadata,
    _id("judgment"),
    _text("task"),
    _text("annotator"),
    _text("campaign"),
    Column("revision", BigInteger, nullable=False, default=1),
    _text("choice"),
    _flag("swapped"),
    Column("strength", BigInteger, nullable=True),
    Column("marks", JSON, nullable=False),
    Column("flags", JSON, nullable=False),
    _text("reason_sketch"),
    _text("role", "annotator"),
    Column("gold", String, nullable=True),
    _number("length_a"),
    _number("length_b"),
    _flag("late"),
    _flag("withdrawn"),
    _number("shown_at"),
    _number("answered_at"),
    _number("ingested_at"),
    _number("log_offset"),
    # filled by the assessment
    Column("assessed", Boolean, nullable=False, default=False),
    _real("weight"),
    _real("accuracy"),
    Column("reliability", JSON, nullable=True),  # what was known of the annotator, whole
    Column("checks", JSON, nullable=True),
    # filled by the agreement
    _real("agreement"),  # leave-one-out probability of the choice
    Index("judgments_by_task", "task"),
    Index("judgments_by_annotator", "annotator", "answered_at"),
    Index("judgments_by_offset", "log_offset"),
    Index("judgments_withdrawn", "task", sqlite_where=text("withdrawn"), postgresql_where=text("withdrawn")),
)

standings = Table(  # the newest standing and reliability of each annotator
    "standings",
    metadata,
    _id("annotator"),
    _text("standing", "active"),
    Column("standing_weight", Float, nullable=False, default=1.0),
    _number("since"),
    _text("by"),
    _text("reason"),
    _text("event"),  # the Standing event's id
    _real("accuracy"),
    _real("accuracy_low"),
    _real("accuracy_high"),
    _real("side_bias"),
    _real("tie_rate"),
    Column("judgments", BigInteger, nullable=False, default=0),
    _real("evidence"),
    _number("last_judgment_at"),
)

standing_history = Table(
    "standing_history",
    metadata,
    _id("event"),
    _text("annotator"),
    _text("standing"),
    _number("since"),
    _text("by"),
    _text("reason"),
    _text("alert"),
    _flag("enforced"),
    _number("at"),
    Index("standing_history_by_annotator", "annotator"),
)

appeals = Table(
    "appeals",
    metadata,
    _id("appeal"),
    _text("annotator"),
    _text("standing"),  # the event appealed against: open as long as that one is in force
    _number("length"),
    _number("at"),
    _number("log_offset"),
    Index("appeals_by_annotator", "annotator"),
)

alerts = Table(
    "alerts",
    metadata,
    _id("alert"),
    _text("annotator"),
    _text("campaign"),
    _text("hypothesis"),
    Column("evidence", JSON, nullable=False),
    _number("since"),
    _real("false_alarm_rate"),
    _text("judgment"),
    _flag("enforced"),
    _number("at"),
    _number("log_offset"),
)

preferences = Table(  # the newest revision of each task's preference
    "preferences",
    metadata,
    _id("task"),
    _text("campaign"),
    Column("revision", BigInteger, nullable=False, default=1),
    Column("verdict", String, nullable=True),
    _real("p_a"),
    _real("p_b"),
    _real("p_tie"),
    _text("reached"),
    Column("judgments", JSON, nullable=False),
    _text("prompt_digest"),
    Column("tags", JSON, nullable=False),
    _flag("holdout"),
    _flag("gold"),
    _number("at"),
    _number("log_offset"),
    Index("preferences_by_offset", "log_offset"),
    Index("preferences_by_campaign", "campaign", "at"),
)

scores = Table(  # what reward models say of tasks that they were not trained on
    "scores",
    metadata,
    _id("task"),
    _id("model"),
    Column("probability", Float, nullable=False),  # that canonical a is better
    _number("at"),
)

batches = Table(
    "batches",
    metadata,
    _id("batch"),
    _text("campaign"),
    Column("size", BigInteger, nullable=False, default=0),
    Column("holdout_size", BigInteger, nullable=False, default=0),
    Column("definition", JSON, nullable=False),  # the Batch event
    _text("reason"),
    _number("at"),
)

batch_members = Table(
    "batch_members",
    metadata,
    _id("batch"),
    _id("task"),
    Column("revision", BigInteger, nullable=False),
    _flag("holdout"),
    Index("batch_members_by_task", "task"),
)

runs = Table(
    "runs",
    metadata,
    _id("run"),
    _text("campaign"),
    _text("batch"),
    _text("status"),
    _text("trainer"),
    _text("base_model"),
    _text("parent"),
    Column("config", JSON, nullable=False),
    _text("stage"),
    Column("step", BigInteger, nullable=False, default=0),
    Column("steps", BigInteger, nullable=False, default=0),
    Column("metrics", JSON, nullable=False),
    _text("error"),
    _number("requested_at"),
    _number("updated_at"),
)

run_metrics = Table(  # the curves
    "run_metrics",
    metadata,
    _id("run"),
    _id("stage"),
    Column("step", BigInteger, primary_key=True),
    Column("metrics", JSON, nullable=False),
    _number("at"),
)

models = Table(
    "models",
    metadata,
    _id("model"),
    _text("campaign"),
    _text("run"),
    _text("batch"),
    _text("parent"),
    _text("uri"),
    _text("status", "candidate"),  # candidate, champion, retired, rejected
    Column("report", JSON, nullable=False),
    Column("manifest", JSON, nullable=False),
    _number("at"),
)

promotions = Table(
    "promotions",
    metadata,
    _id("event"),
    _text("campaign"),
    _text("model"),
    _text("decision"),
    _text("previous"),
    Column("reasons", JSON, nullable=False),
    _flag("override"),
    _text("by"),
    _number("at"),
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("log_offset", BigInteger, primary_key=True, autoincrement=False),
    _text("topic"),
    _number("source_offset"),
    _text("key"),
    _text("stage"),
    _text("reason"),
    Column("payload", Text, nullable=False),  # as text, undecodable bytes escaped
    _number("at"),
)

VIEWS = (
    campaigns,
    outputs,
    signals,
    tasks,
    assignments,
    judgments,
    standings,
    standing_history,
    appeals,
    alerts,
    preferences,
    scores,
    batches,
    batch_members,
    runs,
    run_metrics,
    models,
    promotions,
    dead_letters,
)

# ---------------------------------------------------------------- facts that live in SQL alone

admissions = table("admissions", column("kind"), column("identity"), column("content_hash"))  # the log makes it

keys = Table(
    "keys",
    metadata,
    _id("key_id"),
    Column("secret_hash", String, nullable=False),  # sha256 of the random secret; never the secret
    _text("role"),
    _text("annotator"),  # the opaque id in the log, for roles that judge
    _text("name"),
    _number("created_at"),
    _number("revoked_at"),  # 0: in force
)

annotators = Table(
    "annotators",
    metadata,
    _id("annotator"),
    _text("name"),  # the person
    Column("skills", JSON, nullable=False),
    _number("created_at"),
)

annotator_attributes = Table(  # vendor, cohort, source: what quality is sliced by
    "annotator_attributes",
    metadata,
    _id("annotator"),
    _id("name"),
    _text("value"),
)

FACTS = (keys, annotators, annotator_attributes)

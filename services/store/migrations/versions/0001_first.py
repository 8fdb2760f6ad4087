"""first."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """To this version."""
    op.create_table(
        "alerts",
        sa.Column("alert", sa.String(), nullable=False),
        sa.Column("annotator", sa.Text(), nullable=False),
        sa.Column("campaign", sa.Text(), nullable=False),
        sa.Column("hypothesis", sa.Text(), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("false_alarm_rate", sa.Float(), nullable=True),
        sa.Column("judgment", sa.Text(), nullable=False),
        sa.Column("enforced", sa.Boolean(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("log_offset", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("alert"),
    )
    op.create_table(
        "annotators",
        sa.Column("annotator", sa.String(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("skills", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("annotator"),
    )
    op.create_table(
        "assignments",
        sa.Column("task", sa.String(), nullable=False),
        sa.Column("annotator", sa.String(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("slot", sa.BigInteger(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("swapped", sa.Boolean(), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("task", "annotator"),
    )
    op.create_index("assignments_by_annotator", "assignments", ["annotator"], unique=False)
    op.create_table(
        "batch_members",
        sa.Column("batch", sa.String(), nullable=False),
        sa.Column("task", sa.String(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("holdout", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("batch", "task"),
    )
    op.create_index("batch_members_by_task", "batch_members", ["task"], unique=False)
    op.create_table(
        "batches",
        sa.Column("batch", sa.String(), nullable=False),
        sa.Column("campaign", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("holdout_size", sa.BigInteger(), nullable=False),
        sa.Column("definition", sa.JSON(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("batch"),
    )
    op.create_table(
        "campaigns",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("definition", sa.JSON(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", "version"),
    )
    op.create_table(
        "dead_letters",
        sa.Column("log_offset", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("source_offset", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("log_offset"),
    )
    op.create_table(
        "judgments",
        sa.Column("judgment", sa.String(), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("annotator", sa.Text(), nullable=False),
        sa.Column("campaign", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("choice", sa.Text(), nullable=False),
        sa.Column("swapped", sa.Boolean(), nullable=False),
        sa.Column("strength", sa.BigInteger(), nullable=True),
        sa.Column("marks", sa.JSON(), nullable=False),
        sa.Column("flags", sa.JSON(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("gold", sa.String(), nullable=True),
        sa.Column("length_a", sa.BigInteger(), nullable=False),
        sa.Column("length_b", sa.BigInteger(), nullable=False),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.Column("withdrawn", sa.Boolean(), nullable=False),
        sa.Column("shown_at", sa.BigInteger(), nullable=False),
        sa.Column("answered_at", sa.BigInteger(), nullable=False),
        sa.Column("ingested_at", sa.BigInteger(), nullable=False),
        sa.Column("log_offset", sa.BigInteger(), nullable=False),
        sa.Column("assessed", sa.Boolean(), nullable=False),
        sa.Column("weight", sa.Float(), nullable=True),
        sa.Column("accuracy", sa.Float(), nullable=True),
        sa.Column("reliability", sa.JSON(), nullable=True),
        sa.Column("checks", sa.JSON(), nullable=True),
        sa.Column("agreement", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("judgment"),
    )
    op.create_index("judgments_by_annotator", "judgments", ["annotator", "answered_at"], unique=False)
    op.create_index("judgments_by_offset", "judgments", ["log_offset"], unique=False)
    op.create_index("judgments_by_task", "judgments", ["task"], unique=False)
    op.create_index(
        "judgments_withdrawn",
        "judgments",
        ["task"],
        unique=False,
        sqlite_where=sa.text("withdrawn"),
        postgresql_where=sa.text("withdrawn"),
    )
    op.create_table(
        "keys",
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("secret_hash", sa.String(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("annotator", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key_id"),
    )
    op.create_table(
        "models",
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("campaign", sa.Text(), nullable=False),
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("batch", sa.Text(), nullable=False),
        sa.Column("parent", sa.Text(), nullable=False),
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("report", sa.JSON(), nullable=False),
        sa.Column("manifest", sa.JSON(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("model"),
    )
    op.create_table(
        "outputs",
        sa.Column("output", sa.String(), nullable=False),
        sa.Column("campaign", sa.Text(), nullable=False),
        sa.Column("prompt_digest", sa.Text(), nullable=False),
        sa.Column("prompt_length", sa.BigInteger(), nullable=False),
        sa.Column("responses", sa.JSON(), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("sampled", sa.Boolean(), nullable=False),
        sa.Column("holdout", sa.Boolean(), nullable=False),
        sa.Column("gold", sa.String(), nullable=True),
        sa.Column("trace", sa.Text(), nullable=False),
        sa.Column("occurred_at", sa.BigInteger(), nullable=False),
        sa.Column("ingested_at", sa.BigInteger(), nullable=False),
        sa.Column("log_offset", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("output"),
    )
    op.create_table(
        "preferences",
        sa.Column("task", sa.String(), nullable=False),
        sa.Column("campaign", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=True),
        sa.Column("p_a", sa.Float(), nullable=True),
        sa.Column("p_b", sa.Float(), nullable=True),
        sa.Column("p_tie", sa.Float(), nullable=True),
        sa.Column("reached", sa.Text(), nullable=False),
        sa.Column("judgments", sa.JSON(), nullable=False),
        sa.Column("prompt_digest", sa.Text(), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("holdout", sa.Boolean(), nullable=False),
        sa.Column("gold", sa.Boolean(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("log_offset", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("task"),
    )
    op.create_index("preferences_by_campaign", "preferences", ["campaign", "at"], unique=False)
    op.create_index("preferences_by_offset", "preferences", ["log_offset"], unique=False)
    op.create_table(
        "promotions",
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("campaign", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("previous", sa.Text(), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("override", sa.Boolean(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("event"),
    )
    op.create_table(
        "run_metrics",
        sa.Column("run", sa.String(), nullable=False),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("metrics", sa.JSON(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("run", "stage", "step"),
    )
    op.create_table(
        "runs",
        sa.Column("run", sa.String(), nullable=False),
        sa.Column("campaign", sa.Text(), nullable=False),
        sa.Column("batch", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("trainer", sa.Text(), nullable=False),
        sa.Column("base_model", sa.Text(), nullable=False),
        sa.Column("parent", sa.Text(), nullable=False),
        sa.Column("config", sa.JSON(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("steps", sa.BigInteger(), nullable=False),
        sa.Column("metrics", sa.JSON(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("requested_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("run"),
    )
    op.create_table(
        "signals",
        sa.Column("signal", sa.String(), nullable=False),
        sa.Column("output", sa.Text(), nullable=False),
        sa.Column("campaign", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("occurred_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("signal"),
    )
    op.create_table(
        "standing_history",
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("annotator", sa.Text(), nullable=False),
        sa.Column("standing", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("alert", sa.Text(), nullable=False),
        sa.Column("enforced", sa.Boolean(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("event"),
    )
    op.create_index("standing_history_by_annotator", "standing_history", ["annotator"], unique=False)
    op.create_table(
        "standings",
        sa.Column("annotator", sa.String(), nullable=False),
        sa.Column("standing", sa.Text(), nullable=False),
        sa.Column("standing_weight", sa.Float(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("accuracy", sa.Float(), nullable=True),
        sa.Column("accuracy_low", sa.Float(), nullable=True),
        sa.Column("accuracy_high", sa.Float(), nullable=True),
        sa.Column("side_bias", sa.Float(), nullable=True),
        sa.Column("tie_rate", sa.Float(), nullable=True),
        sa.Column("judgments", sa.BigInteger(), nullable=False),
        sa.Column("evidence", sa.Float(), nullable=True),
        sa.Column("last_judgment_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("annotator"),
    )
    op.create_table(
        "tasks",
        sa.Column("task", sa.String(), nullable=False),
        sa.Column("campaign", sa.Text(), nullable=False),
        sa.Column("campaign_version", sa.BigInteger(), nullable=False),
        sa.Column("prompt_digest", sa.Text(), nullable=False),
        sa.Column("prompt_length", sa.BigInteger(), nullable=False),
        sa.Column("a", sa.JSON(), nullable=False),
        sa.Column("b", sa.JSON(), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("skills", sa.JSON(), nullable=False),
        sa.Column("priority", sa.BigInteger(), nullable=False),
        sa.Column("overlap", sa.BigInteger(), nullable=False),
        sa.Column("slots_wanted", sa.BigInteger(), nullable=False),
        sa.Column("counted", sa.BigInteger(), nullable=False),
        sa.Column("target_posterior", sa.Float(), nullable=False),
        sa.Column("min_judgments", sa.BigInteger(), nullable=False),
        sa.Column("overlap_cap", sa.BigInteger(), nullable=False),
        sa.Column("zero_tolerance", sa.Boolean(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("vetoed", sa.Boolean(), nullable=False),
        sa.Column("holdout", sa.Boolean(), nullable=False),
        sa.Column("gold", sa.String(), nullable=True),
        sa.Column("correlation", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("log_offset", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("task"),
    )
    op.create_index("tasks_by_status", "tasks", ["status", "campaign"], unique=False)
    op.create_table(
        "admissions",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("identity", sa.String(), nullable=False),
        sa.Column("content_hash", sa.String(), nullable=False),
        sa.Column("confirmed", sa.Boolean(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "identity"),
    )
    op.create_table(
        "engine_offsets",
        sa.Column("consumer", sa.String(), nullable=False),
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("next_offset", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("consumer", "topic", "partition"),
    )
    op.create_table(
        "engine_origins",
        sa.Column("consumer", sa.String(), nullable=False),
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("source_offset", sa.BigInteger(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("consumer", "topic", "partition", "source"),
    )
    op.create_table(
        "kept_events",
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("topic", "number"),
    )
    op.create_index("kept_events_by_key", "kept_events", ["topic", "key"], unique=False)
    op.create_table(
        "texts",
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("owner"),
    )


def downgrade() -> None:
    """Back to the one before."""
    op.drop_table("texts")
    op.drop_index("kept_events_by_key", table_name="kept_events")
    op.drop_table("kept_events")
    op.drop_table("engine_origins")
    op.drop_table("engine_offsets")
    op.drop_table("admissions")
    op.drop_index("tasks_by_status", table_name="tasks")
    op.drop_table("tasks")
    op.drop_table("standings")
    op.drop_index("standing_history_by_annotator", table_name="standing_history")
    op.drop_table("standing_history")
    op.drop_table("signals")
    op.drop_table("runs")
    op.drop_table("run_metrics")
    op.drop_table("promotions")
    op.drop_index("preferences_by_offset", table_name="preferences")
    op.drop_index("preferences_by_campaign", table_name="preferences")
    op.drop_table("preferences")
    op.drop_table("outputs")
    op.drop_table("models")
    op.drop_table("keys")
    op.drop_index(
        "judgments_withdrawn",
        table_name="judgments",
        sqlite_where=sa.text("withdrawn"),
        postgresql_where=sa.text("withdrawn"),
    )
    op.drop_index("judgments_by_task", table_name="judgments")
    op.drop_index("judgments_by_offset", table_name="judgments")
    op.drop_index("judgments_by_annotator", table_name="judgments")
    op.drop_table("judgments")
    op.drop_table("dead_letters")
    op.drop_table("campaigns")
    op.drop_table("batches")
    op.drop_index("batch_members_by_task", table_name="batch_members")
    op.drop_table("batch_members")
    op.drop_index("assignments_by_annotator", table_name="assignments")
    op.drop_table("assignments")
    op.drop_table("annotators")
    op.drop_table("alerts")

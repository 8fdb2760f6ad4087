"""appeals, and sketches of reasons."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """To this version."""
    op.create_table(
        "appeals",
        sa.Column("appeal", sa.String(), nullable=False),
        sa.Column("annotator", sa.Text(), nullable=False),
        sa.Column("standing", sa.Text(), nullable=False),
        sa.Column("length", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("log_offset", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("appeal"),
    )
    op.create_index("appeals_by_annotator", "appeals", ["annotator"], unique=False)
    op.add_column("judgments", sa.Column("reason_sketch", sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    """Back to the version before."""
    op.drop_column("judgments", "reason_sketch")
    op.drop_index("appeals_by_annotator", table_name="appeals")
    op.drop_table("appeals")

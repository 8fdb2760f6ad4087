"""Attributes of annotators."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """To this version."""
    op.create_table(
        "annotator_attributes",
        sa.Column("annotator", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("annotator", "name"),
    )


def downgrade() -> None:
    """Back to the version before."""
    op.drop_table("annotator_attributes")

"""When a task was last updated; 0 for what was folded before."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """To this version."""
    op.add_column("tasks", sa.Column("updated_at", sa.BigInteger(), nullable=False, server_default="0"))


def downgrade() -> None:
    """Back to the version before."""
    op.drop_column("tasks", "updated_at")

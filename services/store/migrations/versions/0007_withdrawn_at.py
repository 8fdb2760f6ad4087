"""When a judgment was taken back; 0, not known, for what was folded before."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """To this version."""
    op.add_column("judgments", sa.Column("withdrawn_at", sa.BigInteger(), nullable=False, server_default="0"))


def downgrade() -> None:
    """Back to the version before."""
    op.drop_column("judgments", "withdrawn_at")

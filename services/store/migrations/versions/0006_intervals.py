"""The 95 % intervals of each annotator's side bias and tie rate; unknown until their next judgment."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

COLUMNS = ("side_bias_low", "side_bias_high", "tie_rate_low", "tie_rate_high")


def upgrade() -> None:
    """To this version."""
    for name in COLUMNS:
        op.add_column("standings", sa.Column(name, sa.Float(), nullable=True))


def downgrade() -> None:
    """Back to the version before."""
    for name in COLUMNS:
        op.drop_column("standings", name)

"""What Alembic runs: the migrations of this folder over the connection it is given (services/store/migrate.py)."""

from alembic import context

from services.store import cluster_tables
from services.store import models as m

context.configure(
    connection=context.config.attributes["connection"], target_metadata=[m.metadata, cluster_tables.metadata]
)
with context.begin_transaction():
    context.run_migrations()

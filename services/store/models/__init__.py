"""The SQL tables, in SQLAlchemy Core, the same for SQLite and PostgreSQL.

`VIEWS` are folded from the log by services/store/projection.py: drop them, fold again, and they come back
equal. `FACTS` (keys, annotators' names) live in SQL alone, like the admission index, which the log of one machine
keeps beside itself and a cluster in cluster_tables.py. Times are ms since 1970 UTC.
"""

from __future__ import annotations

from services.store.models.columns import metadata
from services.store.models.facts import admissions, annotator_attributes, annotators, keys
from services.store.models.intake import campaigns, dead_letters, outputs, signals
from services.store.models.judging import assignments, judgments, preferences, tasks
from services.store.models.standing import alerts, appeals, standing_history, standings
from services.store.models.training import batch_members, batches, models, promotions, run_metrics, runs, scores

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
FACTS = (keys, annotators, annotator_attributes)

__all__ = [
    "FACTS",
    "VIEWS",
    "admissions",
    "alerts",
    "annotator_attributes",
    "annotators",
    "appeals",
    "assignments",
    "batch_members",
    "batches",
    "campaigns",
    "dead_letters",
    "judgments",
    "keys",
    "metadata",
    "models",
    "outputs",
    "preferences",
    "promotions",
    "run_metrics",
    "runs",
    "scores",
    "signals",
    "standing_history",
    "standings",
    "tasks",
]

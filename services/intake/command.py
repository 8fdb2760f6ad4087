"""`prefloop intake`: what outsiders produce to Kafka themselves."""

from __future__ import annotations

from services.logs import log_to_stderr
from services.settings import read_settings, require_cluster


def intake_command() -> None:
    """Admit what producers write to the Kafka topic `intake` themselves; any number share the work.

    A message's value is the JSON of one output as POST /v1/outputs takes it. What cannot be admitted becomes a dead
    letter with the reason.
    """
    from services.intake.running import run_intake

    settings = read_settings()
    require_cluster(settings)
    log_to_stderr(settings.log_level, "intake")
    run_intake(settings)

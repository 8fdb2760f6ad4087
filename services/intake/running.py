"""The intake as a process of a cluster, with /healthz, /readyz and /metrics."""

from __future__ import annotations

from services.cluster.composition import open_cluster
from services.cluster.probe import Probe, Vital
from services.cluster.processes import until_told
from services.intake.intake import Campaigns, Intake
from services.settings import Settings


def run_intake(settings: Settings) -> None:
    """Admits until it is told to end."""
    service = open_cluster(settings)
    intake = Intake(
        connection=service.connection,
        layout=service.layout,
        log=service.log,
        campaigns=Campaigns(service.kafka),
        clock=service.clock,
    )
    vital = Vital(alive=lambda: "", ready=lambda: intake.failure, lag=dict, counts=lambda: intake.counts)
    try:
        with Probe("intake", vital, settings.host, settings.port):
            intake.start()
            until_told()
            intake.stop()
    finally:
        service.close()

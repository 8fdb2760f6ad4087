"""`prefloop worker`: the stages of a cluster, until it is told to end."""

from __future__ import annotations

from services.logs import log_to_stderr
from services.settings import read_settings, require_cluster


def worker_command() -> None:
    """Run the stages of a cluster on Faust; start as many as the topics have partitions, on any machine.

    It listens on PREFLOOP_HOST and PREFLOOP_PORT with /healthz, /readyz and /metrics. A worker that ends, or that
    cannot go on safely, is started again; its partitions move to the others meanwhile.
    """
    from services.worker.supervisor import supervise

    settings = read_settings()
    require_cluster(settings)
    log_to_stderr(settings.log_level, "worker")
    supervise()

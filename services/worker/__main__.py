"""One worker until it is told to end: `python -m services.worker`, started by services/worker/supervisor.py."""

from __future__ import annotations

import os

from services.cluster.brokers import connection_of, layout_of
from services.logs import log_to_stderr
from services.settings import read_settings
from services.worker.health import probe
from services.worker.supervisor import RESTARTS
from streams.engines.faust_engine import FaustEngine


def main() -> None:
    """Joins the group and works."""
    settings = read_settings()
    log_to_stderr(settings.log_level, "worker")
    engine = FaustEngine(connection_of(settings), layout_of(settings))
    with probe(engine, settings.host, settings.port, restarts=int(os.environ.get(RESTARTS, "0"))):
        engine.run()


if __name__ == "__main__":
    main()

"""One worker until it is told to end: `python -m services.worker`, started by services/worker/supervisor.py."""

from __future__ import annotations

import os

from services.cli import log_to_stderr
from services.settings import Settings, read_settings
from services.worker.health import probe
from services.worker.supervisor import RESTARTS
from streams.engines.faust_engine import FaustEngine
from streams.engines.kafka_connection import KafkaConnection
from streams.engines.kafka_topics import make_layout


def connection_of(settings: Settings) -> KafkaConnection:
    """Kafka as the settings name it."""
    return KafkaConnection(
        servers=settings.kafka,
        prefix=settings.kafka_prefix,
        protocol=settings.kafka_protocol,
        mechanism=settings.kafka_mechanism,
        username=settings.kafka_username,
        password=settings.kafka_password,
        ca_file=settings.kafka_ca_file,
    )


def main() -> None:
    """Joins the group and works."""
    settings = read_settings()
    log_to_stderr(settings.log_level)
    layout = make_layout(prefix=settings.kafka_prefix, partitions=settings.kafka_partitions)
    engine = FaustEngine(connection_of(settings), layout)
    with probe(engine, settings.host, settings.port, restarts=int(os.environ.get(RESTARTS, "0"))):
        engine.run()


if __name__ == "__main__":
    main()

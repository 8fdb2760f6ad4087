"""Kafka as the settings name it."""

from __future__ import annotations

from services.settings import Settings
from services.trail import told_topology
from streams.engines.kafka_connection import KafkaConnection
from streams.engines.kafka_topics import KAFKA_TOPICS, Layout
from streams.topology import TOPOLOGY


def connection_of(settings: Settings) -> KafkaConnection:
    """How to reach it."""
    return KafkaConnection(
        servers=settings.kafka,
        prefix=settings.kafka_prefix,
        protocol=settings.kafka_protocol,
        mechanism=settings.kafka_mechanism,
        username=settings.kafka_username,
        password=settings.kafka_password,
        ca_file=settings.kafka_ca_file,
    )


def layout_of(settings: Settings) -> Layout:
    """Where every topic stands."""
    return Layout(
        told_topology(TOPOLOGY), KAFKA_TOPICS, prefix=settings.kafka_prefix, partitions=settings.kafka_partitions
    )

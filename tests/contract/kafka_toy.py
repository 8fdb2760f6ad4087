"""Where the toy topology's topics live in Kafka."""

from __future__ import annotations

from streams.engines.kafka_topics import KafkaTopic, Layout
from streams.topology import Topology

TOY_TOPICS = (
    KafkaTopic(name="by-name", topics=("numbers", "echoes")),
    KafkaTopic(name="by-colour", topics=("totals",)),
    KafkaTopic(name="texts", topics=("texts",), compacted=True),
    KafkaTopic(name="control", topics=("dead_letters",), single=True),
)


def toy_layout(topology: Topology, prefix: str, partitions: int = 3) -> Layout:
    """The toy on Kafka."""
    return Layout(topology, TOY_TOPICS, prefix=prefix, partitions=partitions)

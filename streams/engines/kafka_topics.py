"""Which Kafka topic each of our topics lives in, and how those are made.

A stage reads one Kafka topic: Kafka orders a partition, not several topics, and "a crash repeats the same step on the
same state" needs the same order again (docs/decisions.md). So topics with the same key share a Kafka topic, and the
tag in the bytes tells them apart. The partition is always murmur2 of the key, chosen here and by nobody else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import msgspec
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError
from kafka.partitioner.default import murmur2

from streams.codecs import decode
from streams.engines.kafka_connection import KafkaConnection
from streams.engines.port import Record
from streams.errors import DecodeError, SettingsError
from streams.events import Event
from streams.topology import TOPOLOGY, Stage, Topology

MOST_MESSAGE_BYTES = 16 * 1024 * 1024  # a batch of a million members or a dead letter must fit into `control`
DAY_MS = 24 * 3_600_000
WEEK_MS = 7 * DAY_MS
COMPACTED = {"cleanup.policy": "compact", "max.compaction.lag.ms": str(DAY_MS)}  # erased words are gone a day later
# A worker that starts reads all states of its partitions, and the segment that is written to is never compacted: with
# Kafka's 1 GiB it would read every state that ever was.
STATES_SEGMENT_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class KafkaTopic:
    """One topic on the brokers and the topics of ours that live in it."""

    name: str
    topics: tuple[str, ...] = ()
    single: bool = False  # one partition: "read from offset" and "end" have one order
    compacted: bool = False
    flushed: bool = False  # people's work: on the disk before it is acknowledged, where one broker holds the only copy
    most_bytes: int = 1_048_588  # of a batch of messages (Kafka's default)
    kept_ms: int = -1  # -1 is for ever: the log is the truth


class _Tagged(msgspec.Struct):
    type: str = ""


_tag = msgspec.json.Decoder(_Tagged)


class Layout:
    """Where every topic of a topology stands in Kafka."""

    def __init__(
        self, topology: Topology, kafka_topics: Sequence[KafkaTopic], *, prefix: str = "prefloop.", partitions: int = 8
    ) -> None:
        self.topology = topology
        self.kafka_topics = {topic.name: topic for topic in kafka_topics}
        self.prefix = prefix
        self.partitions = partitions
        self._homes = {name: topic for topic in kafka_topics for name in topic.topics}
        self._by_tag = {topic.event.__name__: topic for topic in topology.topics.values()}
        self._check()

    def _check(self) -> None:
        """A layout that breaks the order of a stage's inputs is a bug and must not start."""
        if missing := set(self.topology.topics) ^ set(self._homes):
            raise ValueError(f"each topic needs exactly one Kafka topic: look at {', '.join(sorted(missing))}")
        for name, home in self._homes.items():
            if self.topology.topics[name].compacted and (not home.compacted or len(home.topics) > 1):
                raise ValueError(f"{name} is compacted, so its Kafka topic must be compacted and its own")
        for stage in self.topology.stages.values():
            self.inbox(stage)

    def home(self, topic: str) -> KafkaTopic:
        """The Kafka topic that holds this topic of ours."""
        return self._homes[topic]

    def inbox(self, stage: Stage) -> KafkaTopic:
        """The one Kafka topic that the stage reads."""
        homes = {self._homes[name].name for name in stage.inputs}
        if len(homes) != 1:
            raise ValueError(
                f"stage {stage.name} reads several Kafka topics ({', '.join(sorted(homes))}): one is allowed"
            )
        return self.kafka_topics[homes.pop()]

    def full_name(self, kafka_topic: str) -> str:
        """The name on the brokers."""
        return self.prefix + kafka_topic

    def states(self, stage: str) -> str:
        """The name on the brokers of the compacted topic of a stage's states."""
        return f"{self.prefix}states.{stage}"

    def count(self, kafka_topic: str) -> int:
        """How many partitions it has."""
        return 1 if self.kafka_topics[kafka_topic].single else self.partitions

    def place(self, topic: str, key: str) -> tuple[str, bytes, int]:
        """Full name, key bytes and partition that an event of this topic with this key is sent to."""
        home = self._homes[topic].name
        return self.prefix + home, key.encode(), partition_of(key, self.count(home))

    def topic_of(self, payload: bytes) -> str:
        """The topic of ours that the bytes say they belong to. Raises DecodeError."""
        try:
            return self._by_tag[_tag.decode(payload).type].name
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise DecodeError(f"not an event: {error}") from error
        except KeyError as error:
            raise DecodeError(f"not an event: no topic has events of type {error}") from error

    def record(self, kafka_topic: str, partition: int, offset: int, key: bytes | None, payload: bytes) -> Record:
        """The record in these bytes: topic of ours, place in Kafka. `kafka_topic` has no prefix. Raises DecodeError."""
        topic = self.topic_of(payload)
        if self._homes[topic].name != kafka_topic:
            raise DecodeError(f"an event of {topic} does not belong into {kafka_topic}")
        event: Event = decode(payload, self.topology.topics[topic].event)
        return Record(topic=topic, partition=partition, offset=offset, key=(key or b"").decode(), event=event)


@lru_cache(maxsize=65_536)
def partition_of(key: str, partitions: int) -> int:
    """As Kafka's own clients choose it for these key bytes."""
    return 0 if partitions == 1 else int((murmur2(key.encode()) & 0x7FFFFFFF) % partitions)


KAFKA_TOPICS = (
    KafkaTopic(
        name="by-annotator",
        topics=("judgments", "agreements", "standings", "alerts", "appeals", "priors"),
        flushed=True,
    ),
    KafkaTopic(
        name="by-task",
        topics=("tasks", "assessments", "retractions", "preferences", "task_updates", "assignments", "scores"),
    ),
    KafkaTopic(name="outputs", topics=("outputs", "signals")),
    KafkaTopic(name="singles", topics=("singles",)),
    KafkaTopic(name="texts", topics=("texts",), compacted=True),
    KafkaTopic(
        name="control",
        topics=("campaigns", "batches", "run_updates", "checkpoints", "promotions", "dead_letters"),
        single=True,
        flushed=True,
        most_bytes=MOST_MESSAGE_BYTES,
    ),
    KafkaTopic(name="intake", kept_ms=WEEK_MS),  # raw bytes of outsiders: what is admitted of them stands in `outputs`
)


def make_layout(*, prefix: str = "prefloop.", partitions: int = 8) -> Layout:
    """The layout of the whole loop."""
    return Layout(TOPOLOGY, KAFKA_TOPICS, prefix=prefix, partitions=partitions)


def create_topics(connection: KafkaConnection, layout: Layout, *, replication: int = 1) -> list[str]:
    """Creates what is missing, the compacted topics of states included; the names of what was created.

    Raises SettingsError where a topic is there with another number of partitions (keys would change their place), and
    UnavailableError where no broker answers.
    """
    wanted = _wanted(layout, replication)
    connection.check()
    try:
        with KafkaAdminClient(**connection.kafka_python()) as admin:
            present = {topic["name"]: len(topic["partitions"]) for topic in admin.describe_topics()}
            _check_partitions(wanted, present)
            missing = {name: options for name, options in wanted.items() if name not in present}
            if missing:
                admin.create_topics(missing, wait_for_metadata=True)
    except KafkaError as error:
        raise connection.refusal(error) from error
    return sorted(missing)


def _check_partitions(wanted: dict[str, dict[str, object]], present: dict[str, int]) -> None:
    for name, options in wanted.items():
        if name in present and present[name] != options["num_partitions"]:
            raise SettingsError(
                f"Kafka topic {name} has {present[name]} partitions and the settings say {options['num_partitions']}:"
                " the number is chosen once; set it back, or migrate into a cluster with another prefix"
            )


def _wanted(layout: Layout, replication: int) -> dict[str, dict[str, object]]:
    """Options by full name."""
    durable = {"min.insync.replicas": str(max(1, replication - 1)), "unclean.leader.election.enable": "false"}
    wanted: dict[str, dict[str, object]] = {}
    for topic in layout.kafka_topics.values():
        configs = durable | _kept(topic) | {"max.message.bytes": str(topic.most_bytes)}
        if topic.flushed and replication == 1:
            configs["flush.messages"] = "1"
        wanted[layout.full_name(topic.name)] = _options(layout.count(topic.name), replication, configs)
    for stage in layout.topology.stages.values():
        configs = durable | COMPACTED | {"segment.bytes": str(STATES_SEGMENT_BYTES)}
        partitions = layout.count(layout.inbox(stage).name)
        wanted[layout.states(stage.name)] = _options(partitions, replication, configs)
    return wanted


def _options(partitions: int, replication: int, configs: dict[str, str]) -> dict[str, object]:
    return {"num_partitions": partitions, "replication_factor": replication, "configs": configs}


def _kept(topic: KafkaTopic) -> dict[str, str]:
    if topic.compacted:
        return COMPACTED
    return {"cleanup.policy": "delete", "retention.ms": str(topic.kept_ms), "retention.bytes": "-1"}

"""Which Kafka topic everything lives in."""

from __future__ import annotations

import pytest
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from streams.codecs import encode
from streams.engines.kafka_connection import KafkaConnection
from streams.engines.kafka_topics import (
    DAY_MS,
    KAFKA_TOPICS,
    STATES_SEGMENT_BYTES,
    KafkaTopic,
    Layout,
    create_topics,
    make_layout,
    partition_of,
)
from streams.errors import DecodeError, SettingsError, UnavailableError
from streams.events import Agreement
from streams.topology import TOPOLOGY
from tests.contract.toy import TOY


def agreement(annotator: str = "ann") -> Agreement:
    return Agreement(
        id="a1", judgment="j", task="t", annotator=annotator, choice="a", swapped=False, probability=0.5,
        others=(0.5, 0.5, 0.0), others_count=2,
    )  # fmt: skip


def test_every_topic_has_one_home_and_every_stage_one_inbox() -> None:
    layout = make_layout()
    assert {layout.inbox(stage).name for stage in TOPOLOGY.stages.values()} == {
        "outputs", "singles", "by-annotator", "by-task",
    }  # fmt: skip
    assert {name for topic in KAFKA_TOPICS for name in topic.topics} == set(TOPOLOGY.topics)


def test_topics_that_share_a_home_share_a_key() -> None:
    """Events of one key must be in one partition, whichever topic of ours they belong to."""
    fields = {"by-annotator": "annotator", "by-task": "task"}
    for home, field in fields.items():
        for name in make_layout().kafka_topics[home].topics:
            assert field in TOPOLOGY.topics[name].event.__struct_fields__


@pytest.mark.parametrize(
    "homes",
    [
        [KafkaTopic(name="a", topics=("numbers", "totals", "texts", "dead_letters"))],  # echoes nowhere, texts shared
        [
            KafkaTopic(name="a", topics=("numbers",)),
            KafkaTopic(name="b", topics=("echoes", "totals", "dead_letters")),  # sums would read two
            KafkaTopic(name="texts", topics=("texts",), compacted=True),
        ],
        [
            KafkaTopic(name="a", topics=("numbers", "echoes", "totals", "dead_letters")),
            KafkaTopic(name="texts", topics=("texts",)),  # not compacted
        ],
    ],
)
def test_a_layout_that_breaks_the_order_does_not_start(homes: list[KafkaTopic]) -> None:
    with pytest.raises(ValueError, match=r"one Kafka topic|several Kafka topics|compacted"):
        Layout(TOY, homes)


def test_bytes_say_which_topic_they_belong_to() -> None:
    layout = make_layout()
    record = layout.record("by-annotator", 3, 7, b"ann", encode(agreement()))
    assert (record.topic, record.partition, record.offset, record.key) == ("agreements", 3, 7, "ann")
    assert record.event == agreement()


@pytest.mark.parametrize("payload", [b"", b"\xff\xfe", b'{"type":"Other"}', b'{"type":"Agreement"}', b"[" * 2000, b"1"])
def test_bytes_that_are_no_event_say_so(payload: bytes) -> None:
    with pytest.raises(DecodeError):
        make_layout().record("by-annotator", 0, 0, b"", payload)


def test_an_event_in_the_wrong_topic_is_refused() -> None:
    with pytest.raises(DecodeError, match="does not belong into by-task"):
        make_layout().record("by-task", 0, 0, b"", encode(agreement()))


@pytest.mark.parametrize(("key", "partition"), [("", 1), ("a", 4), ("annotator-17", 3), ("Größe", 7)])
def test_partitions_are_those_of_kafkas_own_clients(key: str, partition: int) -> None:
    """Values of org.apache.kafka.common.utils.Utils.murmur2, modulo 8."""
    assert partition_of(key, 8) == partition
    assert partition_of(key, 1) == 0


def test_topics_are_made_once_with_what_they_need(kafka: KafkaConnection) -> None:
    layout = make_layout(prefix=kafka.prefix, partitions=3)
    created = create_topics(kafka, layout)
    assert len(created) == len(KAFKA_TOPICS) + len(TOPOLOGY.stages)
    assert create_topics(kafka, layout) == []
    assert config_of(kafka, "by-annotator", "flush.messages") == "1"
    assert config_of(kafka, "texts", "cleanup.policy") == "compact"
    assert config_of(kafka, "by-task", "retention.ms") == "-1"
    assert config_of(kafka, "states.preferences", "cleanup.policy") == "compact"
    assert config_of(kafka, "states.preferences", "segment.bytes") == str(STATES_SEGMENT_BYTES)
    assert config_of(kafka, "texts", "max.compaction.lag.ms") == str(DAY_MS)


def test_another_number_of_partitions_is_refused(kafka: KafkaConnection) -> None:
    create_topics(kafka, make_layout(prefix=kafka.prefix, partitions=2))
    with pytest.raises(SettingsError, match="has 2 partitions and the settings say 3"):
        create_topics(kafka, make_layout(prefix=kafka.prefix, partitions=3))


def test_no_broker_is_an_outage() -> None:
    nobody = KafkaConnection(servers="127.0.0.1:1,127.0.0.1:2")
    with pytest.raises(UnavailableError, match="does not answer"):
        create_topics(nobody, make_layout())


def config_of(kafka: KafkaConnection, topic: str, name: str) -> str:
    resource = ConfigResource(ConfigResourceType.TOPIC, kafka.prefix + topic)
    with KafkaAdminClient(**kafka.kafka_python()) as admin:
        found = admin.describe_configs([resource])
    return str(_values(found)[name])


def _values(found: object) -> dict[str, object]:
    """Names and values, wherever the answer holds them."""
    if isinstance(found, dict):
        if "value" in found and "name" in found:
            return {str(found["name"]): found["value"]}
        children = [
            {**child, "name": name} if isinstance(child, dict) and "value" in child else child
            for name, child in found.items()
        ]
    elif isinstance(found, list):
        children = list(found)
    else:
        return {}
    values: dict[str, object] = {}
    for child in children:
        values |= _values(child)
    return values

"""What only a group of workers can meet: partitions that move, a broker that goes away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.engines.kafka_connection import KafkaConnection
from tests.chaos.stages import Report, check
from tests.contract.faust_harness import FaustHarness
from tests.contract.toy import TOY, Number
from tests.services.kafka import Broker, require_kafka

pytestmark = pytest.mark.slow
NUMBERS = [Number(id=f"n{i}", name=f"name{i % 40}", colour=f"c{i % 7}", value=i + 1) for i in range(600)]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """One that may be killed."""
    require_kafka()
    broker = Broker(tmp_path / "kafka")
    broker.start()
    yield broker
    broker.stop()


def assert_exact(harness: FaustHarness) -> None:
    report = Report(seed=0)
    check(harness, report, NUMBERS)
    assert report.faults == []


def test_partitions_move_to_a_second_worker_and_back(kafka: KafkaConnection, tmp_path: Path) -> None:
    harness = FaustHarness(tmp_path, kafka)
    harness.open(TOY)
    harness.start()
    harness.append(NUMBERS[:200])
    second = harness.add_worker()
    harness.append(NUMBERS[200:400])
    harness.drain()
    second.terminate()
    second.wait(timeout=20)
    harness.workers.remove(second)
    harness.append(NUMBERS[400:])
    harness.drain()
    assert_exact(harness)
    harness.close()


def test_a_broker_that_is_killed_and_comes_back_loses_nothing(broker: Broker, tmp_path: Path) -> None:
    harness = FaustHarness(tmp_path, KafkaConnection(servers=broker.servers, prefix="t."))
    harness.open(TOY)
    harness.start()
    harness.append(NUMBERS[:300])
    broker.kill()
    broker.start()
    harness.append_patiently(NUMBERS[300:])
    harness.drain(restarting=True)
    assert_exact(harness)
    harness.close()

"""Stages on Faust while workers join, leave and are killed; more runs by PREFLOOP_STRESS_RUNS, and by `make chaos`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from streams.engines.kafka_connection import KafkaConnection
from tests.chaos.stages import run
from tests.services.kafka import Broker

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("seed", range(1, 1 + int(os.environ.get("PREFLOOP_STRESS_RUNS", "1"))))
def test_forty_thousand_events_are_exact(kafka_broker: Broker, tmp_path: Path, seed: int) -> None:
    report = run(KafkaConnection(servers=kafka_broker.servers, prefix=f"stress{seed}."), tmp_path, seed)
    assert report.faults == []
    assert report.kills + report.joins > 0

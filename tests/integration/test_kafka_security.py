"""A cluster whose Kafka wants TLS and a password: every client of ours passes the settings on."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from streams.engines.kafka_connection import KafkaConnection
from tests.integration.cluster import cluster, eventually, settings_of
from tests.integration.world import OUTPUT
from tests.services.kafka import require_kafka
from tests.services.kafka_secured import PASSWORD, USER, SecuredBroker
from tests.services.redis import Redis

pytestmark = pytest.mark.slow
MECHANISMS = ("PLAIN", "SCRAM-SHA-512")


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredBroker]:
    require_kafka()
    secured = SecuredBroker(tmp_path_factory.mktemp("secured"))
    secured.broker.start()
    yield secured
    secured.broker.stop()


def connection(secured: SecuredBroker, mechanism: str, **changes: Any) -> KafkaConnection:
    login = {"username": USER, "password": PASSWORD, "ca_file": str(secured.ca_file), **changes}
    return KafkaConnection(servers=secured.servers, protocol="SASL_SSL", mechanism=mechanism, **login)


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_an_output_goes_through_a_stage_into_the_views(
    secured: SecuredBroker, mechanism: str, database_url: str, redis_server: Redis
) -> None:
    kafka = connection(secured, mechanism, prefix=f"{mechanism.lower()}.")
    with cluster(settings_of(kafka, database_url, redis_server)) as (replica,):
        assert replica("producer", "POST", "/v1/outputs", OUTPUT).status_code == 201
        task = eventually(lambda: replica("annotator", "POST", "/v1/tasks/next").content)
    assert task


@pytest.mark.parametrize(
    ("mechanism", "changes"),
    [("PLAIN", {"password": "wrong"}), ("SCRAM-SHA-512", {"password": "wrong"}), ("PLAIN", {"ca_file": ""})],
    ids=["password-plain", "password-scram", "unknown-authority"],
)
def test_who_is_not_let_in_is_told_what_to_look_at(
    secured: SecuredBroker, mechanism: str, changes: dict[str, str]
) -> None:
    told = connection(secured, mechanism, **changes)
    environment = {
        "PREFLOOP_KAFKA": told.servers,
        "PREFLOOP_KAFKA_PROTOCOL": told.protocol,
        "PREFLOOP_KAFKA_MECHANISM": told.mechanism,
        "PREFLOOP_KAFKA_USERNAME": told.username,
        "PREFLOOP_KAFKA_PASSWORD": told.password,
        "PREFLOOP_KAFKA_CA_FILE": told.ca_file,
        "PREFLOOP_DATABASE_URL": "postgresql+psycopg://nobody@127.0.0.1:1/none",
        "PREFLOOP_REDIS_URL": "redis://127.0.0.1:1",
        "COLUMNS": "400",
    }
    command = [sys.executable, "-m", "services.cli", "doctor"]
    done = subprocess.run(
        command, check=False, env={**os.environ, **environment}, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 1
    assert re.search(r"does not let us in.*PREFLOOP_KAFKA_PROTOCOL.*_PASSWORD and _CA_FILE", done.stdout)

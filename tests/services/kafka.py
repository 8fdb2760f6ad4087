"""The real Apache Kafka for tests: one KRaft node on this machine's Java; its jars come from Maven Central, once."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import subprocess
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import pytest

from services.spawned import free_port
from streams.engines.kafka_connection import KafkaConnection
from tests.services.server import Server, require

JARS = Path(os.environ.get("PREFLOOP_KAFKA_JARS", Path.home() / ".cache/prefloop/kafka-4.1.1"))
CLUSTER_ID = "5vBmTMUaQhW3iLDFJ7e0oA"


class Broker(Server):
    """One Kafka node."""

    def __init__(
        self, folder: Path, *, listeners: Sequence[str] = (), more: str = "", users: Sequence[str] = ()
    ) -> None:
        """`listeners` besides the usual ones, `more` configuration, which wins, `users` for its format."""
        super().__init__(folder)
        self._configuration = folder / "server.properties"
        self._configuration.write_text(_properties(folder / "log", self.port, free_port(), listeners) + more)
        place = ("-t", CLUSTER_ID, "-c", str(self._configuration))
        with self.log.open("ab") as log:
            _java(log, "kafka.tools.StorageTool", "format", *place, *users).wait()

    @property
    def servers(self) -> str:
        """As clients want it."""
        return f"127.0.0.1:{self.port}"

    def launch(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        """See Server."""
        return _java(log, "kafka.Kafka", str(self._configuration))

    def answers(self) -> bool:
        """See Server."""
        from kafka.admin import KafkaAdminClient  # not at import: every test run loads this file
        from kafka.errors import KafkaError

        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=0.2):
                pass
            with KafkaAdminClient(bootstrap_servers=self.servers, bootstrap_timeout_ms=2_000) as admin:
                return bool(admin.describe_cluster()["brokers"])
        except (OSError, KafkaError):
            return False


def _java(log: IO[bytes], main: str, *arguments: str) -> subprocess.Popen[bytes]:
    options = ["-Xmx384m", "-Xms128m", "-XX:+UseSerialGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
    command = ["java", *options, "-cp", f"{JARS}/*", main, *arguments]
    return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)


def _properties(folder: Path, port: int, controller: int, more: Sequence[str]) -> str:
    listeners = ",".join([f"PLAINTEXT://127.0.0.1:{port}", *more])
    return f"""
node.id=1
process.roles=broker,controller
controller.quorum.voters=1@127.0.0.1:{controller}
listeners={listeners},CONTROLLER://127.0.0.1:{controller}
advertised.listeners={listeners}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL
log.dirs={folder}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=2
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=1000
num.network.threads=2
num.io.threads=4
"""


def absent() -> str:
    """Why Kafka cannot be started here; "" where it can. Fetches the jars the first time."""
    if shutil.which("java") is None:
        return "Kafka needs Java 17 or newer, which is not installed"
    if any(JARS.glob("kafka_2.13-*.jar")):
        return ""
    if shutil.which("mvn") is None:
        return f"no Kafka jars in {JARS} (PREFLOOP_KAFKA_JARS) and no Maven to fetch them"
    return _fetch()


def _fetch() -> str:
    JARS.mkdir(parents=True, exist_ok=True)
    with (JARS / "lock").open("w") as lock:  # two test runs fetch them once
        fcntl.flock(lock, fcntl.LOCK_EX)
        if any(JARS.glob("kafka_2.13-*.jar")):
            return ""
        pom = JARS / "pom.xml"
        shutil.copy(Path(__file__).with_name("kafka-jars.xml"), pom)
        command = ["mvn", "-q", "-B", "-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={JARS}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
        return f"Maven could not fetch Kafka: {done.stdout[-500:]}" if done.returncode else ""


def require_kafka() -> None:
    """See require."""
    require(absent())


@pytest.fixture(scope="session")
def kafka_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """One broker for the whole run; who needs to kill it starts a Broker of their own."""
    require_kafka()
    broker = Broker(tmp_path_factory.mktemp("kafka"))
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
def kafka(kafka_broker: Broker) -> KafkaConnection:
    """A connection whose prefix no other test has: topics of its own on the shared broker."""
    return KafkaConnection(servers=kafka_broker.servers, prefix=f"test-{uuid.uuid4().hex[:8]}.")

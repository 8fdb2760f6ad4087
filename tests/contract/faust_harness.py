"""The contract's harness over Faust: workers are processes, which are killed with -9; Kafka is the real one."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from kafka import KafkaProducer

from streams.engines.embedded import no_fault
from streams.engines.guarded import Delivery, GuardedStage
from streams.engines.kafka_connection import KafkaConnection
from streams.engines.kafka_log import KafkaLog
from streams.engines.kafka_reader import KafkaReader, commits
from streams.engines.kafka_states import newest
from streams.engines.kafka_topics import create_topics
from streams.engines.port import Record, Transaction
from streams.errors import UnavailableError
from streams.events import Event
from streams.topology import Topology
from tests.contract.harness import CrashAt, CrashError
from tests.contract.kafka_toy import toy_layout
from tests.contract.sqlite_admissions import SqliteAdmissions
from tests.contract.toy import BUGGY

ROOT = Path(__file__).parents[2]
DRAINED_WITHIN = 90.0  # seconds; a killed member's partitions move after its session


class FaustHarness:
    """See harness.Harness. `workers` start with start(); more of them with add_worker()."""

    crashes = (
        ("before_step", 1),
        ("before_step", 2),
        ("after_output", 1),
        ("after_output", 33),
        ("after_state", 1),
        ("before_commit", 2),
    )

    def __init__(self, folder: Path, connection: KafkaConnection) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.connection = connection
        self.workers: list[subprocess.Popen[bytes]] = []
        self._log_file = folder / "worker.log"
        self._admissions = SqliteAdmissions(folder / "admissions.sqlite3")
        self._opened = False

    def open(self, topology: Topology, fault: Callable[[str], None] = no_fault) -> None:
        self._kill_at = (fault.point, fault.left) if isinstance(fault, CrashAt) else None
        self._name = "BUGGY" if topology is BUGGY else "TOY"
        self.layout = toy_layout(topology, self.connection.prefix)
        create_topics(self.connection, self.layout)
        self._log = KafkaLog(self.connection, self.layout, self._admissions)
        self._reader = KafkaReader(self.connection)
        self._opened = True

    def start(self) -> None:
        self.add_worker()

    def add_worker(self) -> subprocess.Popen[bytes]:
        """One more worker of the group."""
        told = {
            "servers": self.connection.servers,
            "prefix": self.connection.prefix,
            "topology": self._name,
            "kill_at": self._kill_at,
        }
        with self._log_file.open("ab") as log:
            worker = subprocess.Popen(
                [sys.executable, "-m", "tests.contract.faust_worker", json.dumps(told)],
                cwd=ROOT,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.workers.append(worker)
        return worker

    def close(self) -> None:
        for worker in self.workers:
            worker.terminate()
        for worker in self.workers:
            try:
                worker.wait(timeout=15)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()
        self.workers.clear()
        if self._opened:
            self._log.close()
            self._reader.close()
        self._opened = False

    def append(self, events: Sequence[Event]) -> None:
        for event in events:
            self._log.submit(lambda transaction, event=event: transaction.append(event)).result()  # type: ignore[misc]

    def append_patiently(self, events: Sequence[Event]) -> None:
        """As append, and again where Kafka was away: a client's retry."""
        left, deadline = list(events), time.monotonic() + 60
        while left:
            try:
                self.append(left[:1])
            except UnavailableError:
                if time.monotonic() > deadline:
                    raise
                continue
            del left[0]

    def submit(self, work: Callable[[Transaction], object]) -> object:
        return self._log.submit(work).result()

    def append_bytes(self, topic: str, key: str, payload: bytes) -> None:
        name, key_bytes, partition = self.layout.place(topic, key)
        with KafkaProducer(**self.connection.kafka_python()) as producer:
            producer.send(name, value=payload, key=key_bytes, partition=partition).get(timeout=10)

    def drain(self, *, restarting: bool = False) -> None:
        """See harness.Harness; with `restarting` a worker that ended itself is started again, as by a supervisor."""
        deadline = time.monotonic() + DRAINED_WITHIN
        while not self.drained():
            if restarting:
                self._restart()
            if any(worker.poll() is not None for worker in self.workers):
                raise CrashError(f"a worker ended: {[worker.poll() for worker in self.workers]}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"not drained: {self._log_file.read_text()[-3000:]}")
            time.sleep(0.1)

    def _restart(self) -> None:
        for worker in [worker for worker in self.workers if worker.poll() is not None]:
            self.workers.remove(worker)
            self.add_worker()

    def drained(self) -> bool:
        """Commits are read before ends: where they are equal, nothing was in hand all the while."""
        inboxes = {self.layout.full_name(self.layout.inbox(s).name) for s in self.layout.topology.stages.values()}
        try:
            committed = commits(self.connection, f"{self.connection.prefix}worker")
        except UnavailableError:
            return False  # no group yet
        ends = {(inbox, partition): end for inbox in inboxes for partition, end in self._reader.ends(inbox).items()}
        return all(committed.get(place, 0) == end for place, end in ends.items())

    def read(self, topic: str) -> Sequence[Record]:
        home = self.layout.home(topic).name
        found = self._reader.all(self.layout.full_name(home))
        return [
            self.layout.record(home, d.partition, d.offset, d.key, d.payload)
            for d in found
            if self._is(topic, d.payload)
        ]

    def _is(self, topic: str, payload: bytes) -> bool:
        return payload.startswith(b'{"type":"%s"' % self.layout.topology.topics[topic].event.__name__.encode())

    def messages(self, topic: str) -> Iterator[Delivery]:
        """Every message of a topic by its full name."""
        return self._reader.all(topic)

    def state(self, stage: str, key: str) -> object | None:
        values = newest(self._reader.all(self.layout.states(stage)))
        value = values.get(key.encode())
        guarded = GuardedStage(self.layout.topology.stages[stage], self.layout, values.get)
        return None if value is None else guarded.kept(value)[0]

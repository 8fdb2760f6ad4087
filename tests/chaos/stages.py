"""Stages on Faust; workers join, leave, freeze, are killed with -9: `python -m tests.chaos.stages --runs 20 --seed 1`.

40,000 events go through two stages and a cycle; afterwards every state must be exact, in order, and every derived event
there, its copies identical. The plan of a run follows from its seed; the moments that it meets do not. What is lost is
lost on a quiet machine rather than on a busy one: run it there too.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

from kafka import KafkaProducer

from streams.codecs import encode
from streams.engines.guarded import GuardedStage
from streams.engines.kafka_connection import KafkaConnection
from streams.engines.kafka_states import newest
from streams.events import Event
from tests.contract.faust_harness import FaustHarness
from tests.contract.toy import TOY, Echo, Number, Sum, Tally, Total
from tests.services.kafka import Broker, absent

NUMBERS, NAMES, COLOURS = 8_000, 800, 40  # 8,000 numbers make 16,000 totals and 16,000 echoes
FEED_S = 16.0  # while which the numbers come
STEADY = 2  # workers that are started again when they end; a third comes and goes


@dataclass(kw_only=True)
class Report:
    """What one run came to."""

    seed: int
    events: int = NUMBERS * 5
    kills: int = 0
    freezes: int = 0  # with SIGSTOP
    joins: int = 0
    leaves: int = 0
    own_exits: list[int] = field(default_factory=list)  # codes of workers that ended themselves
    copies: int = 0  # derived events that were sent again
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)  # empty: exact


def numbers(seed: int) -> list[Number]:
    """The events of a run."""
    chance = random.Random(seed)
    return [
        Number(id=f"n{i}", name=f"name{chance.randrange(NAMES)}", colour=f"c{chance.randrange(COLOURS)}", value=i + 1)
        for i in range(NUMBERS)
    ]


class Crew:
    """The workers of a run, and what is done to them."""

    def __init__(self, harness: FaustHarness, report: Report, seed: int) -> None:
        self._harness = harness
        self._report = report
        self._chance = random.Random(seed)
        self._steady = [harness.add_worker() for _ in range(STEADY)]
        self._harms = [self._kill, self._come_or_go, self._freeze]
        self._frozen: subprocess.Popen[bytes] | None = None
        self._thaw_at = 0.0
        self._guest: subprocess.Popen[bytes] | None = None
        self._next = time.monotonic() + 3.0

    def tend(self, *, disturb: bool) -> None:
        """Starts again who ended; now and then disturbs somebody."""
        self._thaw()
        for place, worker in enumerate(self._steady):
            if (code := worker.poll()) is not None:
                if code != -9:
                    self._report.own_exits.append(code)
                self._steady[place] = self._harness.add_worker()
        if disturb and time.monotonic() > self._next:
            self._next = time.monotonic() + self._chance.uniform(0.5, 3.0)
            self._chance.choice(self._harms)()

    def _kill(self) -> None:
        self._chance.choice(self._steady).kill()
        self._report.kills += 1

    def _freeze(self) -> None:
        """Longer than a session: the others take its partitions, and it does not know of it when it goes on."""
        if self._frozen is None:
            self._frozen = self._chance.choice(self._steady)
            self._frozen.send_signal(signal.SIGSTOP)
            self._thaw_at = time.monotonic() + self._chance.uniform(3.0, 7.0)
            self._report.freezes += 1

    def _thaw(self) -> None:
        if self._frozen is not None and time.monotonic() > self._thaw_at:
            self._frozen.send_signal(signal.SIGCONT)
            self._frozen = None

    def _come_or_go(self) -> None:
        if self._guest is None or self._guest.poll() is not None:
            self._guest = self._harness.add_worker()
            self._report.joins += 1
        else:
            self._guest.terminate()
            self._report.leaves += 1


def run(connection: KafkaConnection, folder: Path, seed: int) -> Report:
    """One run on a prefix of its own."""
    report, begun = Report(seed=seed), time.monotonic()
    harness = FaustHarness(folder, connection)
    harness.open(TOY)
    try:
        crew = Crew(harness, report, seed)
        _feed(harness, crew, numbers(seed))
        deadline = time.monotonic() + 120
        while not harness.drained():
            crew.tend(disturb=False)
            if time.monotonic() > deadline:
                report.faults.append("not drained after 120 s")
                break
            time.sleep(0.2)
        report.seconds = round(time.monotonic() - begun, 1)
        check(harness, report, numbers(seed))
    finally:
        harness.close()
    return report


def _feed(harness: FaustHarness, crew: Crew, events: list[Number]) -> None:
    begun = time.monotonic()
    with KafkaProducer(**harness.connection.kafka_python(), acks="all") as producer:
        for done, event in enumerate(events):
            name, key, partition = harness.layout.place("numbers", event.name)
            producer.send(name, value=encode(event), key=key, partition=partition)
            while done % 50 == 0 and time.monotonic() - begun < FEED_S * done / len(events):
                crew.tend(disturb=True)
                time.sleep(0.02)
        producer.flush()


def check(harness: FaustHarness, report: Report, events: list[Number]) -> None:
    """Every state and every derived event against what the numbers must come to; `report` gets the faults."""
    sums, tallies, echoes = _expected(events)
    for stage, expected in (("sums", sums), ("tallies", tallies)):
        found = _states(harness, stage)
        wrong = {key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key)}
        report.faults += [f"{stage} {key}: {found.get(key)} is not {expected.get(key)}" for key in sorted(wrong)[:5]]
    for kind, wanted in ((Total, len(events) * 2), (Echo, echoes)):
        first: dict[str, Event] = {}
        for record in harness.read(TOY.by_event[kind].name):
            if (before := first.setdefault(record.event.id, record.event)) is not record.event:
                report.copies += 1
                if before != record.event:
                    report.faults.append(f"copies of {record.event.id} differ")
        if len(first) != wanted:
            report.faults.append(f"{len(first)} of {wanted} {kind.__name__}s")


def _expected(events: list[Number]) -> tuple[dict[str, Sum], dict[str, Tally], int]:
    values: dict[str, list[int]] = {}
    counts: Counter[str] = Counter()
    totals: Counter[str] = Counter()
    for event in events:
        values.setdefault(event.name, []).append(event.value)
        for colour in (event.colour, "all"):
            counts[colour] += 1
            totals[colour] += event.value
    sums = {name: Sum(total=sum(v), echoed=2 * sum(v), values=tuple(v)) for name, v in values.items()}
    return sums, {colour: Tally(count=counts[colour], total=totals[colour]) for colour in counts}, 2 * len(events)


def _states(harness: FaustHarness, stage: str) -> dict[str, object]:
    """The newest state of each key, as a worker would recover it."""
    values = newest(harness.messages(harness.layout.states(stage)))
    guarded = GuardedStage(TOY.stages[stage], harness.layout, values.get)
    return {key.decode(): state for key, value in values.items() if (state := guarded.kept(value)[0]) is not None}


def main() -> None:
    """Runs, prints a line each, and fails where one was not exact."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    told = parser.parse_args()
    if reason := absent():
        sys.exit(reason)
    with tempfile.TemporaryDirectory() as folder:
        broker = Broker(Path(folder) / "kafka")
        broker.start()
        try:
            reports = [
                _told(run(connection_to(broker, seed), Path(folder) / str(seed), seed))
                for seed in range(told.seed, told.seed + told.runs)
            ]
        finally:
            broker.stop()
    exact = sum(not report.faults for report in reports)
    sys.stdout.write(f"{exact} of {len(reports)} runs exact\n")
    sys.exit(exact != len(reports))


def connection_to(broker: Broker, seed: int) -> KafkaConnection:
    """Topics and a group of the run's own."""
    return KafkaConnection(servers=broker.servers, prefix=f"run{seed}.")


def _told(report: Report) -> Report:
    sys.stdout.write(json.dumps(asdict(report)) + "\n")
    sys.stdout.flush()
    return report


if __name__ == "__main__":
    main()

"""What a worker tells of itself over HTTP: /healthz, /readyz and /metrics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from services.cluster.probe import Probe, Vital


class Reporting(Protocol):
    """What the engine tells."""

    def is_ready(self) -> bool:
        """States restored, partitions assigned, events flowing."""
        ...

    def lag(self) -> dict[str, int]:
        """Events not yet applied of this worker's partitions, by stage."""
        ...

    def counts(self) -> dict[str, dict[str, int]]:
        """What has been done since the process began: by stage, by kind."""
        ...

    def partitions(self) -> int:
        """How many this worker has now."""
        ...


class WorkerNumbers(Collector):
    """Partitions, restarts, and what became of events, by stage."""

    def __init__(self, engine: Reporting, restarts: int) -> None:
        self._engine = engine
        self._restarts = restarts

    def collect(self) -> Iterator[Metric]:
        """The families, as prometheus_client wants them."""
        engine = self._engine
        yield GaugeMetricFamily(
            "prefloop_ready", "1: states restored, partitions assigned, events flowing", value=engine.is_ready()
        )
        yield GaugeMetricFamily("prefloop_worker_partitions", "Partitions in hand", value=engine.partitions())
        yield CounterMetricFamily("prefloop_worker_restarts", "Since the supervisor began", value=self._restarts)
        lag = GaugeMetricFamily("prefloop_lag_events", "Events not yet applied, by reader", labels=["reader"])
        for stage, behind in engine.lag().items():
            lag.add_metric([stage], behind)
        yield lag
        done = CounterMetricFamily(
            "prefloop_stage_events", "What became of events, by stage", labels=["stage", "became"]
        )
        for stage, counts in engine.counts().items():
            for became, count in counts.items():
                done.add_metric([stage, became], count)
        yield done


def probe(engine: Reporting, host: str, port: int, *, restarts: int = 0) -> Probe:
    """The worker's answers over HTTP."""
    vital = Vital(
        alive=lambda: "",  # a worker that hangs is ended by its own watchdog
        ready=lambda: "" if engine.is_ready() else "its states are being restored, or partitions move",
        lag=engine.lag,
        counts=dict,
    )
    return Probe("worker", vital, host, port, WorkerNumbers(engine, restarts))

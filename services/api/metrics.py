"""Prometheus metrics of one app, in a registry of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from services.queue.port import QueueCounts

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class _Gauges(Collector):
    """Read when they are asked for."""

    def __init__(
        self,
        queue: Callable[[], QueueCounts],
        lag: Callable[[], Mapping[str, int]],
        events: Callable[[], Mapping[str, int]],
    ) -> None:
        self._queue, self._lag, self._events = queue, lag, events

    def collect(self) -> Iterator[Metric]:
        """The families, as prometheus_client wants them."""
        counts = self._queue()
        tasks = GaugeMetricFamily("prefloop_queue_tasks", "Tasks that wait for judgments", labels=["status"])
        tasks.add_metric(["open"], counts.open)
        tasks.add_metric(["escalated"], counts.escalated)
        yield tasks
        yield GaugeMetricFamily("prefloop_queue_leases", "Tasks that are with annotators now", value=counts.leased)
        lag = GaugeMetricFamily("prefloop_lag_events", "Events not yet applied, by reader", labels=["reader"])
        for reader, behind in self._lag().items():
            lag.add_metric([reader], behind)
        yield lag
        events = CounterMetricFamily("prefloop_events", "Events in the log, by topic", labels=["topic"])
        for topic, count in self._events().items():
            events.add_metric([topic], count)
        yield events


class Metrics:
    """Requests and their latency; gauges of queue, lag and log."""

    def __init__(
        self,
        queue: Callable[[], QueueCounts],
        lag: Callable[[], Mapping[str, int]],
        events: Callable[[], Mapping[str, int]],
    ) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Gauges(queue, lag, events))
        labels = ["method", "path", "status"]
        requests = Counter("prefloop_requests", "Requests answered", labels, registry=self._registry)
        seconds = Histogram(
            "prefloop_request_seconds",
            "Time to the answer",
            ["method", "path"],
            buckets=SECONDS,
            registry=self._registry,
        )
        self._count = lru_cache(2048)(requests.labels)
        self._time = lru_cache(512)(seconds.labels)

    def observe(self, method: str, path: str, status: int, seconds: float) -> None:
        """One answered request; `path` is the route's template, so that labels stay few."""
        self._count(method, path, str(status)).inc()
        self._time(method, path).observe(seconds)

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self._registry)

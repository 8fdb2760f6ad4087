"""Prometheus metrics of one app, in a registry of its own; docs/operations.md says what to alarm on."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from services.queue.port import QueueCounts
from streams.errors import UnavailableError

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
Counts = Callable[[], Mapping[str, int]]


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Where the numbers come from that are read when they are asked for."""

    queue: Callable[[], QueueCounts]
    ready: Callable[[], bool]
    lag: Counts  # events not yet applied, by reader
    events: Counts  # by topic
    alerts: Counts  # by hypothesis
    errors: Counts  # by place, since the start
    folder: Path | None  # of the data; None in a cluster, whose data is elsewhere


class _Numbers(Collector):
    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def collect(self) -> Iterator[Metric]:
        """The families, as prometheus_client wants them."""
        sources = self._sources
        with contextlib.suppress(UnavailableError):  # an outage of the queue must not hide the other numbers
            yield from _queue(sources.queue())
        yield GaugeMetricFamily("prefloop_ready", "1: tasks are granted, engine and views work", value=sources.ready())
        lag = GaugeMetricFamily("prefloop_lag_events", "Events not yet applied, by reader", labels=["reader"])
        for reader, behind in sources.lag().items():
            lag.add_metric([reader], behind)
        yield lag
        events = sources.events()
        yield _counter("prefloop_events", "Events in the log", "topic", events)
        letters = events.get("dead_letters", 0)
        yield CounterMetricFamily("prefloop_dead_letters", "Events that could not be used", value=letters)
        yield _counter("prefloop_alerts", "Alarms about annotators", "hypothesis", sources.alerts())
        yield _counter("prefloop_errors", "What went wrong inside, since the start", "where", sources.errors())
        if sources.folder is not None:
            yield from _disk(sources.folder)


def _queue(counts: QueueCounts) -> Iterator[Metric]:
    tasks = GaugeMetricFamily("prefloop_queue_tasks", "Tasks that wait for judgments", labels=["status"])
    tasks.add_metric(["open"], counts.open)
    tasks.add_metric(["escalated"], counts.escalated)
    yield tasks
    yield GaugeMetricFamily("prefloop_queue_leases", "Tasks that are with annotators now", value=counts.leased)


def _disk(folder: Path) -> Iterator[Metric]:
    free = shutil.disk_usage(folder).free
    yield GaugeMetricFamily("prefloop_disk_free_bytes", "Free space where the data folder lies", value=free)
    size = sum(path.stat().st_size for path in folder.glob("prefloop.sqlite3*"))
    yield GaugeMetricFamily("prefloop_database_bytes", "Log and views, with their write-ahead log", value=size)


def _counter(name: str, text: str, label: str, counts: Mapping[str, int]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, text, labels=[label])
    for key, count in counts.items():
        family.add_metric([key], count)
    return family


class Metrics:
    """Requests and their latency, the numbers of queue, lag and log, and what the process uses."""

    def __init__(self, sources: Sources) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Numbers(sources))
        ProcessCollector(registry=self._registry)
        labels = ["method", "path", "status"]
        requests = Counter("prefloop_http_requests", "Requests answered", labels, registry=self._registry)
        seconds = Histogram(
            "prefloop_http_request_duration_seconds",
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

"""What a worker tells of itself over HTTP: /healthz, /readyz and /metrics, from a thread beside the event loop."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Protocol

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

JSON = "application/json"


class Reporting(Protocol):
    """What the engine tells."""

    def is_ready(self) -> bool:
        """Tables recovered, partitions assigned, events flowing."""
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


class _Numbers(Collector):
    def __init__(self, engine: Reporting, restarts: int) -> None:
        self._engine = engine
        self._restarts = restarts

    def collect(self) -> Iterator[Metric]:
        """The families, as prometheus_client wants them."""
        engine = self._engine
        yield GaugeMetricFamily("prefloop_ready", "1: recovered, assigned and flowing", value=engine.is_ready())
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


class Health:
    """Serves until the block is left."""

    def __init__(self, engine: Reporting, host: str, port: int, *, restarts: int = 0) -> None:
        registry = CollectorRegistry()
        registry.register(_Numbers(engine, restarts))
        ProcessCollector(registry=registry)

        class Answers(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, kind, body = _answer(self.path, engine, registry)
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Probes are no news."""

        self._server = ThreadingHTTPServer((host, port), Answers)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def __enter__(self) -> Health:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _answer(path: str, engine: Reporting, registry: CollectorRegistry) -> tuple[int, str, bytes]:
    if path == "/healthz":
        return 200, JSON, b'{"alive":true}'
    if path == "/readyz":
        ready = engine.is_ready()
        told = {"ready": ready, "partitions": engine.partitions(), "lag": engine.lag()}
        return (200 if ready else 503), JSON, msgspec.json.encode(told)
    if path == "/metrics":
        return 200, CONTENT_TYPE_LATEST, generate_latest(registry)
    return 404, JSON, b'{"error":"there is /healthz, /readyz and /metrics"}'

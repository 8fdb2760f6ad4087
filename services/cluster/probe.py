"""What a process without an API tells over HTTP: /healthz, /readyz and /metrics."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

import msgspec
import structlog
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from streams.errors import SettingsError

JSON = "application/json"
_log = structlog.get_logger("probe")


@dataclass(frozen=True, kw_only=True)
class Vital:
    """What is asked of the process. A reason is what keeps it from being well; "" is well."""

    alive: Callable[[], str]
    ready: Callable[[], str]
    lag: Callable[[], Mapping[str, int]]  # events not yet applied, by reader
    counts: Callable[[], Mapping[str, int]]  # what became of events since the start


class _Numbers(Collector):
    def __init__(self, name: str, vital: Vital) -> None:
        self._name = name
        self._vital = vital

    def collect(self) -> Iterator[Metric]:
        """The families, as prometheus_client wants them."""
        yield GaugeMetricFamily("prefloop_ready", "1: it does its work", value=not self._vital.ready())
        lag = GaugeMetricFamily("prefloop_lag_events", "Events not yet applied, by reader", labels=["reader"])
        for reader, behind in self._vital.lag().items():
            lag.add_metric([reader], behind)
        yield lag
        done = CounterMetricFamily(f"prefloop_{self._name}_events", "What became of events", labels=["became"])
        for became, count in self._vital.counts().items():
            done.add_metric([became], count)
        yield done


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Who asks whether a port is open leaves without the answer; all else is told as everything is."""
        if not isinstance(sys.exception(), ConnectionError):
            _log.error("no answer to a probe", exc_info=True)


class Probe:
    """Answers until the block is left. `numbers` are metrics of the process's own, instead of the usual ones."""

    def __init__(self, name: str, vital: Vital, host: str, port: int, numbers: Collector | None = None) -> None:
        registry = CollectorRegistry()
        registry.register(numbers or _Numbers(name, vital))
        ProcessCollector(registry=registry)

        class Answers(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, kind, body = _answer(self.path, vital, registry)
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Probes are no news."""

        try:
            self._server = _Server((host, port), Answers)
        except OSError as error:
            raise SettingsError(
                f"cannot listen on {host} port {port} ({error.strerror}): choose another with PREFLOOP_PORT"
            ) from error
        self._thread = threading.Thread(target=self._server.serve_forever, name="probe", daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def __enter__(self) -> Probe:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _answer(path: str, vital: Vital, registry: CollectorRegistry) -> tuple[int, str, bytes]:
    if path == "/metrics":
        return 200, CONTENT_TYPE_LATEST, generate_latest(registry)
    asked = {"/healthz": vital.alive, "/readyz": vital.ready}.get(path)
    if asked is None:
        return 404, JSON, b'{"status":"not_found"}'
    reason = asked()
    told = {"status": "unavailable", "reason": reason} if reason else {"status": "ok"}
    return (503 if reason else 200), JSON, msgspec.json.encode(told)

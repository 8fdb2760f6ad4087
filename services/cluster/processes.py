"""The long-running processes of a cluster beside the worker: API, materializer, coordinator."""

from __future__ import annotations

import gc
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence

import structlog
from sqlalchemy.exc import DBAPIError

from services.api.app import create_app
from services.appending import appending
from services.bootstrap import Service
from services.cluster.composition import ClusterService, open_cluster
from services.cluster.probe import Probe, Vital
from services.cluster.reconciliation import Reconciler, judgments_in
from services.coordinator.coordinator import Coordinator
from services.materializer.folding import Folding
from services.materializer.materializer import LOCK, Materializer
from services.queue.leases import OverdueLeases
from services.queue.rebuild import restore
from services.settings import Settings
from services.store.database import Advisory
from services.store.projection import Views
from services.up import COLLECT, SWITCH, TICK, listen, require_free
from streams.engines.kafka_reader import KafkaReader
from streams.errors import UnavailableError
from streams.events import Judgment

SILENT_S = 60.0  # a loop that was not heard of for so long hangs: the process is to be started anew
_log = structlog.get_logger("cluster")


def serve_api(settings: Settings) -> None:
    """The HTTP API and the annotator page, until it is told to end. Any number of replicas."""
    sys.setswitchinterval(SWITCH)
    gc.set_threshold(*COLLECT)
    require_free(settings.host, settings.port, "PREFLOOP_PORT")
    service = open_cluster(settings)
    try:
        listen(create_app(service), settings)
    finally:
        service.close()
        _log.info("stopped")


def run_materializer(settings: Settings) -> None:
    """Kafka into PostgreSQL and Redis, until it is told to end. One is active, others wait to take over."""
    service = open_cluster(settings)
    materializer = make_materializer(service)
    vital = Vital(
        alive=lambda: _silent(materializer.heard_at),
        ready=lambda: materializer.failure or ("" if materializer.ready else "the views are being folded"),
        lag=lambda: {Views.name: max(0, materializer.lag)},
        counts=lambda: materializer.counts,
    )
    try:
        with Probe("materializer", vital, settings.host, settings.port):
            materializer.start()
            until_told()
            materializer.stop()
    finally:
        service.close()


def make_materializer(service: ClusterService) -> Materializer:
    """The materializer of that cluster; it is not started. Of all processes it alone sees each dead letter once."""
    live = service.live(service.clock())
    return Materializer(
        folding=Folding(service.database, service.layout),
        lock=Advisory(service.database, LOCK),
        connection=service.connection,
        layout=service.layout,
        log=service.kafka,
        queue=service.queue,
        restore=lambda: restore(service.queue, service.database),
        is_new=lambda: not service.store.totals().get("tasks"),
        noted=lambda records: live.tell_letters(records, service.clock()),
    )


def run_coordinator(settings: Settings) -> None:
    """Batches, revocation, gate, sampler and the end of leases, until it is told to end. One is active."""
    service = open_cluster(settings)
    reconciler = make_reconciler(service)
    active = ActiveCoordinator(service, reconciler)
    vital = Vital(
        alive=lambda: _silent(active.heard_at),
        ready=lambda: active.failure,
        lag=service.engine.lag,
        counts=lambda: {"ticks": active.ticks, "reconciled": reconciler.appended},
    )
    try:
        with Probe("coordinator", vital, settings.host, settings.port):
            active.start()
            until_told()
            active.stop()
    finally:
        service.close()


def make_reconciler(service: ClusterService) -> Reconciler:
    """Of judgments that the stages missed; see services/cluster/reconciliation.py."""

    def find(wanted: Sequence[tuple[str, str]]) -> list[Judgment]:
        reader = KafkaReader(service.connection)
        try:
            return judgments_in(reader, service.layout, wanted)
        finally:
            reader.close()

    return Reconciler(
        database=service.database, log=service.log, lag=service.engine.lag, find=find, clock=service.clock
    )


class ActiveCoordinator:
    """Ticks while this process holds the lock; a second one waits for it, well and ready to take over."""

    def __init__(self, service: Service, reconciler: Reconciler) -> None:
        self._reconciler = reconciler
        self._lock = Advisory(service.database, "coordinator")
        self._service = service
        self._overdue = OverdueLeases(service.queue)
        self._live = service.live(service.clock())
        self._coordinator = Coordinator(service, on_error=self._live.error)
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._run, name="coordinator", daemon=True)
        self.heard_at = time.monotonic()
        self.failure = ""
        self.ticks = 0

    def start(self) -> None:
        """Runs on a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Ends with the tick in hand, and lets the next one in."""
        self._leaving.set()
        self._thread.join()
        self._coordinator.close()
        self._lock.release()

    def _run(self) -> None:
        while not self._leaving.wait(TICK):
            self.heard_at = time.monotonic()
            try:
                if self._lock.is_held() or self._lock.acquire():
                    self._coordinator.tick()
                    self._end_leases()
                    self._reconciler.tick()
                    self.ticks += 1
                self.failure = ""
            except (UnavailableError, DBAPIError) as error:
                self.failure = str(error)
                _log.error("outage", error=str(error))

    def _end_leases(self) -> None:
        """Those that nobody asks about."""
        if self._service.queue.ready:
            with self._overdue.ended(self._service.clock()) as ended:
                if ended:
                    self._service.log.submit(appending(ended)).result()


def until_told() -> None:
    """Returns at SIGTERM or Ctrl-C."""
    told = threading.Event()
    stop: Callable[..., None] = lambda *_: told.set()  # noqa: E731
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    told.wait()


def _silent(heard_at: float) -> str:
    silent = time.monotonic() - heard_at
    return f"its loop was not heard of for {silent:.0f} s" if silent > SILENT_S else ""

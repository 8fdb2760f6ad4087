"""`prefloop up`: everything of one machine in one command.

This process holds the log, the engine, the coordinator and the HTTP API; dashboard and trainer are its children.
"""

from __future__ import annotations

import errno
import gc
import os
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType

import structlog
import uvicorn
from rich.console import Console
from sqlalchemy import select

from services.api.app import VERSION, create_app
from services.api.auth import NewKey, make_key, new_annotator_id, revoke_key, store_key
from services.api.routing import App
from services.bootstrap import Service, open_service
from services.children import Child, Children
from services.coordinator.coordinator import Coordinator
from services.settings import Settings
from services.store import models as m
from streams.engines.port import Transaction
from streams.errors import SettingsError, UnavailableError

TRAINER = "local trainer"  # the name of the key that the trainer beside this process works with
SWITCH = 0.0005  # seconds a thread may keep the interpreter while the event loop waits for it (Python's own: 0.005)
COLLECT = (20_000, 20, 100)  # the open tasks live long: looking through all of them often stops every request
TICK = 1.0  # seconds between the coordinator's looks
_log = structlog.get_logger("up")


class Ticking:
    """The coordinator on a thread of its own, until the block is left; ends the process when the engine broke."""

    def __init__(self, coordinator: Coordinator, service: Service) -> None:
        self._coordinator = coordinator
        self._service = service
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._tick, name="coordinator", daemon=True)

    def __enter__(self) -> Ticking:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leaving.set()
        self._thread.join()
        self._coordinator.close()

    def _tick(self) -> None:
        while not self._leaving.wait(TICK):
            if self._service.engine.failure:  # without its writer the process is of no use: let it end visibly
                os.kill(os.getpid(), signal.SIGTERM)
                return
            self._coordinator.tick()


def serve(settings: Settings, console: Console, *, dashboard: bool = True, trainer: bool = True) -> None:
    """Runs until it is stopped. Raises SettingsError for a taken port, UnavailableError for a folder in use."""
    sys.setswitchinterval(SWITCH)
    gc.set_threshold(*COLLECT)
    require_free(settings.host, settings.port, "--port")
    if dashboard:
        if settings.dashboard_port == settings.port:
            raise SettingsError(f"port {settings.port} cannot be the API's and the dashboard's: give --dashboard-port")
        require_free(settings.host, settings.dashboard_port, "--dashboard-port")
    service = open_service(settings)
    try:
        first = first_keys(service)
        children = [dashboard_child(settings)] if dashboard else []
        children += [trainer_child(service)] if trainer else []
        app = create_app(service)
        coordinator = Coordinator(service, on_error=app.state.context.live.error)
        announce(settings, console, first, dashboard=dashboard)
        with Ticking(coordinator, service), Children(children, settings.data / "logs"):
            listen(app, settings)
        if service.engine.failure:
            raise UnavailableError(
                "the engine broke, its reason is in the log above; everything acknowledged is safe: start again"
            ) from service.engine.failure
    finally:
        service.close()
        _log.info("stopped")


def listen(app: App, settings: Settings) -> None:
    """Answers requests; returns at SIGTERM or Ctrl-C, with what is in hand answered.

    uvicorn raises the signal that ended it once more at its end. SIGTERM would kill the process there, before anything
    is closed: so it is made to raise what Ctrl-C raises.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    _log.info("started", version=VERSION, address=settings.url)
    with suppress(KeyboardInterrupt):
        uvicorn.run(
            app,
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            proxy_headers=False,  # nobody asks for the client's address
            timeout_graceful_shutdown=5,
        )


def require_free(host: str, port: int, option: str) -> None:
    """Raises SettingsError where somebody listens already."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            elsewhere = isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL
            mend = "name an address of this machine with --host" if elsewhere else f"choose another with {option}"
            raise SettingsError(f"cannot listen on {host} port {port} ({error.strerror}): {mend}") from error


def first_keys(service: Service) -> Sequence[NewKey]:
    """Keys of the first admin and of a first annotator where there is no admin yet, else none."""
    with service.database.connect() as sql:
        admins = select(m.keys.c.key_id).where(m.keys.c.role == "admin", m.keys.c.revoked_at == 0)
        if sql.execute(admins).first():
            return ()
    admin = make_key("admin", "first admin", key=service.settings.admin_key)
    annotator = make_key("annotator", "first annotator", annotator=new_annotator_id())

    def store(transaction: Transaction) -> None:
        for new in (admin, annotator):
            store_key(transaction.sql, new, service.clock())

    service.log.submit(store).result()
    return admin, annotator


def trainer_child(service: Service) -> Child:
    """The trainer beside this process, with a key made for this start; the one of the last start is revoked."""
    new, now, settings = make_key("engineer", TRAINER), service.clock(), service.settings
    with service.database.connect() as sql:
        old = sql.execute(select(m.keys.c.key_id).where(m.keys.c.name == TRAINER, m.keys.c.revoked_at == 0)).scalars()
        stale = list(old)

    def exchange(transaction: Transaction) -> None:
        for key_id in stale:
            revoke_key(transaction.sql, key_id, now)
        store_key(transaction.sql, new, now)

    service.log.submit(exchange).result()
    arguments = ["--server", settings.url, "--artifacts", str(settings.artifacts.absolute()), "--name", "local"]
    return Child(module="services.trainer", arguments=arguments, environment={"PREFLOOP_KEY": new.key})


def dashboard_child(settings: Settings) -> Child:
    """The dashboard beside this process; people sign in to it with their own keys."""
    where = ["--host", settings.host, "--port", str(settings.dashboard_port)]
    return Child(module="dashboard", arguments=["--server", settings.url, *where])


def announce(settings: Settings, console: Console, first: Sequence[NewKey], *, dashboard: bool) -> None:
    """Says where everything is, and the first keys on the first start, once."""
    address = settings.public_url or settings.url
    lines = [f"API             {address}/docs"]
    lines += [f"Dashboard       {settings.dashboard_url}"] if dashboard else []
    lines += [f"Annotator page  {address}", f"Data folder     {settings.data.absolute()}"]
    if first:
        admin, annotator = first
        lines += ["", "Shown this once, keep them:"]
        lines += [f"Admin key       [bold]{admin.key}[/bold]"]
        lines += [f"Judge yourself  [bold]{address}/#key={annotator.key}[/bold]"]
    for line in lines:
        console.print(line, soft_wrap=True, highlight=False)

"""The service as the demo speaks to it, its own or a deployment: over HTTP, with the admin's key, like people do."""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dashboard.client import Client, connect
from services.settings import Settings
from services.spawned import SpawnedService
from streams.errors import PrefloopError, UnavailableError

PORTS_TRIED = 200  # upwards from the settings' own
PATIENCE = 180.0  # seconds that an outage may last before the demo gives up
LOOK = 0.5  # seconds between two tries


class DemoError(PrefloopError):
    """The demo cannot go on; the message says the mend."""


@dataclass(frozen=True, kw_only=True)
class Running:
    """A running service and the key to it."""

    url: str  # of the API and the annotator page
    client: Client
    key: str  # the admin's
    dashboard_url: str = ""  # "" where the demo does not know it
    log: str = "the deployment's own logs"  # where the service and the trainer tell what happens
    check: Callable[[], None] = lambda: None  # raises where the service has ended

    def get(self, path: str, **query: str | int) -> Any:
        """The JSON at the path."""
        return self._patiently(lambda: self.client.get(self.key, path, **query))

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """The service's answer to the body, which may be sent twice: outputs have ids, the rest does no harm."""
        return self._patiently(lambda: self.client.post(self.key, path, body))

    def put(self, path: str, body: dict[str, Any]) -> Any:
        """The service's answer to the body."""
        return self._patiently(lambda: self.client.put(self.key, path, body))

    def _patiently(self, ask: Callable[[], Any]) -> Any:
        """Waits out an outage of a few seconds."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return ask()
            except UnavailableError:
                self.check()
                if time.monotonic() > end:
                    raise
                time.sleep(LOOK)

    def lines(self, path: str) -> Iterator[str]:
        """The NDJSON lines at the path, all of them read."""
        return iter(self._patiently(lambda: list(self.client.lines(self.key, path))))


@contextmanager
def running_service(data: Path, settings: Settings, options: Sequence[str] = ()) -> Iterator[Running]:
    """`prefloop up` on `data`, ready, until the block is left; on free ports near the settings' own.

    Raises UnavailableError with the end of the log where it does not start.
    """
    port, dashboard_port = free_port(settings.port), free_port(settings.dashboard_port)
    key = f"plk_{secrets.token_hex(6)}_{secrets.token_urlsafe(24)}"
    data.mkdir(parents=True, exist_ok=True)
    log = data / "up.log"
    options = ["--dashboard-port", str(dashboard_port), *options]
    with SpawnedService(data, key, port=port, options=options, log=log) as spawned, connect(spawned.url).http as http:
        yield Running(
            url=spawned.url,
            client=Client(http),
            key=key,
            dashboard_url=f"http://127.0.0.1:{dashboard_port}",
            log=f"{log} and {data / 'logs'}",
            check=spawned.check,
        )


@contextmanager
def deployed_service(url: str, key: str) -> Iterator[Running]:
    """A deployment that runs already. Raises UnavailableError where it does not, DemoError for a key of no admin."""
    with connect(url).http as http:
        running = Running(url=url, client=Client(http), key=key)
        role = running.get("/v1/me")["role"]
        if role != "admin":
            raise DemoError(f"the key in PREFLOOP_KEY is one of role {role}: the demo needs the deployment's admin key")
        yield running


def free_port(first: int) -> int:
    """The first port from `first` on that nobody listens on. Raises DemoError where there is none."""
    for port in range(first, first + PORTS_TRIED):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise DemoError(f"no port from {first} to {first + PORTS_TRIED - 1} is free; stop something that listens there")

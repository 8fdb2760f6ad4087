"""`prefloop up` as a child of the demo: started like a user starts it, spoken to over HTTP, and surely ended."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dashboard.client import Client, connect
from services.children import Child
from streams.errors import PrefloopError, UnavailableError

PORT, DASHBOARD_PORT = 8080, 8501  # tried first
PORTS_TRIED = 200  # upwards from there
START = 60.0  # seconds that the service may take to be ready
PATIENCE = 60.0  # seconds that an outage may last before the demo gives up
TAIL = 15  # lines of the service's log that a failed start shows


class DemoError(PrefloopError):
    """The demo cannot go on; the message says the mend."""


@dataclass(frozen=True, kw_only=True)
class Running:
    """A running service and the key to it."""

    client: Client
    url: str
    dashboard_url: str
    key: str  # the admin's
    process: subprocess.Popen[bytes]
    log: Path

    def get(self, path: str, **query: str | int) -> Any:
        """The JSON at the path; an outage of a few seconds is waited out."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return self.client.get(self.key, path, **query)
            except UnavailableError:
                self.check()
                if time.monotonic() > end:
                    raise
                time.sleep(0.5)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """The service's answer to the body."""
        return self.client.post(self.key, path, body)

    def put(self, path: str, body: dict[str, Any]) -> Any:
        """The service's answer to the body."""
        return self.client.put(self.key, path, body)

    def check(self) -> None:
        """Raises DemoError where the service has ended."""
        code = self.process.poll()
        if code is not None:
            raise DemoError(f"the service ended with exit code {code}; its log {self.log} ends with:\n{tail(self.log)}")


@contextmanager
def running_service(data: Path, *, dashboard: bool = True, trainer: bool = True) -> Iterator[Running]:
    """The service on `data`, ready, until the block is left. Raises DemoError where it does not start."""
    port, dashboard_port = free_port(PORT), free_port(DASHBOARD_PORT)
    key = f"plk_{secrets.token_hex(6)}_{secrets.token_urlsafe(24)}"
    data.mkdir(parents=True, exist_ok=True)
    log = data / "up.log"
    options = ["--data", str(data), "--port", str(port), "--dashboard-port", str(dashboard_port)]
    options += [] if dashboard else ["--no-dashboard"]
    options += [] if trainer else ["--no-trainer"]
    child = Child(module="services.cli", arguments=["up", *options], environment={"PREFLOOP_ADMIN_KEY": key})
    with log.open("ab") as sink, _child(child, sink) as process:
        url = f"http://127.0.0.1:{port}"
        running = Running(
            client=connect(url),
            url=url,
            dashboard_url=f"http://127.0.0.1:{dashboard_port}",
            key=key,
            process=process,
            log=log,
        )
        _await_ready(running)
        yield running


@contextmanager
def _child(child: Child, sink: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A session of its own, so that Ctrl-C reaches the demo alone, which then ends the service in good order."""
    process = subprocess.Popen(
        child.command,
        stdin=subprocess.PIPE,
        stdout=sink,
        stderr=subprocess.STDOUT,
        env={**os.environ, **child.environment},
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdin:
            process.stdin.close()


def _await_ready(running: Running) -> None:
    end = time.monotonic() + START
    while not running.client.healthy("/readyz"):
        running.check()
        if time.monotonic() > end:
            raise DemoError(f"the service was not ready after {START:.0f} s; see its log {running.log}")
        time.sleep(0.2)


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


def tail(log: Path, lines: int = TAIL) -> str:
    """The last lines of a log."""
    return "\n".join(log.read_text("utf-8", "replace").splitlines()[-lines:])

"""`prefloop` in processes of their own, for those who drive them from outside: demo, benchmarks, tests of kills."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import httpx

from services.children import Child
from streams.errors import UnavailableError

LOOK = 0.05  # seconds between looks at a service that starts


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Spawned:
    """A `prefloop` command; started on entering, stopped on leaving; can be killed and started again in between.

    It serves HTTP on `port`, where `http` speaks to it with the admin's key.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        admin_key: str,
        *,
        port: int,
        log: Path,
        environment: Mapping[str, str] | None = None,
        module: str = "services.cli",
        patience_s: float = 120.0,
    ) -> None:
        """`patience_s`: how long it may take until it is ready."""
        self.port = port
        self._patience_s = patience_s
        self.url = f"http://127.0.0.1:{port}"
        self._command = Child(module=module, arguments=arguments).command
        self._environment = {**os.environ, "PREFLOOP_ADMIN_KEY": admin_key, **(environment or {})}
        self._log = log
        self.http = httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {admin_key}"}, timeout=60)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self.http.close()

    def start(self) -> None:
        """Starts it and waits until it is ready. Raises UnavailableError with the end of its log if it ends."""
        self.launch()
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Returns when it says that it does its work. Raises UnavailableError."""
        self.wait(lambda: self.http.get("/readyz").is_success, self._patience_s)

    def launch(self) -> None:
        """Starts it.

        It has a session of its own, so that Ctrl-C reaches who drives it alone, and dies with it all the same.
        """
        output: IO[bytes]
        with self._log.open("ab") as output:
            self._running = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._environment,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._running.pid

    def kill(self) -> None:
        """kill -9, its children too: it can do nothing about it."""
        os.killpg(self._running.pid, signal.SIGKILL)
        self._running.communicate()

    def check(self) -> None:
        """Raises UnavailableError with the end of its log where it has ended."""
        if self._running.poll() is not None:
            raise UnavailableError(f"the service ended:\n{self._log.read_text(errors='replace')[-2000:]}")

    def stop(self) -> int:
        """Asks it to stop and waits; its exit code."""
        if self._running.poll() is None:
            self._running.terminate()
        return self.wait_until_ended()

    def wait_until_ended(self) -> int:
        """Its exit code, once it has one. The pipe is closed after that: a child whose pipe closes ends at once."""
        code = self._running.wait(timeout=60)
        self._running.communicate()
        return code

    def wait(self, ready: Callable[[], bool], seconds: float) -> float:
        """Seconds until `ready()`; a service that is not there yet counts as not ready. Raises UnavailableError."""
        begin = time.perf_counter()
        while time.perf_counter() < begin + seconds:
            self.check()
            try:
                if ready():
                    return time.perf_counter() - begin
            except httpx.TransportError:
                pass
            time.sleep(LOOK)
        raise UnavailableError(f"the service was not ready after {seconds:.0f} s: see {self._log}")


class SpawnedService(Spawned):
    """`prefloop up` on a data folder."""

    def __init__(
        self,
        data: Path,
        admin_key: str,
        *,
        port: int = 0,
        options: Sequence[str] = ("--no-dashboard", "--no-trainer"),
        environment: Mapping[str, str] | None = None,
        log: Path | None = None,
        module: str = "services.cli",
    ) -> None:
        port = port or free_port()
        arguments = ["up", "--data", str(data), "--port", str(port), *options]
        log = log or data.with_name(f"{data.name}.log")
        super().__init__(arguments, admin_key, port=port, log=log, environment=environment, module=module)

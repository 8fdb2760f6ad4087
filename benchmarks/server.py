"""A real `prefloop up` to measure: its own process, its own data folder."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType

import httpx

from benchmarks.limits import free_port

ADMIN_KEY = "plk_benchmark_0123456789abcdef0123456789abcdef"


class Server:
    """Started on entering, killed on leaving."""

    def __init__(self, folder: Path | None = None) -> None:
        self._temporary = None if folder else tempfile.TemporaryDirectory()
        self.folder = folder or Path(self._temporary.name)  # type: ignore[union-attr]
        self.port = free_port()
        self.http = httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}", headers={"Authorization": f"Bearer {ADMIN_KEY}"}, timeout=60
        )

    def __enter__(self) -> Server:
        arguments = ["up", "--no-dashboard", "--no-trainer", "--data", str(self.folder), "--port", str(self.port)]
        environment = {**os.environ, "PREFLOOP_ADMIN_KEY": ADMIN_KEY, "PREFLOOP_LOG_LEVEL": "error"}
        self._running = subprocess.Popen(
            [sys.executable, "-m", "services.cli", *arguments], env=environment, stdout=subprocess.DEVNULL
        )
        self.wait(lambda: self.http.get("/readyz").is_success)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.terminate()
        self._running.wait(30)
        if self._temporary:
            self._temporary.cleanup()

    def wait(self, ready: object, seconds: float = 600) -> float:
        """Seconds until `ready()` says true; a service that is not there yet counts as false. Raises TimeoutError."""
        begin = time.perf_counter()
        while time.perf_counter() < begin + seconds:
            try:
                if ready():  # type: ignore[operator]
                    return time.perf_counter() - begin
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        raise TimeoutError(f"not there after {seconds:.0f} s")

    @property
    def megabytes(self) -> float:
        """Resident memory of the service."""
        status = Path(f"/proc/{self._running.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def annotators(self, count: int) -> list[str]:
        """Keys of so many new annotators."""
        return [
            self.http.post("/v1/annotators", json={"name": f"annotator {number}"}).raise_for_status().json()["key"]
            for number in range(count)
        ]

    def events(self, topic: str) -> int:
        """Events in the topic so far."""
        return int(self.http.get("/v1/live").json()["topics"][topic]["events"])

    def lag(self) -> int:
        """Events that some stage or view has not applied yet."""
        return sum(self.http.get("/v1/live").json()["lag"].values())

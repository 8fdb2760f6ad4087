"""What the real servers of the tests have in common: a process in a folder of its own, on a free port."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import IO

import pytest

from services.spawned import free_port

READY_WITHIN = 180.0  # seconds; 2 s on an idle machine, 5 s after a kill, much more on a busy one
ENDED_WITHIN = 60.0
LOOK = 0.02  # seconds between two looks, not a guess at how long it takes


class Server(ABC):
    """It runs from `start` to `stop`; tests may kill it and start it again."""

    farewell = signal.SIGTERM  # ends it in good order

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = free_port()
        self._running: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its process, while it runs."""
        assert self._running is not None
        return self._running.pid

    def start(self) -> None:
        """Returns when it answers. Raises RuntimeError with the end of its log."""
        with self.log.open("ab") as log:
            self._running = self.launch(log)
        deadline = time.monotonic() + READY_WITHIN
        while not self.answers():
            if self._running.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"{type(self).__name__} did not start: {self.log.read_text()[-2000:]}")
            time.sleep(LOOK)

    def stop(self) -> None:
        """Ends it in good order."""
        self._end(self.farewell)

    def kill(self) -> None:
        """As the kernel would: no farewell to anybody."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        if self._running is not None:
            self._running.send_signal(how)
            self._running.wait(ENDED_WITHIN)
            self._running = None

    @property
    def log(self) -> Path:
        """What it printed."""
        return self.folder / "server.log"

    @abstractmethod
    def launch(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        """Its process, which prints into `log`."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether it takes requests."""


def require(absent: str) -> None:
    """Skips the test for that reason, if there is one; fails it where continuous integration wants every server."""
    if absent and os.environ.get("PREFLOOP_CI_REQUIRES_SERVICES") == "1":
        pytest.fail(absent)
    if absent:
        pytest.skip(absent)

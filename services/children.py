"""The processes beside the service (dashboard, trainer): started, watched, started again, ended together."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import structlog

FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0  # seconds before a child that ended is started again, doubling
_log = structlog.get_logger("children")


@dataclass(kw_only=True)
class Child:
    """One module to run, with what it must know that others must not see (its key) in its environment."""

    module: str
    arguments: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def command(self) -> list[str]:
        """The command line."""
        return [sys.executable, "-m", "services.child", self.module, *self.arguments]


class Children:
    """Keeps every child running until the block is left; their output goes to `logs`/MODULE.log."""

    def __init__(self, children: Sequence[Child], logs: Path) -> None:
        self._logs = logs
        self._leaving = threading.Event()
        self._threads = [threading.Thread(target=self._keep, args=(child,), daemon=True) for child in children]

    def __enter__(self) -> Children:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leaving.set()
        for thread in self._threads:
            thread.join(timeout=15)

    def _keep(self, child: Child) -> None:
        """Runs the child again and again, with growing pauses, until the block is left."""
        pause = FIRST_WAIT
        while not self._leaving.is_set():
            code = self._run(child)
            if self._leaving.wait(0):
                return
            _log.error("child ended", child=child.module, exit_code=code, log=str(self._log_of(child)), again_in=pause)
            self._leaving.wait(pause)
            pause = min(2 * pause, LONGEST_WAIT)

    def _run(self, child: Child) -> int:
        self._logs.mkdir(parents=True, exist_ok=True)
        with self._log_of(child).open("ab") as log:
            running = subprocess.Popen(
                child.command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **child.environment},
            )
            while running.poll() is None and not self._leaving.wait(0.2):
                pass
            return self._end(running)

    @staticmethod
    def _end(running: subprocess.Popen[bytes]) -> int:
        """Asks, waits ten seconds, insists. The pipe is closed last: that ends a child at once."""
        running.terminate()
        try:
            running.wait(timeout=10)
        except subprocess.TimeoutExpired:
            running.kill()
        running.communicate()
        return running.wait()

    def _log_of(self, child: Child) -> Path:
        return self._logs / f"{child.module}.log"

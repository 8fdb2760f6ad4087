"""Keeps one worker running: it ends itself where it cannot go on safely, and another begins at the commits."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping

import structlog

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 10.0  # before the next one is started, doubling
GOOD_RUN_S = 60.0  # a worker that lived this long begins the pauses anew
GRACE_S = 15.0  # between asking a worker to end and ending it
RESTARTS = "PREFLOOP_WORKER_RESTARTS"  # told to the worker, for its metrics
_log = structlog.get_logger("supervisor")


class Supervisor:
    """Runs the command again and again until `stop`; the child dies with this process, however that ends."""

    def __init__(self, module: str, environment: Mapping[str, str] | None = None) -> None:
        self._command = [sys.executable, "-m", "services.child", module]
        self._environment = {**os.environ, **(environment or {})}
        self._leaving = threading.Event()
        self._running: subprocess.Popen[bytes] | None = None
        self.restarts = 0

    def stop(self) -> None:
        """Ends the worker in good order, and does not start another."""
        self._leaving.set()
        if self._running is not None and self._running.poll() is None:
            self._running.terminate()

    def run(self) -> None:
        """Returns when the last worker has ended after `stop`."""
        pause = FIRST_PAUSE_S
        while not self._leaving.is_set():
            begun = time.monotonic()
            code = self._run_once()
            if self._leaving.is_set():
                return
            pause = FIRST_PAUSE_S if time.monotonic() - begun > GOOD_RUN_S else pause
            _log.error("worker ended", exit_code=code, again_in=pause, restarts=self.restarts)
            self._leaving.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)
            self.restarts += 1

    def _run_once(self) -> int:
        environment = {**self._environment, RESTARTS: str(self.restarts)}
        self._running = subprocess.Popen(self._command, stdin=subprocess.PIPE, env=environment)
        if self._leaving.is_set():  # told to end between the question and the start
            self._running.terminate()
        while self._running.poll() is None and not self._leaving.wait(0.2):
            pass
        return _ended(self._running)


def _ended(running: subprocess.Popen[bytes]) -> int:
    """Its exit code; one that does not end when asked is ended. The pipe is closed last: that ends a child at once."""
    try:
        running.wait(timeout=GRACE_S)
    except subprocess.TimeoutExpired:
        running.kill()
    running.communicate()
    return running.wait()


def supervise(module: str = "services.worker") -> None:
    """Runs the module under a supervisor until SIGTERM or Ctrl-C."""
    supervisor = Supervisor(module)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: supervisor.stop())
    supervisor.run()

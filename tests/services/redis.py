"""A real Redis for tests: its own folder, a free port, ended with the session."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis as client

REQUIRED = "PREFLOOP_CI_REQUIRES_SERVICES"  # 1: an absent service is a failure, not a skipped test
WAIT_S = 30


class Redis:
    """A server that tests may kill and start again. It keeps its contents over a kill, as many managed ones do."""

    def __init__(self, folder: Path, program: str, port: int) -> None:
        self.folder = folder
        self.port = port
        self._program = program
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """As clients take it."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Returns when it answers."""
        kept = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
        where = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)]
        with (self.folder / "log").open("ab") as log:
            self._server = subprocess.Popen([self._program, *where, *kept], stdout=log, stderr=log)
        self._await_answer()

    def kill(self) -> None:
        """As the kernel would: no farewell to anybody."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ends it in good order."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self._server is not None:
            self._server.send_signal(how)
            self._server.wait(WAIT_S)
            self._server = None

    def _await_answer(self) -> None:
        deadline = time.monotonic() + WAIT_S
        with client.Redis(port=self.port) as probe:
            while True:
                try:
                    probe.ping()
                    return
                except client.ConnectionError:
                    if time.monotonic() > deadline:
                        raise AssertionError((self.folder / "log").read_text()) from None
                    time.sleep(0.02)  # between two looks, not for a guess at how long it takes


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    """The session's server."""
    program = shutil.which("redis-server")
    if program is None:
        reason = "no Redis here: apt-get install redis-server"
        if os.environ.get(REQUIRED) == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    server = Redis(tmp_path_factory.mktemp("redis"), program, port)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis_url(redis_server: Redis) -> str:
    """The URL of an empty Redis."""
    with client.Redis.from_url(redis_server.url) as connection:
        connection.flushall()
    return redis_server.url

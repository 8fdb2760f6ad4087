"""A real Redis for tests: its own folder, a free port, ended with the session."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from typing import IO

import pytest
import redis as client

from tests.services.server import Server, require


def absent() -> str:
    """Why Redis cannot be started here; "" where it can."""
    return "" if shutil.which("redis-server") else "no Redis here: apt-get install redis-server"


class Redis(Server):
    """It keeps its contents over a kill, as many managed ones do."""

    @property
    def url(self) -> str:
        """As clients take it."""
        return f"redis://127.0.0.1:{self.port}/0"

    def launch(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        """See Server."""
        kept = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
        where = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)]
        return subprocess.Popen(["redis-server", *where, *kept], stdout=log, stderr=log)

    def answers(self) -> bool:
        """See Server."""
        try:
            with client.Redis(port=self.port) as probe:
                return bool(probe.ping())
        except client.ConnectionError:  # also while it reads what it kept
            return False


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    """The session's server."""
    require(absent())
    server = Redis(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis_url(redis_server: Redis) -> str:
    """The URL of an empty Redis."""
    with client.Redis.from_url(redis_server.url) as connection:
        connection.flushall()
    return redis_server.url

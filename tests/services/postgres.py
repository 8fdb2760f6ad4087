"""A real PostgreSQL for tests: its own folder, a free port, ended with the session."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

REQUIRED = "PREFLOOP_CI_REQUIRES_SERVICES"  # 1: an absent service is a failure, not a skipped test
WAIT_S = 30
OPTIONS: tuple[str, ...] = ("fsync=off", "max_connections=100", "shared_buffers=32MB", "deadlock_timeout=100ms")


def binaries() -> Path | None:
    """The folder of initdb and postgres; Debian keeps them out of the PATH."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return debian[-1].parent if debian else None


class Postgres:
    """A server that tests may kill and start again; what was committed survives a kill of the process."""

    def __init__(self, folder: Path, programs: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        self._programs = programs
        self._user = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root
        self._server: subprocess.Popen[bytes] | None = None
        if self._user:
            shutil.chown(folder, self._user)
        self._run("initdb", "-D", str(folder / "base"), "-U", "prefloop", "-A", "trust", "-E", "UTF8", "--no-sync")

    def url(self, database: str = "postgres") -> str:
        """As SQLAlchemy takes it."""
        return f"postgresql+psycopg://prefloop@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Returns when it answers."""
        options = [part for option in OPTIONS for part in ("-c", option)]
        command = [str(self._programs / "postgres"), "-D", str(self.folder / "base"), "-k", str(self.folder)]
        with (self.folder / "log").open("ab") as log:
            self._server = subprocess.Popen(
                [*command, "-p", str(self.port), "-h", "127.0.0.1", *options],
                stdout=log,
                stderr=log,
                user=self._user,
                cwd=self.folder,
            )
        self._await_answer()

    def kill(self) -> None:
        """As the kernel would: no farewell to anybody. Its children too: alone they answer for a moment longer."""
        children = psutil.Process(self._server.pid).children(recursive=True) if self._server else []
        self._end(signal.SIGKILL)
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        psutil.wait_procs(children, WAIT_S)

    def stop(self) -> None:
        """Ends it at once, in good order."""
        self._end(signal.SIGINT)

    def create_database(self) -> str:
        """The URL of a new empty database."""
        name = f"t_{secrets.token_hex(6)}"
        engine = create_engine(self.url(), isolation_level="AUTOCOMMIT")
        with engine.connect() as sql:
            sql.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        return self.url(name)

    def _end(self, how: signal.Signals) -> None:
        if self._server is not None:
            self._server.send_signal(how)
            self._server.wait(WAIT_S)
            self._server = None

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(self._programs / program), *arguments],
            check=True,
            capture_output=True,
            user=self._user,
            cwd=self.folder,
        )

    def _await_answer(self) -> None:
        engine = create_engine(self.url())
        deadline = time.monotonic() + WAIT_S
        while True:
            try:
                engine.connect().close()
                break
            except OperationalError:
                if time.monotonic() > deadline:
                    raise AssertionError((self.folder / "log").read_text()) from None
                time.sleep(0.05)  # between two looks, not for a guess at how long it takes
        engine.dispose()


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The session's server."""
    programs = binaries()
    if programs is None:
        reason = "no PostgreSQL here: apt-get install postgresql"
        if os.environ.get(REQUIRED) == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    folder = Path(tempfile.mkdtemp(prefix="prefloop-postgres-"))
    folder.chmod(0o755)
    server = Postgres(folder, programs, free_port())
    server.start()
    yield server
    server.stop()
    shutil.rmtree(folder)


@pytest.fixture
def database_url(postgres: Postgres) -> str:
    """An empty database of one test's own."""
    return postgres.create_database()

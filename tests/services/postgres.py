"""A real PostgreSQL for tests: its own folder, a free port, ended with the session."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import psutil
import psycopg
import pytest

from tests.services.server import ENDED_WITHIN, Server, require

OPTIONS = ("max_connections=100", "shared_buffers=32MB", "deadlock_timeout=100ms")


def absent() -> str:
    """Why PostgreSQL cannot be started here; "" where it can."""
    return "" if binaries() else "no PostgreSQL here: apt-get install postgresql"


def binaries() -> Path | None:
    """The folder of initdb and postgres; Debian keeps them out of the PATH."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return debian[-1].parent if debian else None


class Postgres(Server):
    """What was committed survives a kill of the process; only if `durable` the machine's end too."""

    farewell = signal.SIGINT  # at once: it does not wait for those who are still connected

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        """`folder` must be one that the user postgres may enter."""
        super().__init__(folder)
        self._options = OPTIONS if durable else (*OPTIONS, "fsync=off")
        self._user = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root
        if self._user:
            shutil.chown(folder, self._user)
        how = ["-U", "prefloop", "-A", "trust", "-E", "UTF8", "--no-sync"]
        command = [self._program("initdb"), "-D", str(folder / "base"), *how]
        subprocess.run(command, check=True, capture_output=True, user=self._user, cwd=folder)

    def url(self, database: str = "postgres") -> str:
        """As SQLAlchemy takes it."""
        return f"postgresql+psycopg://{self._place(database)}"

    def launch(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        """See Server."""
        options = [part for option in self._options for part in ("-c", option)]
        where = ["-D", str(self.folder / "base"), "-k", str(self.folder), "-p", str(self.port), "-h", "127.0.0.1"]
        command = [self._program("postgres"), *where, *options]
        return subprocess.Popen(command, stdout=log, stderr=log, user=self._user, cwd=self.folder)

    def answers(self) -> bool:
        """See Server."""
        try:
            self._connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def kill(self) -> None:
        """Its children too: alone they answer for a moment longer."""
        children = psutil.Process(self.pid).children(recursive=True) if self._running else []
        super().kill()
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        psutil.wait_procs(children, ENDED_WITHIN)

    def create_database(self) -> str:
        """The URL of a new empty database."""
        name = f"t_{secrets.token_hex(6)}"
        with self._connect() as sql:
            sql.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def _connect(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(f"postgresql://{self._place('postgres')}", autocommit=True)

    def _place(self, database: str) -> str:
        return f"prefloop@127.0.0.1:{self.port}/{database}"

    def _program(self, name: str) -> str:
        folder = binaries()
        assert folder is not None, absent()
        return str(folder / name)


def enterable(folder: Path) -> Path:
    """The folder, which the user postgres may enter from now on."""
    folder.chmod(0o755)
    return folder


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The session's server."""
    require(absent())
    folder = enterable(Path(tempfile.mkdtemp(prefix="prefloop-postgres-")))
    server = Postgres(folder / "server")
    server.start()
    yield server
    server.stop()
    shutil.rmtree(folder)


@pytest.fixture
def database_url(postgres: Postgres) -> str:
    """An empty database of one test's own."""
    return postgres.create_database()

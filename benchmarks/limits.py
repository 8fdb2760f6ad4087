"""What this machine can do at all, measured in the same run: the yardsticks of the other figures."""

from __future__ import annotations

import asyncio
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.lean_http import Connection, rate
from services.spawned import free_port

ROWS, ROW_BYTES, ROWS_A_COMMIT = 40_000, 1_500, 10_000


@contextmanager
def empty_table() -> Iterator[sqlite3.Connection]:
    """`rows` in a file of its own, with WAL and synchronous=FULL."""
    with tempfile.TemporaryDirectory() as folder:
        connection = sqlite3.connect(Path(folder) / "limit.sqlite3", isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE rows (number INTEGER PRIMARY KEY, content BLOB)")
        yield connection
        connection.close()


def sqlite_rows_a_second() -> float:
    """Rows of 1.5 kB, ten thousand a commit, into a SQLite table with WAL and synchronous=FULL."""
    with empty_table() as connection:
        content = os.urandom(ROW_BYTES)
        begin = time.perf_counter()
        for start in range(0, ROWS, ROWS_A_COMMIT):
            connection.execute("BEGIN")
            rows = ((number, content) for number in range(start, start + ROWS_A_COMMIT))
            connection.executemany("INSERT INTO rows VALUES (?, ?)", rows)
            connection.execute("COMMIT")
        seconds = time.perf_counter() - begin
        return ROWS / seconds


def commits_a_second(commits: int = 500) -> float:
    """Commits of one row each, one after the other: what a single durable acknowledgement costs on this disk."""
    with empty_table() as connection:
        content = os.urandom(ROW_BYTES)
        begin = time.perf_counter()
        for number in range(commits):
            connection.execute("INSERT INTO rows VALUES (?, ?)", (number, content))
        seconds = time.perf_counter() - begin
        return commits / seconds


BARE = """
import sys, uvicorn
from fastapi import FastAPI, Request, Response
app = FastAPI()
@app.post("/")
async def post(request: Request) -> Response:
    await request.body()
    return Response(b"{}", media_type="application/json")
uvicorn.run(app, port=int(sys.argv[1]), log_level="error", access_log=False)
"""


def bare_posts_a_second(clients: int = 8, calls: int = 16_000) -> float:
    """POSTs of 1.5 kB that a FastAPI route which does nothing answers to so many clients."""
    port = free_port()
    server = subprocess.Popen([sys.executable, "-c", BARE, str(port)])
    try:
        wait_for(port)
        return asyncio.run(_bare(port, clients, calls))
    finally:
        server.kill()
        server.wait()


async def _bare(port: int, clients: int, calls: int) -> float:
    connections = [await Connection.open(port) for _ in range(clients)]
    body = b"x" * ROW_BYTES
    return await rate(connections, calls, lambda connection, _: connection.send("POST", "/", body))


def wait_for(port: int, seconds: float = 30) -> None:
    """Returns when somebody listens. Raises TimeoutError."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(f"nobody listens on port {port} after {seconds:.0f} s")

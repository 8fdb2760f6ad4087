"""Looks at one machine: its folder, the service on it, and what its parts need."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx

from services.doctor.findings import Finding, broken, doubtful, well
from services.settings import Settings

GIB = 1024**3
LEAST_FREE = 2 * GIB
LARGE_WAL = GIB
PATIENCE_S = 5.0


def look_at_folder(folder: Path) -> Iterator[Finding]:
    """The data folder: there, writable, with room."""
    existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not existing.is_dir():
        yield broken("data folder", f"{existing} is no folder", "name another with --data or PREFLOOP_DATA")
        return
    if not os.access(existing, os.W_OK):
        own = f"give this user the right: sudo chown -R $USER {folder}"
        make = f"make it for this user: sudo install -d -o $USER {folder}"
        yield broken("data folder", f"{existing} cannot be written", own if folder.exists() else make)
        return
    free = shutil.disk_usage(existing).free
    says = f"{folder}{'' if folder.exists() else ' (made at the first start)'}, {free / GIB:.0f} GiB free"
    if free < LEAST_FREE:
        yield doubtful("data folder", says, "free space: a full disk refuses all that is sent (507)")
    else:
        yield well("data folder", says)


def look_at_log(folder: Path) -> Iterator[Finding]:
    """The log: readable, and its write-ahead log of a usual size."""
    file = folder / "prefloop.sqlite3"
    if not file.exists():
        yield well("log", "none yet")
        return
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=PATIENCE_S)) as log:
            pages = log.execute("PRAGMA page_count").fetchone()[0] * log.execute("PRAGMA page_size").fetchone()[0]
    except sqlite3.DatabaseError as error:
        yield broken("log", f"{file}: {error}", "restore the newest backup (docs/operations.md, Back up and restore)")
        return
    ahead = Path(f"{file}-wal")
    size = ahead.stat().st_size if ahead.exists() else 0
    if size > LARGE_WAL:
        yield doubtful(
            "log", f"the write-ahead log has grown to {size / GIB:.1f} GiB", "end what reads for long: exports, backups"
        )
    else:
        yield well("log", f"{pages / 2**20:,.0f} MiB")


def look_at_parts() -> Iterator[Finding]:
    """What the parts beside the service need to be installed."""
    for part, module, extra in (("trainer", "torch", "trainer"), ("dashboard", "streamlit", "dashboard")):
        if importlib.util.find_spec(module):
            yield well(part, f"{module} is installed")
        else:
            mend = f"make setup, or in a checkout of prefloop: pip install '.[{extra}]'"
            yield doubtful(part, f"{module} is not installed, so it cannot run here", mend)


def look_at_service(url: str, *, must: bool) -> Iterator[Finding]:
    """The HTTP API: it answers, and it grants tasks. `must`: it ought to run."""
    try:
        alive = httpx.get(f"{url}/healthz", timeout=PATIENCE_S)
        ready = httpx.get(f"{url}/readyz", timeout=PATIENCE_S)
    except httpx.HTTPError as error:
        says = f"nothing answers at {url} ({error})"
        mend = "start it, or name the right address with --server"
        yield broken("service", says, mend) if must else doubtful("service", says, mend)
        return
    if alive.status_code != 200:
        yield broken("service", f"{url}/healthz says {alive.status_code}", "something else listens there: use --server")
    elif ready.status_code != 200:
        yield doubtful("service", f"not ready: {_reason(ready)}", "wait; if it stays, look at its log")
    else:
        yield well("service", f"ready at {url}")


def _reason(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"/readyz says {answer.status_code}"


def look_at_key(settings: Settings) -> Iterator[Finding]:
    """That the page's links do not point at this machine alone, where it listens to others."""
    if settings.host not in ("127.0.0.1", "localhost", "::1") and not settings.public_url:
        says = "others may reach the service, and annotators' personal links point at this machine"
        yield doubtful("public address", says, "set PREFLOOP_PUBLIC_URL to the address that people use")

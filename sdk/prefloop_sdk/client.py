"""The face of the package: `Prefloop`, whose methods neither wait nor raise."""

from __future__ import annotations

import atexit
import functools
import hashlib
import os
import tempfile
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

from prefloop_sdk.courier import Backoff, Courier, Stats
from prefloop_sdk.delivery import Delivery
from prefloop_sdk.entries import Prompt, Response, new_id, now_ms, output_entry, signal_entry
from prefloop_sdk.notices import Notices
from prefloop_sdk.spool import Spool

EXIT_SECONDS = 5.0
BACKOFF = Backoff()
F = TypeVar("F", bound=Callable[..., str])
_clients: weakref.WeakSet[Prefloop] = weakref.WeakSet()


def _never_raises(method: F) -> F:
    """Whatever is wrong with a call, arguments included, is counted and logged once; the caller gets ""."""

    @functools.wraps(method)
    def quiet(self: Prefloop, *args: Any, **kwargs: Any) -> str:
        try:
            return method(self, *args, **kwargs)
        except Exception as error:
            self._courier.reject(f"{type(error).__name__}: {error}")
            return ""

    return cast("F", quiet)


class Prefloop:
    """Sends outputs and signals to a prefloop service, in the background.

    `log` and `signal` cost some microseconds, never wait for the network and never raise. What cannot be sent is kept
    in `spool` (default: a folder of the user's, one for each service) up to `spool_bytes`, and sent when the service is
    back, by this process or a later one. A process killed outright loses what it logged in the last `linger` seconds.

    url: where the service is, like "http://localhost:8080". key: one with the role producer. batch: entries a request,
    at most. linger: seconds to wait for a batch to fill. timeout: seconds a request may take.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        campaign: str = "default",
        spool: str | Path | None = None,
        spool_bytes: int = 512 * 1024 * 1024,
        batch: int = 500,
        linger: float = 0.2,
        timeout: float = 10.0,
        backoff: Backoff = BACKOFF,
    ) -> None:
        self._campaign = campaign
        notices = Notices()
        disk = _open_spool(Path(spool) if spool else _default_folder(url), spool_bytes, notices)
        delivery = Delivery(url, key, timeout)
        self._courier = Courier(delivery, disk, notices, batch=batch, linger=linger, backoff=backoff)
        _clients.add(self)

    @_never_raises
    def log(
        self,
        prompt: Prompt = "",
        response: Response | None = None,
        *,
        responses: Sequence[Response] | None = None,
        model: str = "",
        model_version: str = "",
        tags: Mapping[str, str] | None = None,
        id: str = "",
        trace: str = "",
        time: int | None = None,
        campaign: str = "",
    ) -> str:
        """Logs an output and returns its id ("" where the arguments can never make one; that is counted and logged).

        prompt: one user turn, or a list of {"role", "content"}. response or responses (1 to 8): a string, or
        {"content", "model", "model_version"}. time: milliseconds since 1970 UTC, now by default.
        """
        identity = id or new_id()
        given = ([] if response is None else [response]) if responses is None else responses
        self._courier.put(
            output_entry(
                identity,
                prompt,
                given,
                tags,
                model=model,
                model_version=model_version,
                trace=trace,
                time=now_ms() if time is None else time,
                campaign=campaign or self._campaign,
            )
        )
        return identity

    @_never_raises
    def signal(
        self,
        output: str = "",
        kind: str = "",
        *,
        position: int | None = None,
        value: float | None = None,
        edit: str | None = None,
        id: str = "",
        time: int | None = None,
    ) -> str:
        """Logs what an end user did with an output, and returns the signal's id ("" as for `log`).

        kind: thumbs_up, thumbs_down, edit, retry, conversion or other. position: which response, from 0.
        """
        identity = id or new_id()
        at = now_ms() if time is None else time
        self._courier.put(signal_entry(identity, output, kind, position=position, value=value, edit=edit, time=at))
        return identity

    def flush(self, timeout: float = 10.0) -> bool:
        """Waits until everything is delivered; False where `timeout` seconds were not enough (nothing is lost)."""
        return self._courier.flush(timeout)

    def stats(self) -> Stats:
        """What became of everything logged."""
        return self._courier.stats()

    def close(self, timeout: float = EXIT_SECONDS) -> None:
        """Delivers what it can in `timeout` seconds, keeps the rest on disk. Called at exit by itself."""
        self._courier.close(timeout)

    def __enter__(self) -> Prefloop:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _default_folder(url: str) -> Path:
    """A folder of the user's for this service: outputs for one are never sent to another."""
    state = Path(os.environ.get("XDG_STATE_HOME") or Path("~/.local/state").expanduser())
    return state / "prefloop" / hashlib.sha256(url.rstrip("/").encode()).hexdigest()[:16]


def _open_spool(folder: Path, most_bytes: int, notices: Notices) -> Spool | None:
    """The spool, in a folder that does not outlive the machine's temporary ones where the wanted one cannot be had."""
    try:
        return Spool(folder, most_bytes)
    except OSError as error:
        notices.warn("spool", f"prefloop: no spool in {folder} ({error}); using a temporary folder instead")
    try:
        return Spool(Path(tempfile.mkdtemp(prefix="prefloop-")), most_bytes)
    except OSError as error:
        notices.warn("spool", f"prefloop: no spool at all ({error}); outputs are lost while the service is away")
        return None


def _close_all() -> None:
    for client in list(_clients):
        client.close()


def _before_fork() -> None:
    for client in list(_clients):
        client._courier.hold()


def _after_fork_in_parent() -> None:
    for client in list(_clients):
        client._courier.let_go()


def _after_fork_in_child() -> None:
    for client in list(_clients):
        client._courier.forget()


atexit.register(_close_all)
os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)

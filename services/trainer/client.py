"""The trainer's side of the HTTP API: claim a run, read its dataset, tell how it goes (docs/api.md, "Engineers")."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import httpx
import msgspec
import structlog

from streams.errors import PrefloopError, SettingsError, TrainingError, UnavailableError

T = TypeVar("T")
MOST_SCORES = 5_000  # told at once
_log = structlog.get_logger("trainer")


class RunLostError(PrefloopError):
    """The run is not this trainer's any more: stop, and tell nothing about it."""


class Parent(msgspec.Struct, frozen=True, kw_only=True):
    """The champion a run starts from."""

    model: str
    uri: str


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A claimed run."""

    run: str
    batch: str
    campaign: str = "default"
    base_model: str = ""
    parent: Parent | None = None
    config: dict[str, Any] = {}


class RunsClient:
    """Speaks for one trainer. Raises UnavailableError in an outage, RunLostError on 409, TrainingError on other 4xx."""

    def __init__(self, http: httpx.Client, trainer: str) -> None:
        self.http, self.trainer = http, trainer

    def claim(self) -> Run | None:
        """The next run, or the one this trainer was killed in; None where nothing waits."""
        response = self._send("POST", "/v1/runs/claim", json={"trainer": self.trainer})
        return None if response.status_code == 204 else msgspec.json.decode(response.content, type=Run)

    def dataset(self, batch: str) -> list[str]:
        """The batch's rows, one JSON text each."""
        response = self._send("GET", f"/v1/datasets/{batch}", headers={"Accept": "application/x-ndjson"})
        return list(_lines(response))

    def progress(self, run: str, stage: str, step: int, steps: int, metrics: dict[str, float]) -> None:
        """Tell how far a run is; it is also the sign of life that keeps the claim."""
        body = {"trainer": self.trainer, "stage": stage, "step": step, "steps": steps, "metrics": _finite(metrics)}
        self._send("POST", f"/v1/runs/{run}/progress", json=body)

    def finish(self, run: str, *, model: str, uri: str, report: Any, manifest: dict[str, Any]) -> None:
        """Hand the model in."""
        body = {"trainer": self.trainer, "model": model, "uri": uri, "manifest": manifest}
        self._send("POST", f"/v1/runs/{run}/finish", json={**body, "report": msgspec.to_builtins(report)})

    def scores(self, model: str, scores: Sequence[Any]) -> None:
        """Tell what a reward model says of pairs that it was not trained on."""
        for start in range(0, len(scores), MOST_SCORES):
            part = msgspec.to_builtins(scores[start : start + MOST_SCORES])
            self._send("POST", "/v1/scores", json={"model": model, "scores": part})

    def fail(self, run: str, error: str) -> None:
        """Give a run up, with what to mend."""
        self._send("POST", f"/v1/runs/{run}/fail", json={"trainer": self.trainer, "error": error})

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            response = self.http.request(method, path, **options)
        except httpx.UnsupportedProtocol as error:
            raise SettingsError(f"{self.http.base_url} is no address: name the service as http://HOST:8080") from error
        except httpx.TransportError as error:
            raise UnavailableError(f"the API at {self.http.base_url} does not answer ({error})") from error
        if response.is_success:
            return response
        raise _refusal(response)


def _refusal(response: httpx.Response) -> PrefloopError:
    message = f"{response.request.method} {response.request.url.path} → {response.status_code}: {_message(response)}"
    if response.status_code == 409:
        return RunLostError(message)
    if response.status_code >= 500 or response.status_code == 429:
        return UnavailableError(message, retry_after=_retry_after(response))
    if response.status_code in (401, 403):
        message += "; the trainer's key needs the role engineer (prefloop keys add NAME --role engineer)"
    return TrainingError(message)


def _message(response: httpx.Response) -> str:
    try:
        error = response.json()["error"]
        return "; ".join(filter(None, (error["message"], error.get("mend"))))
    except (ValueError, KeyError, TypeError):
        return response.text[:200]


def _retry_after(response: httpx.Response) -> int:
    value = response.headers.get("Retry-After", "1")
    return int(value) if value.isdigit() else 1


def _lines(response: httpx.Response) -> Iterator[str]:
    """Lines by newline alone: str.splitlines would also cut at characters that JSON leaves bare, such as U+2028."""
    return (line for line in response.content.decode("utf-8").split("\n") if line.strip())


def _finite(metrics: dict[str, float]) -> dict[str, float]:
    """JSON knows neither NaN nor infinity."""
    return {name: value for name, value in metrics.items() if abs(value) < float("inf")}


def until_answered(call: Callable[[], T], sleep: Callable[[float], None], longest: float = 30.0) -> T:
    """Repeat a call through an outage, waiting twice as long each time, at most `longest` seconds."""
    pause = 0.5
    while True:
        try:
            return call()
        except UnavailableError as error:
            _log.warning("API away", error=str(error), retry_in_s=max(pause, float(error.retry_after)))
            sleep(min(longest, max(pause, float(error.retry_after))))
            pause = min(longest, pause * 2)

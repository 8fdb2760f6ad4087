"""The trainer's loop: claim a run, train it, hand the model in. Killed anywhere, it goes on where it was."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import structlog

from services.trainer.client import Run, RunLostError, RunsClient, until_answered
from streams.errors import PrefloopError, UnavailableError

POLL_SECONDS = 2.0
_log = structlog.get_logger("trainer")

Post = Callable[[str, int, int, dict[str, float]], None]


class Reporter:
    """Posts progress, and repeats the last of it while a long step says nothing, so that the claim does not lapse.

    An outage is logged and passed over: training goes on. A run that was given away raises RunLostError in
    whatever reports next. Use it as a context manager.
    """

    def __init__(self, post: Post, every: float = 60.0) -> None:
        self._post, self._every = post, every
        self._last: tuple[str, int, int] = ("dataset", 0, 1)
        self._lost: RunLostError | None = None
        self._stop = threading.Event()
        self._told = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __call__(self, stage: str, step: int, steps: int, metrics: dict[str, float]) -> None:
        """Report one step."""
        if self._lost:
            raise self._lost
        self._last = (stage, step, steps)
        self._told.set()
        self._send(stage, step, steps, metrics)

    def __enter__(self) -> Reporter:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _send(self, stage: str, step: int, steps: int, metrics: dict[str, float]) -> None:
        try:
            self._post(stage, step, steps, metrics)
        except UnavailableError as error:
            _log.warning("progress not told", stage=stage, step=step, error=str(error))

    def _beat(self) -> None:
        while not self._stop.wait(self._every):
            self.beat()

    def beat(self) -> None:
        """Repeat the last report, unless one was made since the last beat."""
        if self._told.is_set():
            self._told.clear()
            return
        try:
            self._send(*self._last, {})
        except RunLostError as error:
            self._lost = error
        except PrefloopError as error:
            _log.warning("heartbeat refused", error=str(error))


def work(
    client: RunsClient, artifacts: Path, *, once: bool = False, sleep: Callable[[float], None] = time.sleep
) -> int:
    """Claim and train runs for ever, or `once` at most. Returns how many runs were finished."""
    finished = 0
    while True:
        run = until_answered(client.claim, sleep)
        if run:
            finished += train_run(client, run, artifacts, sleep=sleep)
        if once:
            return finished
        if not run:
            sleep(POLL_SECONDS)


def train_run(client: RunsClient, run: Run, artifacts: Path, *, sleep: Callable[[float], None] = time.sleep) -> bool:
    """Train one claimed run to its end and tell how it ended. Whether a model was handed in."""
    log = _log.bind(run=run.run, batch=run.batch)
    log.info("run claimed")
    try:
        model = _train(client, run, artifacts, sleep)
    except RunLostError as error:
        log.warning("run given to another trainer", error=str(error))
        return False
    except Exception as error:  # a run that fails must not take the trainer with it
        log.exception("run failed")
        return _give_up(client, run, explain(error), sleep)
    log.info("run finished", model=model)
    return True


def _train(client: RunsClient, run: Run, artifacts: Path, sleep: Callable[[float], None]) -> str:
    # Imported here, so that a trainer that waits for work costs 60 MB and not 700.
    from services.trainer.dataset import Pair, parse
    from services.trainer.training import train_batch

    def post(stage: str, step: int, steps: int, metrics: dict[str, float]) -> None:
        client.progress(run.run, stage, step, steps, metrics)

    def pairs() -> Iterator[Pair]:
        return parse(until_answered(lambda: client.dataset(run.batch), sleep))

    with Reporter(post) as report:
        report("dataset", 0, 1, {})
        trained = train_batch(run, pairs, artifacts, report)
    for name, scores in trained.scores.items():
        tell_scores(client, name, scores, sleep)
    until_answered(
        lambda: client.finish(
            run.run, model=trained.model, uri=trained.uri, report=trained.report, manifest=trained.manifest
        ),
        sleep,
    )
    return trained.model


def tell_scores(client: RunsClient, name: str, scores: Sequence[Any], sleep: Callable[[float], None]) -> None:
    """A model is not lost for scores that the service does not take, such as those of texts erased meanwhile."""
    try:
        until_answered(lambda: client.scores(name, scores), sleep)
    except PrefloopError as error:
        _log.warning("scores not told", model=name, error=str(error))


def _give_up(client: RunsClient, run: Run, message: str, sleep: Callable[[float], None]) -> bool:
    try:
        until_answered(lambda: client.fail(run.run, message), sleep)
    except PrefloopError as error:
        _log.warning("failure not told", run=run.run, error=str(error))
    return False


def explain(error: Exception) -> str:
    """What to tell of a failure: what was wrong, and the mend."""
    if isinstance(error, PrefloopError):
        return str(error)
    name = type(error).__name__
    if isinstance(error, MemoryError) or "OutOfMemory" in name or "out of memory" in str(error):
        mend = "out of memory: lower batch_size or max_length, or set gradient_checkpointing: true"
    elif isinstance(error, OSError):
        mend = "check that the artifacts folder can be written and has room"
    else:
        mend = "the trainer's log has the whole story; mend it and request the run again"
    return f"{name}: {error}; {mend}"

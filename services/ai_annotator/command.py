"""`prefloop ai-annotator`: a language model judges beside the people."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Annotated

import httpx
import structlog
import typer
from rich.console import Console

from services.ai_annotator.constitution import read_constitution
from services.ai_annotator.recording import Recorder, Replayer
from services.ai_annotator.worker import AiAnnotator, Counts
from services.commands.remote import LOCAL, Remote, Server
from services.completions import TIMEOUT_S
from services.written import writing
from streams.errors import InputError, UnavailableError

IDLE_S = 5.0  # between two looks for a task where there was none
OUTAGE_S = 15.0  # after the model or the service did not answer
_log = structlog.get_logger("ai_annotator")


def ai_annotator(
    constitution: Annotated[Path, typer.Argument(help="YAML: endpoint, model, principles; see docs/ai-annotators.md.")],
    server: Server = LOCAL,
    campaign: Annotated[str, typer.Option(help="Judge this campaign alone.")] = "",
    most: Annotated[int | None, typer.Option(help="Stop after so many judgments.", min=1)] = None,
    until_idle: Annotated[bool, typer.Option("--until-idle", help="Stop when there is nothing to judge.")] = False,
    record: Annotated[Path | None, typer.Option(help="Append the model's answers to this file.")] = None,
    replay: Annotated[Path | None, typer.Option(help="Answer from such a file; the model is not asked.")] = None,
) -> None:
    """Let a language model judge by written principles, through any OpenAI-compatible endpoint.

    It works as people do: with a key of its own (PREFLOOP_KEY, role `model`), task by task, its reliability learned.
    What share of a campaign models may judge is the campaign's `model_share`.
    The endpoint's own key, where it wants one, is taken from PREFLOOP_MODEL_KEY.
    """
    wanted, remote, stopping = read_constitution(constitution), Remote(server), threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    with model_client(record, replay) as model:
        worker = AiAnnotator(
            service=remote.client,
            key=remote.key,
            model=model,
            constitution=wanted,
            campaign=campaign,
            pause=stopping.wait,
        )
        work(worker, stopping, most, until_idle)
    Console(stderr=True).print(told(worker.counts), highlight=False)


def model_client(record: Path | None, replay: Path | None) -> httpx.Client:
    """The endpoint's client: real, recorded or replayed. Raises InputError."""
    if record and replay:
        raise InputError("cannot record a replay", field="record", mend="give --record or --replay")
    if record:
        with writing(record, "record"):
            record.touch()
    secret = os.environ.get("PREFLOOP_MODEL_KEY", "")
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    transport = Recorder(record) if record else Replayer(replay) if replay else None
    return httpx.Client(timeout=TIMEOUT_S, headers=headers, transport=transport)


def work(worker: AiAnnotator, stopping: threading.Event, most: int | None, until_idle: bool) -> None:
    """Until it is told to stop, has judged enough, or finds nothing (if that is wanted)."""
    while not stopping.is_set() and (most is None or worker.counts.judged < most):
        try:
            outcome = worker.work_once()
        except UnavailableError as error:
            _log.warning("the service does not answer", error=str(error))
            outcome = "outage"
        if outcome == "idle" and until_idle:
            return
        if outcome in ("idle", "outage"):
            stopping.wait(IDLE_S if outcome == "idle" else OUTAGE_S)


def told(counts: Counts) -> str:
    """The counts in a line."""
    return (
        f"{counts.judged} judged ({counts.torn} of them ties because the order decided), {counts.skipped} given back, "
        f"{counts.unreadable} replies that could not be read"
    )

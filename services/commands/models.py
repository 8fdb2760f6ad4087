"""`prefloop export`, `train`, `promote`, `rollback`: datasets and models over HTTP."""

from __future__ import annotations

import re
import shlex
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, TextIO
from urllib.parse import quote

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from services.commands.remote import LOCAL, Remote, Server, path_of
from services.written import writing
from streams.errors import TrainingError, UnavailableError

LOOK = 1.0  # seconds between looks at a run
GATE_S = 30.0  # seconds that the gate is given: it looks every second, unless it has much else to do
SPECIAL = re.compile(r"[][\\.^$*+?(){}|]")  # to grep -E; it warns of other characters that are escaped
Campaign = Annotated[str, typer.Option(help="The campaign.")]


def export(
    batch: Annotated[str | None, typer.Option(help="A batch's dataset, with its texts.")] = None,
    campaign: Campaign = "",
    out: Annotated[Path | None, typer.Option(help="File to write; standard output without.")] = None,
    server: Server = LOCAL,
) -> None:
    """Export preferences (the newest revision of each, without texts), or one batch's dataset, as NDJSON.

    All preferences are told, gold and withdrawn ones too, each marked as what it is; train on a batch's dataset, which
    holds neither.
    """
    remote = Remote(server)
    path = path_of("datasets", batch) if batch else "/v1/preferences"
    if campaign and not batch:
        remote.get(path_of("campaigns", campaign))  # one that is not there would have no rows
        path += f"?campaign={quote(campaign, safe='')}"
    lines = remote.lines(path)
    if out:
        with writing(out), out.open("w", encoding="utf-8") as file:
            count = copy(lines, file)
    else:
        with writing(Path("standard output")):
            count = copy(lines, sys.stdout)
            sys.stdout.flush()
    Console(stderr=True).print(f"{count:,} row{'s' * (count != 1)}", highlight=False)


def copy(lines: Iterable[str], file: TextIO) -> int:
    """How many lines were written."""
    count = 0
    for line in lines:
        file.write(line + "\n")
        count += 1
    return count


def train(
    campaign: Campaign = "default",
    batch: Annotated[str | None, typer.Option(help="An earlier batch; without it one is cut now.")] = None,
    follow: Annotated[bool, typer.Option(help="Show the progress until it ends.")] = True,
    server: Server = LOCAL,
) -> None:
    """Cut a batch of what is judged, request a training run and follow it to the gate. A trainer must be running."""
    remote, console = Remote(server), Console()
    if not remote.get(path_of("campaigns", campaign))["training"]["base_model"]:  # before a batch is cut
        mend = "set training.base_model (`prefloop campaigns show`, edit, `prefloop campaigns apply`)"
        raise TrainingError(f"campaign {campaign!r} names no base model: {mend}")
    batch = batch or remote.post("/v1/batches", {"campaign": campaign})["batch"]
    run = remote.post("/v1/runs", {"campaign": campaign, "batch": batch})["run"]
    console.print(f"run {run} on batch {batch} is requested", highlight=False)
    if follow:
        tell_end(follow_run(remote, run, console), remote, console)


def follow_run(remote: Remote, run: str, console: Console) -> dict[str, Any]:
    """The run when it has ended; a progress bar until then. An outage is waited out: the run goes on in it."""
    with Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), console=console) as progress:
        bar = progress.add_task("waiting for a trainer", total=None)
        while True:
            try:
                now: dict[str, Any] = remote.get(path_of("runs", run))
            except UnavailableError:
                progress.update(bar, description="the service does not answer, asking again")
            else:
                told = now["stage"] or now["status"]
                progress.update(bar, description=told, completed=now["step"], total=now["steps"])
                if now["status"] in ("finished", "failed"):
                    return now
            time.sleep(LOOK)


def tell_end(run: dict[str, Any], remote: Remote, console: Console) -> None:
    """Says what came of it. Raises TrainingError where the run failed."""
    if run["status"] == "failed":
        raise TrainingError(f"the run failed: {run['error']}")
    for model in remote.get("/v1/models")["models"]:
        if model["run"] == run["run"]:
            for line in verdict(decided(remote, model["model"])):
                console.print(line, highlight=False, markup=False, soft_wrap=True)


def decided(remote: Remote, model: str) -> dict[str, Any]:
    """The model once somebody has decided about it, or as it is where nobody has for a while."""
    deadline = time.monotonic() + GATE_S
    while True:
        now: dict[str, Any] = remote.get(path_of("models", model))
        if now["decision"] or time.monotonic() > deadline:
            return now
        time.sleep(LOOK)


def verdict(model: dict[str, Any]) -> Iterator[str]:
    """The decision about a model, with its reasons."""
    decision = model["decision"]
    if decision is None:
        yield f"model {model['model']}: {model['status']}, nobody has decided yet (GET /v1/models/{model['model']})"
        return
    yield f"model {model['model']}: {decision['decision']} by {decision['by']}"
    yield from (f"  {reason}" for reason in decision["reasons"])


def trace(
    output: Annotated[str, typer.Argument(help="The output's id, as its producer sent it.")],
    server: Server = LOCAL,
) -> None:
    """Tell what became of an output: tasks, judgments, preferences, batches, runs, models, decisions."""
    story, console = Remote(server).get(path_of("outputs", output, "lineage")), Console(soft_wrap=True)
    for line in told(story):
        console.print(line, highlight=False, markup=False)


def told(story: dict[str, Any]) -> Iterator[str]:
    """The story in lines; the last one finds it in the logs."""
    yield f"output {story['output']}"
    for task in story["tasks"]:
        yield f"  task {task['task']}: {task['status']}"
        yield from (f"    judgment {judgment}" for judgment in task["judgments"])
        if task["preference_revision"] is not None:
            yield f"    preference, revision {task['preference_revision']}"
    for kind, names in (("batch", "batches"), ("run", "runs"), ("model", "models")):
        yield from (f"  {kind} {name}" for name in story[names])
    yield from (f"  model {one['model']} {one['decision']} by {one['by']}" for one in story["decisions"])
    pattern = "|".join([SPECIAL.sub(r"\\\g<0>", story["output"]), *story["batches"]])
    yield f"in the logs: grep -hE {shlex.quote(pattern)} (level debug)"


def promote(
    model: Annotated[str, typer.Argument(help="The model, from the dashboard or GET /v1/models.")],
    reason: Annotated[str, typer.Option(help="Why; it is kept with the decision.")],
    server: Server = LOCAL,
) -> None:
    """Make a model the champion by hand, over the gate. The override is an event with your key's id."""
    Remote(server).post(path_of("models", model, "promote"), {"reason": reason})
    Console().print(f"{model} is the champion", highlight=False, markup=False)


def rollback(
    campaign: Annotated[str, typer.Argument(help="The campaign.")],
    reason: Annotated[str, typer.Option(help="Why; it is kept with the decision.")],
    server: Server = LOCAL,
) -> None:
    """Go back to the champion before this one."""
    answer = Remote(server).post(path_of("campaigns", campaign, "rollback"), {"reason": reason})
    Console().print(f"{answer['model']} is the champion again", highlight=False)

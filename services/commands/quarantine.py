"""`prefloop quarantine`: what taking back somebody's judgments would do, then doing it, and undoing it."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Column, Table

from services.commands.remote import LOCAL, Remote, Server
from streams.errors import InputError

LOOK = 0.5  # seconds between looks at how far it has come
SHOWN = 10  # tasks in the table
DONE_ALREADY = {  # by --undo
    False: "nothing is left to do, they are suspended and no judgment since then counts; --undo puts them back",
    True: "nothing is left to do, they are not suspended and all their judgments count",
}

Json = dict[str, Any]


def quarantine(
    annotator: Annotated[str, typer.Argument(help="The annotator's id: dashboard, `keys list`, GET /v1/annotators.")],
    since: Annotated[
        str,
        typer.Option(
            help="From when on: a time such as 2026-11-21T09:30 (UTC unless it says otherwise), ms since 1970, "
            "`auto` (the estimate of the newest alert) or `ever`."
        ),
    ] = "auto",
    undo: Annotated[bool, typer.Option("--undo", help="Reinstate, and put back all that was taken back.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would happen.")] = False,
    reason: Annotated[str, typer.Option(help="Why; it is kept in the log, and shown to the annotator.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before acting.")] = False,
    server: Server = LOCAL,
) -> None:
    """Take an annotator's judgments since a time out of everything they touched; show first what that changes.

    Suspends the annotator, withdraws the judgments, works out the verdicts again, asks for new judgments where none
    is reached, revises preferences, and names the datasets and models that rest on them. --undo is the same in reverse.
    """
    if yes and not (reason or dry_run):
        raise InputError("say why, with --reason; without it nothing is done", field="reason")
    remote, console = Remote(server), Console()
    path = f"/v1/annotators/{quote(annotator, safe='')}"
    query: dict[str, str | int] = {"undo": 1} if undo else {"since": milliseconds(since)}
    found = remote.get(f"{path}/quarantine", **query)
    if is_done(found):
        console.print(f"{escape(annotator)}: {DONE_ALREADY[undo]}", highlight=False)
        return
    show(found, console)
    if dry_run or not reason:
        console.print("Nothing was done. The same with [bold]--reason WHY[/] does it.", highlight=False)
        return
    if not (yes or typer.confirm("Reinstate and put these back?" if undo else "Suspend and take these back?")):
        raise typer.Abort
    if undo:
        remote.post(f"{path}/reinstate", {"reason": reason})
    else:  # the very time that was shown, whatever alert comes meanwhile
        remote.post(f"{path}/quarantine", {"reason": reason, "since": found["since"]})
    query = {"brief": 1, **({"undo": 1} if undo else {"since": found["since"]})}
    follow(remote, f"{path}/quarantine", query, console)


def is_done(found: Json) -> bool:
    """Whether the annotator stands as wanted already, and no judgment is left to take back or put back."""
    wanted = "active" if found["undo"] else "suspended"
    return bool(found["standing"] == wanted and not found["judgments"]["count"])


def milliseconds(text: str) -> str:
    """`auto`, `ever` and ms as they are; a date and time in ms. Raises InputError."""
    if text in ("auto", "ever") or text.isdigit():
        return text
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        mend = "give auto, ever, ms since 1970, or a time such as 2026-11-21T09:30"
        raise InputError(f"--since {text!r} is no time", field="since", mend=mend) from error
    return str(int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000))


def follow(remote: Remote, path: str, query: dict[str, str | int], console: Console) -> None:
    """Waits until nothing is left to do. Interrupting it stops nothing: the service goes on, after a crash too."""
    with Progress(console=console) as progress:
        bar = progress.add_task("putting back" if "undo" in query else "taking back", total=None)
        most = 0
        while left := remote.get(path, **query)["judgments"]["count"]:
            most = max(most, left)
            progress.update(bar, total=most, completed=most - left)
            time.sleep(LOOK)
        progress.update(bar, total=most or 1, completed=most or 1)
    console.print("done; every step is in the log", highlight=False)


# ---------------------------------------------------------------- the dry run, for people


def show(found: Json, console: Console) -> None:
    """Counts, what becomes of the verdicts, datasets and models."""
    console.print(heading(found), highlight=False)
    verdicts = found["verdicts"]
    table = Table(box=SIMPLE_HEAD, show_header=False)
    for name, number in (
        ("judgments", found["judgments"]["count"]),
        ("tasks", found["tasks"]["count"]),
        ("preferences that rest on them", found["preferences"]["count"]),
        ("verdicts that turn", verdicts["turned"]),
        ("verdicts that are lost", verdicts["lost"]),
        ("verdicts that are reached", verdicts["reached"]),
        ("tasks that wait for more judgments", verdicts["requeued"]),
        ("judgments to ask for, at least", verdicts["labels"]),
        ("tasks for an adjudicator", verdicts["escalated"]),
        ("training runs", found["runs"]["count"]),
    ):
        table.add_row(name, f"{number:,}")
    console.print(table)
    changed = [row for row in verdicts["rows"] if row["change"] in ("turned", "lost", "reached")]
    for one in (tasks_table(changed), batches_table(found["batches"]), models_table(found["models"])):
        if one.row_count:
            console.print(one)
    if verdicts["decided"] < found["tasks"]["count"]:
        console.print(f"verdicts were worked out for the newest {verdicts['decided']:,} tasks")


def heading(found: Json) -> str:
    """Who, and since when."""
    name = f"[bold]{escape(found['annotator'])}[/]"
    if found["undo"]:
        return f"{name}: what reinstating would put back"
    begin = f"{datetime.fromtimestamp(found['since'] / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
    when = begin if found["since"] > 1 else "the beginning"
    source = f" (estimated by an alert for {found['hypothesis']})" if found["alert"] else ""
    return f"{name}: what a quarantine since {when}{source} would touch"


def tasks_table(rows: list[Json]) -> Table:
    """The tasks that change most."""
    table = Table(Column("task", no_wrap=True), "verdict now", "then", "status then", box=SIMPLE_HEAD)
    for row in rows[:SHOWN]:
        now, then = (
            f"{row[verdict] or '-'} {row[probability]:.0%}"
            for verdict, probability in (("verdict", "probability"), ("verdict_after", "probability_after"))
        )
        table.add_row(escape(row["task"]), now, then, row["status_after"])
    if len(rows) > SHOWN:
        table.add_row("...", "", "", f"{len(rows) - SHOWN} more")
    return table


def batches_table(batches: list[Json]) -> Table:
    """Datasets touched."""
    rest = ("campaign", "pairs", "touched", "verdict changes", "held out")
    table = Table(Column("batch", no_wrap=True), *rest, box=SIMPLE_HEAD)
    for one in batches:
        numbers = (one["size"], one["members"], one["changed"], one["holdout"])
        table.add_row(one["batch"], escape(one["campaign"]), *(f"{number:,}" for number in numbers))
    return table


def models_table(models: list[Json]) -> Table:
    """Models that were trained on them, or from such a model."""
    table = Table(Column("model", no_wrap=True), "campaign", "status", box=SIMPLE_HEAD)
    for one in models:
        table.add_row(escape(one["model"]), escape(one["campaign"]), one["status"])
    return table

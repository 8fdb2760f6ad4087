"""`prefloop doctor`, as people type it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from services.doctor.findings import Finding, looked
from services.settings import Settings, read_settings

SIGNS = {"well": ("✓", "green"), "doubtful": ("!", "yellow"), "broken": ("✗", "bold red")}


def doctor_command(
    data: Annotated[Path | None, typer.Option(help="Folder of a one-machine service [PREFLOOP_DATA].")] = None,
    server: Annotated[
        str,
        typer.Option(
            help="Base URL of the service, where it is not this machine's own.",
            envvar="PREFLOOP_SERVER",
            show_default=False,
        ),
    ] = "",
) -> None:
    """Check everything that this deployment depends on, and say what to do about what is wrong.

    Looks at the one machine, or, where PREFLOOP_KAFKA, PREFLOOP_DATABASE_URL and PREFLOOP_REDIS_URL are set, at the
    cluster. Changes nothing. Ends with 1 if something is broken.
    """
    settings = read_settings(data=data)
    found = list(findings(settings, server))
    Console().print(report(found))
    if any(finding.state == "broken" for finding in found):
        raise typer.Exit(1)


def findings(settings: Settings, server: str = "") -> Iterator[Finding]:
    """Looks at everything, one after the other; a look that fails does not keep the others from being taken."""
    from services.doctor import machine

    if settings.is_cluster:
        yield from _of_cluster(settings)
    else:
        yield from machine.look_at_folder(settings.data)
        yield from machine.look_at_log(settings.data)
        yield from machine.look_at_parts()
    yield from machine.look_at_key(settings)
    yield from machine.look_at_service((server or settings.url).rstrip("/"), must=bool(server))


def _of_cluster(settings: Settings) -> Iterator[Finding]:
    from services.doctor import cluster

    yield from looked("Kafka", partial(cluster.look_at_kafka, settings), "start it, or mend PREFLOOP_KAFKA")
    yield from looked(
        "PostgreSQL", partial(cluster.look_at_postgres, settings), "start it, or mend PREFLOOP_DATABASE_URL"
    )
    yield from looked("Redis", partial(cluster.look_at_redis, settings), "start it, or mend PREFLOOP_REDIS_URL")


def report(found: Sequence[Finding]) -> RenderableType:
    """The findings as people read them, and what they come to."""
    table = Table.grid(padding=(0, 2))
    for finding in found:
        sign, style = SIGNS[finding.state]
        table.add_row(Text(sign, style), Text(finding.what, "bold"), Text(finding.says))
        if finding.mend:
            table.add_row("", "", Text(f"→ {finding.mend}", style))
    count = sum(finding.state == "broken" for finding in found)
    doubts = sum(finding.state == "doubtful" for finding in found)
    said = f"{count} broken, {doubts} doubtful" if count or doubts else "all is well"
    return Group(table, Text(said, "bold red" if count else "bold"))

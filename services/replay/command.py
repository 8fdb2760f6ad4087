"""`prefloop replay`: feeds a recording on an engine of its own and reports; no running server is needed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from services.settings import read_settings
from services.written import require_writable, writing
from streams.errors import SettingsError


def replay_command(
    file: Annotated[Path, typer.Argument(help="Recorded judgments: JSON lines (.jsonl, .jsonl.gz) or CSV.")],
    items: Annotated[Path, typer.Option(help="The items they judge: item, prompt, a, b (JSON lines or CSV).")],
    data: Annotated[Path | None, typer.Option(help="Data folder; default PREFLOOP_DATA or ./prefloop-data.")] = None,
    campaign: Annotated[str, typer.Option(help="Campaign to feed; made if absent. The file's name if not given.")] = "",
    report: Annotated[Path | None, typer.Option(help="Also write the report here, as JSON.")] = None,
) -> None:
    """Feed recorded judgments through admission and quality control, and report what they say.

    Runs without a server. Can be interrupted and repeated: what is already in the log is not taken twice.
    docs/recordings.md has all columns of both files, those for vendors, times and tags among them.
    """
    from services.bootstrap import open_service
    from services.replay.replay import replay
    from services.replay.screen import show

    console, settings = Console(), read_settings(data=data)
    if settings.is_cluster and data is None:
        raise SettingsError(
            "replay feeds a data folder, not the cluster that PREFLOOP_KAFKA names: give --data FOLDER"
            " (`prefloop migrate --from FOLDER --to cluster` brings it into an empty cluster)"
        )
    if report is not None:
        require_writable(report, "report")
    name = campaign or file.name.split(".")[0]
    found = replay(lambda: open_service(settings), file, items, name, console)
    show(found, console)
    if report is not None:
        with writing(report, "report"):
            report.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n")
        console.print(f"report written to {report}")
    if found.judgments.is_none_taken:
        raise typer.Exit(1)

"""`prefloop rebuild`: the views, folded again from the log."""

from __future__ import annotations

import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from services.bootstrap import open_service
from services.settings import Settings
from services.store.projection import Views
from streams.engines.sqlite_log import require_log

LOOK = 0.1  # seconds between looks at how far it has come


def rebuild_views(settings: Settings, console: Console) -> None:
    """Drops the views of the data folder and folds the whole log, with a progress bar. Raises UnavailableError
    while a service works on the folder, SettingsError where it has no log."""
    require_log(settings.data)
    service = open_service(settings, fresh_views=True)
    begin = time.perf_counter()
    try:
        events = sum(service.store.end(topic) for topic in Views.topics)
        with _progress(console) as progress:
            bar = progress.add_task("folding", total=events)
            while lag := service.engine.lag()[Views.name]:
                progress.update(bar, completed=events - lag)
                time.sleep(LOOK)
            service.engine.drain()
            progress.update(bar, completed=events)
    finally:
        service.close()
    seconds = time.perf_counter() - begin
    console.print(f"{events:,} events folded in {seconds:.1f} s ({events / max(seconds, 1e-9):,.0f}/s)")


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console)

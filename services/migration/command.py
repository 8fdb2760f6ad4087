"""`prefloop migrate`: from one machine into a cluster, and back."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from services.settings import read_settings, require_cluster
from streams.errors import SettingsError

CLUSTER = "cluster"


def migrate_command(
    source: Annotated[str, typer.Option("--from", help="A data folder, or `cluster`.")],
    target: Annotated[str, typer.Option("--to", help="`cluster`, or a data folder that is not there yet.")],
) -> None:
    """Copy everything from one machine into a cluster, or back: log, states and keys; nothing is computed anew.

    The cluster is the one of PREFLOOP_KAFKA, PREFLOOP_DATABASE_URL and PREFLOOP_REDIS_URL, made by `prefloop
    setup-cluster`; it must be empty when it is to be filled. Stop `prefloop up` and all processes of the cluster
    first. A migration that was broken off is repeated with the same words, and goes on.
    """
    if (source == CLUSTER) == (target == CLUSTER):
        raise SettingsError(f"one of --from and --to must be `{CLUSTER}`, the other one a data folder")
    from services.cluster.composition import open_cluster
    from services.migration.into_cluster import into_cluster
    from services.migration.out_of_cluster import out_of_cluster
    from streams.engines.sqlite_log import require_log

    settings, console = read_settings(), Console(stderr=True)
    require_cluster(settings)
    into = target == CLUSTER
    folder = read_settings({}, data=Path(source if into else target))
    if into:
        require_log(folder.data)
    shown: Counter[str] = Counter()
    service = open_cluster(settings)
    try:
        with console.status("copying") as status:

            def progress(what: str, more: int) -> None:
                shown[what] += more
                status.update(f"copying {what}: {shown[what]:,}")

            counts = into_cluster(folder, service, progress) if into else out_of_cluster(service, folder, progress)
    finally:
        service.close()
    _show(counts, console)


def _show(counts: dict[str, int], console: Console) -> None:
    table = Table("topic", "events")
    for topic, count in sorted(counts.items()):
        table.add_row(topic, f"{count:,}")
    console.print(table)
    console.print("done: start the processes of where it is now, and keep the old place until you have looked around")

"""`prefloop keys`: who may do what."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, get_args

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from services.api.roles import Role
from services.commands.remote import LOCAL, Remote, Server, path_of
from services.settings import Settings, read_settings

app = typer.Typer(
    help="Make, list and revoke keys. Needs an admin's key in PREFLOOP_KEY; a lead's is enough to add annotators.",
    no_args_is_help=True,
)


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="Who or what will use it; shown in lists.")],
    role: Annotated[Role, typer.Option(metavar="ROLE", help=f"One of {', '.join(get_args(Role))}.")],
    server: Server = LOCAL,
) -> None:
    """Make a key and print it, once. For annotators a personal link is printed too."""
    remote, console = Remote(server), Console()
    if role in ("annotator", "adjudicator", "model"):
        person = remote.post("/v1/annotators", {"name": name, "role": role})
        console.print(person["key"], soft_wrap=True, highlight=False)
        console.print(f"personal link: {person['link']}", soft_wrap=True, highlight=False)
        return
    console.print(remote.post("/v1/keys", {"name": name, "role": role})["key"], soft_wrap=True, highlight=False)


@app.command("list")
def list_keys(server: Server = LOCAL) -> None:
    """Show every key in force, without its secret."""
    table = Table(Column("key id", no_wrap=True), "name", "role", Column("annotator", no_wrap=True), "since")
    for key in Remote(server).get("/v1/keys")["keys"]:
        if not key["revoked_at"]:
            since = f"{datetime.fromtimestamp(key['created_at'] / 1000, UTC):%Y-%m-%d}"
            table.add_row(key["key_id"], escape(key["name"]), key["role"], key["annotator"], since)
    Console().print(table)


@app.command("revoke")
def revoke(key_id: Annotated[str, typer.Argument(help="From `prefloop keys list`.")], server: Server = LOCAL) -> None:
    """Take a key out of force, at once."""
    Remote(server).delete(path_of("keys", key_id))
    Console().print(f"{key_id} is revoked", highlight=False, markup=False)


@app.command("recover")
def recover(
    data: Annotated[Path | None, typer.Option(help="The data folder [PREFLOOP_DATA].")] = None,
) -> None:
    """Make a new admin key where the keys are, when the old one is lost.

    On one machine that is the data folder, and the service must be stopped. Of a cluster (PREFLOOP_KAFKA and the others
    are set, and no --data) it is PostgreSQL, and nothing has to be stopped.
    """
    settings = read_settings(data=data)
    if settings.is_cluster and data is None:
        from services.cluster.setup import recover_admin

        key = recover_admin(settings)
    else:
        key = _recovered_in(settings)
    Console().print(key, soft_wrap=True, highlight=False)


def _recovered_in(settings: Settings) -> str:
    from services.api.auth import make_key, store_key
    from services.bootstrap import open_service
    from streams.engines.sqlite_log import require_log

    require_log(settings.data)
    service = open_service(settings)
    try:
        new = make_key("admin", "recovered admin")
        service.log.submit(lambda transaction: store_key(transaction.sql, new, service.clock())).result()
    finally:
        service.close()
    return new.key

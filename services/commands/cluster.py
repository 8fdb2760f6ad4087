"""Commands that run the processes of a cluster (docs/operations.md)."""

from __future__ import annotations

import typer
from rich.console import Console

from services.logs import log_to_stderr
from services.migration.command import migrate_command
from services.settings import Settings, read_settings, require_cluster

PANEL = "Cluster"


def add_to(app: typer.Typer) -> None:
    """The commands, in a panel of their own."""
    for name, command in (
        ("setup-cluster", setup_cluster_command),
        ("api", api_command),
        ("materializer", materializer_command),
        ("coordinator", coordinator_command),
        ("migrate", migrate_command),
    ):
        app.command(name, rich_help_panel=PANEL)(command)


def setup_cluster_command() -> None:
    """Create or upgrade schema and topics, and store the first keys. Run it before every start; it waits for others.

    The admin's key is PREFLOOP_ADMIN_KEY, or a random one that is shown once; PREFLOOP_TRAINER_KEY is the trainer's.
    """
    from services.cluster.setup import setup_cluster

    setup_cluster(_settings("setup-cluster"), Console())


def api_command() -> None:
    """Run the HTTP API and the annotator page; as many as there are requests to answer."""
    from services.cluster.processes import serve_api

    serve_api(_settings("api"))


def materializer_command() -> None:
    """Run what folds the log into PostgreSQL and feeds the queue; one is active, a second one waits to take over."""
    from services.cluster.processes import run_materializer

    run_materializer(_settings("materializer"))


def coordinator_command() -> None:
    """Run what cuts batches, decides about models, takes judgments back and ends leases; one is active."""
    from services.cluster.processes import run_coordinator

    run_coordinator(_settings("coordinator"))


def _settings(process: str) -> Settings:
    settings = read_settings()
    require_cluster(settings)
    log_to_stderr(settings.log_level, process)
    return settings

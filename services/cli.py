"""The command line: `prefloop --help`. Each command is thin; what it does lives in the module it names."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from services.aggregate.command import aggregate_command
from services.ai_annotator.command import ai_annotator
from services.commands import campaigns, cluster, keys, models
from services.commands.quarantine import quarantine
from services.demo.command import demo_command
from services.doctor.command import doctor_command
from services.intake.command import intake_command
from services.logs import log_to_stderr
from services.replay.command import replay_command
from services.settings import read_settings
from services.simulation.command import simulate_command
from services.worker.command import worker_command
from streams.errors import PrefloopError

app = typer.Typer(
    name="prefloop",
    help="A streaming human-feedback loop for language models: outputs in, judged preferences, trained and gated models"
    " out. Begin with `prefloop up`, or watch `prefloop demo`.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


def tell_version(wanted: bool) -> None:
    """Prints it and ends, where it is asked for."""
    if wanted:
        from services.api.app import VERSION

        typer.echo(f"prefloop {VERSION}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=tell_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """What holds for every command."""


Data = Annotated[
    Path | None, typer.Option(help="Folder of the log and everything made from it [PREFLOOP_DATA or ./prefloop-data].")
]


def up(
    data: Data = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on; 0.0.0.0 for all [127.0.0.1].")] = None,
    port: Annotated[int | None, typer.Option(help="Port of the API and the annotator page [8080].")] = None,
    dashboard_port: Annotated[int | None, typer.Option(help="Port of the dashboard [8501].")] = None,
    dashboard: Annotated[bool, typer.Option(help="Run the dashboard beside the service.")] = True,
    trainer: Annotated[bool, typer.Option(help="Run a trainer beside the service.")] = True,
) -> None:
    """Run the service: API, annotator page, stream engine, coordinator, dashboard and trainer.

    Everything lives in one data folder. The first start prints the admin key, once. Stop it with Ctrl-C; a kill at
    any point loses nothing that was acknowledged.
    """
    from services.up import serve

    settings = read_settings(data=data, host=host, port=port, dashboard_port=dashboard_port)
    log_to_stderr(settings.log_level, "up")
    serve(settings, Console(), dashboard=dashboard, trainer=trainer)


def rebuild(data: Data = None) -> None:
    """Drop all views and fold the log into them again; the result equals what was there.

    For when a view is in doubt. Nothing in the log is changed and no stage is run again. The service must be stopped;
    of a cluster (PREFLOOP_KAFKA and the others are set, and no --data) only the materializer.
    """
    settings = read_settings(data=data)
    if settings.is_cluster and data is None:
        from services.cluster.rebuild import rebuild_cluster

        rebuild_cluster(settings, Console(stderr=True))
        return
    from services.store.rebuild import rebuild_views

    rebuild_views(settings, Console(stderr=True))


app.command("up")(up)
app.command("demo")(demo_command)
app.command("aggregate")(aggregate_command)
app.command("replay")(replay_command)
app.command("simulate")(simulate_command)
app.command("ai-annotator")(ai_annotator)
app.command("export")(models.export)
app.command("train")(models.train)
app.command("trace")(models.trace)
app.command("quarantine")(quarantine)
app.command("promote")(models.promote)
app.command("rollback")(models.rollback)
app.command("rebuild")(rebuild)
app.command("doctor")(doctor_command)
app.add_typer(keys.app, name="keys")
app.add_typer(campaigns.app, name="campaigns")
app.command("worker", rich_help_panel="Cluster")(worker_command)
app.command("intake", rich_help_panel="Cluster")(intake_command)
cluster.add_to(app)


def main() -> None:
    """Runs the command; what prefloop raises on purpose is told in one line, without a traceback."""
    log_to_stderr("warning", "prefloop")  # until the command says otherwise
    try:
        app()
    except PrefloopError as error:
        console, message, mend = Console(stderr=True), str(error), getattr(error, "mend", "")
        console.print(f"[bold red]prefloop:[/bold red] {escape(message)}", highlight=False)
        if mend and mend not in message:
            console.print(f"  {mend}", highlight=False, markup=False)
        sys.exit(1)


if __name__ == "__main__":
    main()

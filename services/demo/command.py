"""`prefloop demo`, as people type it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

FOLDER = Path(".prefloop-demo")
INTERRUPTED = 130


def demo_command(
    rounds: Annotated[int, typer.Option(min=1, help="How many times around the loop.")] = 2,
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running at the end, until Ctrl-C.")] = False,
    data: Annotated[Path, typer.Option(help="Folder for the converted model and, in one folder a run, all else.")] = (
        FOLDER
    ),
    prompts: Annotated[int, typer.Option(min=16, max=144, help="Prompts a round; two candidates each.")] = 96,
    against: Annotated[
        str,
        typer.Option(
            metavar="URL",
            help="Drive this deployment instead of a service of the demo's own; its admin key in PREFLOOP_KEY. "
            "--data must lie where the deployment's trainer sees it under the same path.",
        ),
    ] = "",
    tiny: Annotated[
        bool,
        typer.Option("--tiny", help="A tiny random model that says nothing sensible: the loop alone."),
    ] = False,
) -> None:
    """Watch the whole loop with a real small model: SmolLM2-135M-Instruct and fifteen simulated annotators.

    Each round, the policy answers prompts twice, annotators with a hidden preference (short, friendly answers)
    compare the answers through the same HTTP API that people use, quality control finds the spammers among them,
    the consensus trains a reward model and the policy, and a gate decides about the promotion. About six minutes a
    round on two cores; the dashboard is up the whole time.
    """
    from services.demo.session import Plan, play

    console = Console()
    bars = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )
    folder = data / time.strftime("run-%Y%m%d-%H%M%S")
    try:
        play(
            console,
            bars,
            Plan(
                data=folder,
                model=data / ("tiny" if tiny else "smollm2"),
                rounds=rounds,
                prompts=prompts,
                keep=keep,
                tiny=tiny,
                against=against,
            ),
        )
    except KeyboardInterrupt:
        bars.stop()
        ended = "the deployment goes on" if against else f"the service has ended; what there is lies in {folder}"
        console.print(f"\nstopped; {ended}")
        raise typer.Exit(INTERRUPTED) from None

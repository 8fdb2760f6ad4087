"""`python -m services.trainer`: the trainer's command line."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Annotated

import httpx
import typer

from services.logs import log_to_stderr
from services.settings import Settings, read_settings
from services.trainer.client import RunsClient
from services.trainer.worker import work
from streams.errors import PrefloopError

TIMEOUT = httpx.Timeout(30.0, read=300.0)  # a large dataset is streamed for a while


def main(
    server: Annotated[str, typer.Option(help="Base URL of the service.", envvar="PREFLOOP_SERVER")] = Settings().url,
    key_env: Annotated[str, typer.Option(help="Environment variable that holds a key of the role engineer.")] = (
        "PREFLOOP_KEY"
    ),
    artifacts: Annotated[Path, typer.Option(help="Folder for datasets, runs and models.")] = Path("artifacts"),
    name: Annotated[
        str, typer.Option(help="This trainer's name, unlike any other's. After a kill the same name gets its run back.")
    ] = "",
    once: Annotated[bool, typer.Option("--once", help="Train at most one run, then exit.")] = False,
) -> None:
    """Claim training runs from a prefloop server and train them, on the GPU where there is one, else on the CPU."""
    key = os.environ.get(key_env, "")
    if not key:
        raise typer.BadParameter(f"the variable {key_env} is not set; export {key_env}=plk_...", param_hint="--key-env")
    headers = {"Authorization": f"Bearer {key}"}
    level = {"PREFLOOP_LOG_LEVEL": os.environ.get("PREFLOOP_LOG_LEVEL", "info")}
    try:
        log_to_stderr(read_settings(level).log_level, "trainer")
        with httpx.Client(base_url=server, headers=headers, timeout=TIMEOUT) as http:
            work(RunsClient(http, name or f"trainer-{socket.gethostname()}"), artifacts, once=once)
    except PrefloopError as error:
        typer.echo(f"trainer: {error}", err=True)
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        typer.echo("trainer: stopped; started again under the same name it goes on where it was", err=True)
        raise typer.Exit(130) from None


if __name__ == "__main__":
    typer.run(main)

"""`prefloop campaigns`: guideline, rules, targets and training, from a YAML file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from services.commands.remote import LOCAL, Remote, Server, path_of
from streams.errors import InputError
from streams.events import Campaign, Event

WRITTEN = set(Campaign.__struct_fields__) - set(Event.__struct_fields__)
app = typer.Typer(help="List, show and write campaigns. Writing needs a lead's key.", no_args_is_help=True)


@app.command("list")
def list_campaigns(server: Server = LOCAL) -> None:
    """Show every campaign with its version."""
    table = Table("campaign", "version", "mode")
    for campaign in Remote(server).get("/v1/campaigns")["campaigns"]:
        table.add_row(escape(campaign["name"]), str(campaign["version"]), campaign["mode"])
    Console().print(table)


@app.command("show")
def show(name: Annotated[str, typer.Argument(help="The campaign.")], server: Server = LOCAL) -> None:
    """Print a campaign as YAML; edit it and give it to `prefloop campaigns apply`."""
    typer.echo(
        yaml.safe_dump(definable(Remote(server).get(path_of("campaigns", name))), sort_keys=False, allow_unicode=True),
        nl=False,
    )


@app.command("apply")
def apply(
    file: Annotated[Path, typer.Argument(help="YAML with `name` and what is to differ from the defaults.")],
    server: Server = LOCAL,
) -> None:
    """Write a campaign from a YAML file. A change makes the next version, which holds for tasks made from now on."""
    definition = read_definition(file)
    name = definition.pop("name")
    answer = Remote(server).put(path_of("campaigns", name), definition)
    Console().print(f"campaign {name} is at version {answer['version']}", highlight=False, markup=False)


def definable(shown: dict[str, Any]) -> dict[str, Any]:
    """What of a campaign, as the API shows it, a person writes; its version too, which `apply` leaves out."""
    return {name: value for name, value in shown.items() if name in WRITTEN}


def read_definition(file: Path) -> dict[str, Any]:
    """The mapping in the file. Raises InputError, which says where the file is wrong."""
    try:
        definition = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror}", field="file") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{file} is not YAML: {error}", field="file") from error
    if not isinstance(definition, dict) or not isinstance(definition.get("name"), str):
        raise InputError(f"{file} has no `name`", field="name", mend="begin the file with `name: my-campaign`")
    definition.pop("version", None)  # what `show` prints can be applied again
    try:
        json.dumps(definition, allow_nan=False)
    except (TypeError, ValueError) as error:
        mend = "put it in quotes: a campaign holds text, numbers, true, false, null, lists and mappings"
        raise InputError(f"{file} has a value that cannot be sent: {error}", field="file", mend=mend) from error
    return definition

"""The running service, as the commands reach it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Annotated, Any
from urllib.parse import quote

import typer

from dashboard.client import Client, connect
from services.settings import read_settings
from streams.errors import SettingsError

Server = Annotated[str, typer.Option(help="Base URL of the service.", envvar="PREFLOOP_SERVER")]
LOCAL = read_settings({}).url


def path_of(*parts: str) -> str:
    """The API's path of these parts, each of them whatever somebody typed."""
    return "/".join(["/v1", *(quote(part, safe="") for part in parts)])


class Remote:
    """A client that acts with the key in PREFLOOP_KEY."""

    def __init__(self, server: str) -> None:
        self.client: Client = connect(server)
        self.key = os.environ.get("PREFLOOP_KEY", "")
        if not self.key:
            raise SettingsError(
                "no key: set PREFLOOP_KEY to yours (the first start of `prefloop up` prints the admin's)"
            )

    def get(self, path: str, **query: str | int) -> Any:
        """The JSON at the path."""
        return self.client.get(self.key, path, **query)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """The service's answer to the body."""
        return self.client.post(self.key, path, body)

    def put(self, path: str, body: dict[str, Any]) -> Any:
        """The service's answer to the body."""
        return self.client.put(self.key, path, body)

    def delete(self, path: str) -> None:
        """Removes what is at the path."""
        self.client.delete(self.key, path)

    def lines(self, path: str) -> Iterator[str]:
        """The NDJSON lines at the path, as they come."""
        return self.client.lines(self.key, path)

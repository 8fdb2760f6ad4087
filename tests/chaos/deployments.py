"""What chaos is made in: members that can be killed with -9, and a look at what is there at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import httpx

from services.bootstrap import open_service
from services.settings import Settings
from services.spawned import SpawnedService
from services.store.schema import rows_of_views
from streams.topology import TOPOLOGY
from tests.chaos.history import Found, ViewRow

ADMIN = "plk_admin_0123456789abcdef0123456789abcdef"
EVERYTHING = 10**7


class Member(Protocol):
    """One process, or one server."""

    def kill(self) -> None:
        """kill -9."""

    def start(self) -> None:
        """Starts it again; returns when it works."""


class Deployment(Protocol):
    """It runs; `found` may be called once, after the load has stopped."""

    @property
    def http(self) -> httpx.Client:
        """With the admin's key."""

    @property
    def urls(self) -> Sequence[str]:
        """Of the API, one a replica."""

    @property
    def members(self) -> Mapping[str, Member]:
        """By name."""

    def found(self, quota: int) -> Found:
        """Everything, once all stages and views have caught up."""


class OneMachine:
    """`prefloop up` over a folder. `module` is another entry point than the command line's: one with a bug planted."""

    def __init__(self, folder: Path, module: str = "services.cli") -> None:
        self._service = SpawnedService(folder, ADMIN, module=module)
        self._folder = folder
        self.http = self._service.http

    def __enter__(self) -> Self:
        self._service.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._service.__exit__(kind, error, trace)

    @property
    def urls(self) -> Sequence[str]:
        """See Deployment."""
        return [self._service.url]

    @property
    def members(self) -> Mapping[str, Member]:
        """See Deployment."""
        return {"prefloop up": self._service}

    def found(self, quota: int) -> Found:
        """See Deployment."""
        self._service.stop()
        service = open_service(Settings(data=self._folder))
        try:
            service.engine.drain()
            records = {topic: service.store.read(topic, limit=EVERYTHING) for topic in TOPOLOGY.topics}
            views = list(rows_of_views(service.store.connection))
        finally:
            service.close()
        return Found(records=records, views=views, rebuilt=self._rebuilt(), quota=quota)

    def _rebuilt(self) -> list[ViewRow]:
        service = open_service(Settings(data=self._folder), fresh_views=True)
        try:
            service.engine.drain()
            return list(rows_of_views(service.store.connection))
        finally:
            service.close()

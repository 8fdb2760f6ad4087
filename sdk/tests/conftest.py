"""Fixtures of the SDK's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from prefloop_sdk import Prefloop
from prefloop_sdk.courier import Backoff
from tests.local_service import LocalService

MakeClient = Callable[..., Prefloop]


@pytest.fixture
def service() -> Iterator[LocalService]:
    local = LocalService()
    yield local
    local.close()


@pytest.fixture
def make_client(service: LocalService, tmp_path: Path) -> Iterator[MakeClient]:
    """Clients of `service` that try again at once and share one spool."""
    made: list[Prefloop] = []

    def make(**options: Any) -> Prefloop:
        settings: dict[str, Any] = {"spool": tmp_path / "spool", "linger": 0.0, "backoff": Backoff(0.001, 0.002)}
        made.append(Prefloop(service.url, "plk_test", **{**settings, **options}))
        return made[-1]

    yield make
    service.gate.set()
    for client in made:
        client.close(5)

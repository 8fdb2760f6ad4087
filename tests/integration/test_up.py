"""How `prefloop up` ends: in good order when it is told to, with an error when its engine broke."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from services.spawned import SpawnedService

ADMIN = "plk_admin_0123456789abcdef0123456789abcdef"
OUTPUT = {"prompt": "What is a mutex?", "responses": ["A lock.", "A kind of bread."]}
pytestmark = pytest.mark.slow  # a process each


def lines(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]


def test_told_to_end_it_closes_everything_and_ends_well(tmp_path: Path) -> None:
    log = tmp_path / "up.log"
    with SpawnedService(tmp_path / "folder", ADMIN, log=log) as service:
        service.http.post("/v1/outputs", json=OUTPUT).raise_for_status()
        assert service.stop() == 0
    told = [line["event"] for line in lines(log)]
    assert (told[0], told[-1]) == ("started", "stopped")
    assert not (tmp_path / "folder" / "prefloop.sqlite3-wal").exists()  # SQLite's own farewell: one whole file


def test_whose_engine_broke_says_so_and_ends_with_an_error(tmp_path: Path) -> None:
    log = tmp_path / "up.log"
    with SpawnedService(tmp_path / "folder", ADMIN, log=log, module="tests.integration.broken_engine") as service:
        service.http.post("/v1/outputs", json=OUTPUT)
        assert service.wait_until_ended() == 1
    assert "the engine broke" in log.read_text()

"""`prefloop keys recover`: a new admin's key where the keys are."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.api.auth import Keyring
from services.bootstrap import open_service
from services.commands.keys import app
from services.settings import Settings
from services.store.database import open_postgres
from services.store.postgres_schema import migrate
from streams.errors import SettingsError


def test_on_one_machine_in_its_folder(tmp_path: Path) -> None:
    open_service(Settings(data=tmp_path)).close()
    told = CliRunner().invoke(app, ["recover", "--data", str(tmp_path)])
    service = open_service(Settings(data=tmp_path))
    try:
        assert Keyring(service.database).caller(f"Bearer {told.stdout.strip()}").role == "admin"
    finally:
        service.close()


def test_a_slip_in_the_folders_name_makes_no_other_service(tmp_path: Path) -> None:
    told = CliRunner().invoke(app, ["recover", "--data", str(tmp_path / "slip")])
    assert isinstance(told.exception, SettingsError)
    assert not (tmp_path / "slip").exists()


def test_in_a_cluster_in_postgresql_with_nothing_else_up(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "KAFKA": "127.0.0.1:1",
        "DATABASE_URL": database_url,
        "REDIS_URL": "redis://127.0.0.1:1",
    }.items():
        monkeypatch.setenv(f"PREFLOOP_{name}", value)
    database = open_postgres(database_url)
    try:
        migrate(database)
        told = CliRunner().invoke(app, ["recover"])
        assert Keyring(database).caller(f"Bearer {told.stdout.strip()}").role == "admin"
    finally:
        database.dispose()

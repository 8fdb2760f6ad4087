"""`prefloop replay` says where it works."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from services.replay.command import replay_command
from streams.errors import SettingsError

CLUSTER = {
    "PREFLOOP_KAFKA": "127.0.0.1:1",
    "PREFLOOP_DATABASE_URL": "postgresql+psycopg://nobody@127.0.0.1:1/none",
    "PREFLOOP_REDIS_URL": "redis://127.0.0.1:1/0",
}


def test_a_cluster_is_told_how_its_recording_comes_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    app = typer.Typer()
    app.command()(replay_command)
    told = CliRunner().invoke(app, ["judgments.jsonl", "--items", "items.jsonl"], env=CLUSTER)
    assert isinstance(told.exception, SettingsError)
    assert "give --data FOLDER" in str(told.exception)
    assert list(tmp_path.iterdir()) == []

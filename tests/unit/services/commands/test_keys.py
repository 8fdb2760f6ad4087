"""`prefloop keys`."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from services.cli import app
from services.commands import keys

KEYS = [{"key_id": "k1", "name": "Ada [north]", "role": "lead"}]


class Service:
    """Has one key, and writes down what is removed."""

    removed: list[str] = []

    def __init__(self, server: str) -> None: ...

    def get(self, path: str) -> dict[str, list[dict[str, str]]]:
        return {"keys": KEYS}

    def delete(self, path: str) -> None:
        self.removed.append(path)


@pytest.fixture(autouse=True)
def service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "Remote", Service)


def test_names_are_shown_as_they_are() -> None:
    assert "Ada [north]" in CliRunner().invoke(app, ["keys", "list"]).stdout


def test_a_key_is_revoked_by_its_id_whatever_it_looks_like() -> None:
    assert "[k]/1 is revoked" in CliRunner().invoke(app, ["keys", "revoke", "[k]/1"]).stdout
    assert Service.removed == ["/v1/keys/%5Bk%5D%2F1"]

"""`prefloop keys`."""

from __future__ import annotations

from typing import Any

import pytest
from typer.testing import CliRunner

from services.cli import app
from services.commands import keys

IN_FORCE: dict[str, Any] = {
    "key_id": "k1",
    "name": "Ada [north]",
    "role": "annotator",
    "annotator": "an_0123456789abcdef",
}
IN_FORCE |= {"created_at": 1_790_000_000_000, "revoked_at": 0}
KEYS = [IN_FORCE, {**IN_FORCE, "key_id": "k0", "name": "trainer of last week", "revoked_at": 1_790_000_000_001}]


class Service:
    """Has one key in force and one that was revoked, and writes down what is removed."""

    removed: list[str] = []

    def __init__(self, server: str) -> None: ...

    def get(self, path: str) -> dict[str, list[dict[str, Any]]]:
        return {"keys": KEYS}

    def delete(self, path: str) -> None:
        self.removed.append(path)


@pytest.fixture(autouse=True)
def service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "Remote", Service)


def test_a_key_is_shown_with_its_annotator_and_its_name_as_it_is() -> None:
    (line,) = (one for one in CliRunner().invoke(app, ["keys", "list"]).stdout.splitlines() if "k1" in one)
    for expected in ("Ada [north]", "annotator", "an_0123456789abcdef", "2026-09-21"):
        assert expected in line


def test_a_revoked_key_is_not_among_those_in_force() -> None:
    assert "last week" not in CliRunner().invoke(app, ["keys", "list"]).stdout


def test_a_key_is_revoked_by_its_id_whatever_it_looks_like() -> None:
    assert "[k]/1 is revoked" in CliRunner().invoke(app, ["keys", "revoke", "[k]/1"]).stdout
    assert Service.removed == ["/v1/keys/%5Bk%5D%2F1"]

"""The role table beside what docs/api.md says of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from services.api.roles import ALL, PUBLIC, TABLE

DOC = (Path(__file__).parents[4] / "docs" / "api.md").read_text("utf-8")
ROLES_SECTION = DOC[DOC.index("## Roles") : DOC.index("## Errors")]


def test_every_role_is_documented() -> None:
    assert set(re.findall(r"^\| (\w+) \|", ROLES_SECTION, re.MULTILINE)) - {"role"} == ALL


def test_the_admin_may_do_everything_and_health_needs_no_key() -> None:
    assert {path for (_, path), roles in TABLE.items() if roles is PUBLIC} == {"/healthz", "/readyz", "/metrics"}
    assert all("admin" in roles for roles in TABLE.values() if roles is not PUBLIC)


@pytest.mark.parametrize("role", sorted(ALL - {"admin"}))
def test_no_role_but_the_admin_makes_keys(role: str) -> None:
    assert not [path for (_, path), roles in TABLE.items() if path.startswith("/v1/keys") and role in roles]


def test_producers_see_no_judgment_and_annotators_no_model() -> None:
    seen = {role: {path for (_, path), roles in TABLE.items() if role in roles} for role in ("producer", "annotator")}
    assert seen["producer"] == {"/v1/outputs", "/v1/signals", "/v1/scores", "/v1/me", "/v1/campaigns/{name}/champion"}
    assert not [path for path in seen["annotator"] if "models" in path or "champion" in path]


@pytest.mark.parametrize("path", sorted({path for _, path in TABLE}))
def test_every_path_is_documented(path: str) -> None:
    spelled = re.sub(r"{(?!name}|task}|offset}|key_id})\w+}", "{id}", path)
    wanted = re.escape(spelled).replace(re.escape("{id}"), r"\{(id|batch|run|model|annotator|judgment)\}")
    assert re.search(wanted + r"(?![\w/])", DOC), spelled

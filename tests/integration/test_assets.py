"""What browsers get: files that are never stale, a strict policy, and a reference that needs no network."""

from __future__ import annotations

import re

import pytest

from services.api.assets import FOLDER
from services.api.roles import TABLE
from tests.integration.world import World

FILES = sorted(path.name for path in FOLDER.iterdir())


@pytest.mark.parametrize("name", FILES)
def test_no_browser_mixes_old_and_new_files(shared: World, name: str) -> None:
    first = shared.client.get(f"/{name}")
    assert (first.status_code, first.headers["cache-control"]) == (200, "no-cache")
    again = shared.client.get(f"/{name}", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.headers["cache-control"]) == (304, "no-cache")


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_nothing_from_elsewhere_and_nothing_inline(shared: World, path: str) -> None:
    answer = shared.client.get(path)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.findall(r"(?:src|href)=\"(?:https?:)?//", answer.text)
    assert not re.findall(r"<script(?! type=\"module\" src=)|<style|\sstyle=|\son\w+=", answer.text)


def test_the_reference_names_every_endpoint_and_type(shared: World) -> None:
    text = shared.client.get("/docs").text
    for method, path in TABLE:
        assert f"<b>{method}</b> {path}<" in text
    for name in shared.client.get("/openapi.json").json()["components"]["schemas"]:
        assert f'id="type-{name}"' in text
    targets = set(re.findall(r'href="#([\w-]+)"', text))
    assert targets <= set(re.findall(r'id="([\w-]+)"', text))


def test_redoc_is_gone(shared: World) -> None:
    assert shared.client.get("/redoc").status_code == 404

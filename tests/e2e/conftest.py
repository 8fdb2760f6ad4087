"""What the browser tests share: a real browser, and a real service of its own process."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from services.spawned import SpawnedService
from tests.e2e.desk import Desk, supply

PATIENCE_MS = 20_000  # until the page must show what is expected: other tests keep the machine busy


@pytest.fixture(scope="module")  # closed after each file: its event loop runs on the main thread until then
def browser() -> Iterator[Browser]:
    """One headless chromium for all tests of the session: Debian's, driven by playwright."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no chromium on this machine: apt-get install chromium")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SpawnedService]:
    """`prefloop up` on an empty data folder, without dashboard and trainer."""
    admin = f"plk_{secrets.token_hex(6)}_{secrets.token_hex(16)}"
    with SpawnedService(tmp_path_factory.mktemp("service") / "data", admin) as spawned:
        yield spawned


@pytest.fixture(scope="module")
def supplied(service: SpawnedService) -> SpawnedService:
    """The service with tasks in it."""
    return supply(service)


@pytest.fixture
def desk(supplied: SpawnedService, browser: Browser) -> Iterator[Desk]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    yield Desk(supplied, context)
    context.close()


@pytest.fixture
def reader(supplied: SpawnedService, browser: Browser) -> Iterator[Desk]:
    """An annotator who is given the long and hostile tasks."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    desk = Desk(supplied, context, ["reading"])
    desk.sign_in()
    desk.choose_campaign("essays")
    yield desk
    context.close()

"""The dashboard of a running service, in a browser: a lead suspends an annotator and takes it back."""

import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from services.spawned import SpawnedService, free_port
from tests.e2e.conftest import PATIENCE_MS

pytestmark = pytest.mark.slow
FIRST_ROW, ROW_HEIGHT = (15, 52), 35  # pixels from the table's corner to the first row's box; the table is a canvas


@dataclass(frozen=True)
class Running:
    """A service with its dashboard."""

    service: SpawnedService
    dashboard: str


def is_up(url: str) -> bool:
    return httpx.get(f"{url}/_stcore/health", timeout=2).is_success


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """`prefloop up` with its dashboard, on free ports and an empty data folder."""
    admin, port = f"plk_{secrets.token_hex(6)}_{secrets.token_hex(16)}", free_port()
    options = ("--no-trainer", "--dashboard-port", str(port))
    with SpawnedService(tmp_path_factory.mktemp("service") / "data", admin, options=options) as service:
        found = Running(service=service, dashboard=f"http://127.0.0.1:{port}")
        service.wait(lambda: is_up(found.dashboard), 60)
        yield found


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 1400})
    context.set_default_timeout(PATIENCE_MS)
    yield context.new_page()
    context.close()


def made(running: Running, path: str, body: dict[str, object]) -> dict[str, str]:
    answer = running.service.http.post(path, json=body)
    assert answer.status_code == 201, answer.text
    found: dict[str, str] = answer.json()
    return found


def next_task(running: Running, key: str) -> httpx.Response:
    return running.service.http.post("/v1/tasks/next", json={}, headers={"Authorization": f"Bearer {key}"})


def confirm(page: Page, action: str, reason: str) -> None:
    page.get_by_role("button", name=action, exact=False).first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Reason").fill(reason)
    dialog.get_by_role("button", name=action).click()
    expect(dialog).to_be_hidden()


def open_annotator(page: Page, name: str) -> None:
    """Opens the row of that annotator; the first start made one annotator too, and ids are random."""
    heading = page.get_by_role("heading", name=f"{name} active")
    for row in range(2):
        page.locator(".dvn-scroller").first.click(position={"x": FIRST_ROW[0], "y": FIRST_ROW[1] + row * ROW_HEIGHT})
        opened = page.get_by_role("heading", name=re.compile(" active$"))
        expect(opened if row == 0 else heading).to_be_visible()
        if heading.is_visible():
            return


def test_a_lead_suspends_and_reinstates_an_annotator(running: Running, page: Page) -> None:
    lead = made(running, "/v1/keys", {"name": "Ada", "role": "lead"})["key"]
    mei = made(running, "/v1/annotators", {"name": "Mei"})["key"]
    for n in range(3):
        made(
            running,
            "/v1/outputs",
            {"id": f"o-{n}", "prompt": f"What is {n}?", "responses": ["A number.", f"It is {n}."]},
        )
    assert next_task(running, mei).status_code in (200, 204)  # she may judge

    page.goto(f"{running.dashboard}/annotators")
    page.get_by_label("Your key").fill(lead)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("Ada")).to_be_visible()
    assert lead not in page.url

    open_annotator(page, "Mei")
    confirm(page, "Suspend", "answers too fast")
    expect(page.locator(".pf-badge", has_text="suspended")).to_be_visible()
    refused = next_task(running, mei)
    assert refused.status_code == 403

    confirm(page, "Reinstate", "talked it over")
    expect(page.locator(".pf-badge", has_text="active")).to_be_visible()
    assert next_task(running, mei).status_code in (200, 204)


def test_an_engineer_sees_why_they_may_not_suspend(running: Running, page: Page) -> None:
    engineer = made(running, "/v1/keys", {"name": "Grace", "role": "engineer"})["key"]
    made(running, "/v1/annotators", {"name": "Noor"})
    page.goto(f"{running.dashboard}/annotators")
    page.get_by_label("Your key").fill(engineer)
    page.get_by_role("button", name="Sign in").click()
    page.locator(".dvn-scroller").first.click(position={"x": FIRST_ROW[0], "y": FIRST_ROW[1]})
    expect(page.get_by_role("button", name="Suspend")).to_be_disabled()

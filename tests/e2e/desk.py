"""An annotator with a browser of their own, and tasks for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request, Response, expect

from services.spawned import SpawnedService

OUTPUTS = 60
HOSTILE = (
    "<script>window.hacked = 1</script> <img src=x onerror='window.hacked = 1'> [x](javascript:window.hacked=1)"
    " ![cat](https://elsewhere.invalid/cat.png)"
)
LONG = "\n\n".join(f"Paragraph {number} of a long answer that has to be scrolled." for number in range(40))
CODE = "```python\nlock = {}\n```"
GUIDELINE = "## What matters\n\n1. **Safe.**\n2. **True.**\n3. **Helpful.**"


def supply(service: SpawnedService) -> SpawnedService:
    """Short tasks for everybody, and long and hostile ones for who has the skill `reading`."""
    add_campaign(service, "default", {"overlap": 30})
    add_campaign(service, "essays", {"overlap": 30, "skills": ["reading"], "priority": 9})
    # Short ones: whoever answers longer ones as fast as these tests is suspended for it.
    pairs = {"default": ("A {}", "B {}"), "essays": (f"A lock, {{}}.\n\n{HOSTILE}", f"{CODE}\n\n{LONG}")}
    outputs = [
        {
            "id": f"{campaign}-{number}",
            "campaign": campaign,
            "prompt": f"{campaign}: question {number}",
            "model": "secret-model-name",
            "responses": [text.format(number) for text in pair],
        }
        for campaign, pair in pairs.items()
        for number in range(OUTPUTS)
    ]
    assert service.http.post("/v1/outputs", json={"outputs": outputs}).json()["accepted"] == 2 * OUTPUTS
    service.wait(lambda: service.http.get("/v1/live").json()["queue"]["open"] == 2 * OUTPUTS, 60)
    return service


def add_campaign(service: SpawnedService, name: str, rule: dict[str, Any]) -> None:
    campaign = {"guideline": GUIDELINE, "gold_rate": 0.0, "rules": [rule]}
    campaign["targets"] = {"min_judgments": 30, "overlap_cap": 30}
    assert service.http.put(f"/v1/campaigns/{name}", json=campaign).status_code == 200


class Desk:
    """One new annotator with a browser of their own."""

    def __init__(self, service: SpawnedService, context: BrowserContext, skills: Sequence[str] = ()) -> None:
        made = service.http.post("/v1/annotators", json={"name": "Mira", "skills": list(skills)}).json()
        self.annotator, self.key = made["annotator"], made["key"]
        self.link = f"{service.url}/#key={self.key}"
        self.service, self.context, self.page = service, context, context.new_page()
        self.sent: list[dict[str, Any]] = []  # acknowledged judgments, in order
        self.complaints: list[str] = []
        self.elsewhere: list[str] = []
        self.page.on("response", self._note)
        self.page.on("console", self._complain)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._watch)

    def _note(self, response: Response) -> None:
        if response.url.endswith("/v1/judgments") and response.ok:
            self.sent.append(response.request.post_data_json)

    def _watch(self, request: Request) -> None:
        if not request.url.startswith(self.service.url):
            self.elsewhere.append(request.url)

    def _complain(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def sign_in(self) -> Page:
        self.page.goto(self.link)
        self.ready()
        return self.page

    def ready(self) -> None:
        """Until a task is on the screen and takes an answer."""
        self.page.wait_for_selector("#task:not([hidden]):not([data-fresh])")

    def choose_campaign(self, name: str) -> None:
        self.page.get_by_label("Campaign").select_option(name)
        expect(self.page.locator("#turns")).to_contain_text(name)
        self.ready()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.ready()
            self.page.keyboard.press(key)

    def text(self, selector: str) -> str:
        return str(self.page.locator(selector).inner_text())

    def wait_until_sent(self, count: int) -> None:
        """Until so many are acknowledged, and the page itself knows it."""
        self.page.wait_for_function(
            "() => !Object.keys(localStorage).some((name) => name.startsWith('prefloop.outbox.'))"
        )
        assert len(self.sent) == count

    def recorded(self, task: str) -> list[dict[str, Any]]:
        """What the service has of this annotator's judgments on a task, by revision."""

        def rows() -> list[dict[str, Any]]:
            judgments = self.service.http.get(f"/v1/tasks/{task}").json()["judgments"]
            return [row for row in judgments if row["annotator"] == self.annotator and row["choice"]]

        self.service.wait(lambda: bool(rows()), 10)
        return sorted(rows(), key=lambda row: int(row["revision"]))

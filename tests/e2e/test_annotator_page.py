"""The annotator page in a real browser against the real service."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Response, Route, expect

from services.spawned import SpawnedService

pytestmark = pytest.mark.slow

OUTPUTS = 60
HOSTILE = (
    "<script>window.hacked = 1</script> <img src=x onerror='window.hacked = 1'> [x](javascript:window.hacked=1)"
    " ![cat](https://elsewhere.invalid/cat.png)"
)
LONG = "\n\n".join(f"Paragraph {number} of a long answer that has to be scrolled." for number in range(40))
CODE = "```python\nlock = {}\n```"
HAS_NEXT = "() => JSON.parse(sessionStorage.getItem('prefloop.desk')).ahead.length === 1"
GUIDELINE = "## What matters\n\n1. **Safe.**\n2. **True.**\n3. **Helpful.**"


@pytest.fixture(scope="module")
def supplied(service: SpawnedService) -> SpawnedService:
    """The service with short tasks for everybody, and with long and hostile ones for who has the skill `reading`."""
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


MEANT = {"1": "left", "2": "tie", "3": "right", "ArrowLeft": "left", "ArrowDown": "tie", "ArrowRight": "right"}
TWENTY = ["1", "3", "ArrowDown", "3", "1", "ArrowLeft", "2", "3", "3", "1"]
TWENTY += ["ArrowRight", "2", "1", "3", "1", "1", "3", "2", "ArrowRight", "1"]


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


def canonical(side: str, swapped: bool) -> str:
    if side == "tie":
        return "tie"
    return "a" if (side == "left") != swapped else "b"


def refusing(status: int, message: str) -> Callable[[Route], None]:
    error = {"code": "x", "message": message, "field": "", "mend": "Ask for your next task."}
    return lambda route: route.fulfill(status=status, json={"error": error})


# ---------------------------------------------------------------- work


def test_twenty_judgments_by_keyboard(desk: Desk) -> None:
    page = desk.sign_in()
    assert page.url == f"{desk.service.url}/"  # the key left the address
    prompts = []
    for key in TWENTY:
        desk.ready()
        prompts.append(desk.text("#turns"))
        page.keyboard.press(key)
    desk.ready()
    assert desk.text("#progress") == "20 today"
    desk.wait_until_sent(20)
    assert len(set(prompts)) == 20
    assert [judgment["choice"] for judgment in desk.sent] == [MEANT[key] for key in TWENTY]
    sides = set()
    for judgment in desk.sent:
        (row,) = desk.recorded(judgment["task"])
        assert row["choice"] == canonical(judgment["choice"], row["swapped"])
        assert 0 < row["shown_at"] < row["answered_at"]
        sides.add(bool(row["swapped"]))
    assert sides == {True, False}
    assert desk.complaints == []
    assert desk.elsewhere == []


def test_offline_and_back_loses_nothing(desk: Desk) -> None:
    page = desk.sign_in()
    desk.press("1")
    desk.wait_until_sent(1)
    page.wait_for_function(HAS_NEXT)
    desk.context.set_offline(True)
    desk.press("2", "3")
    expect(page.locator("#sync")).to_have_text("2 kept here, will be sent")
    expect(page.locator("#rest-title")).to_have_text("The service can't be reached")
    assert desk.text("#progress") == "3 today"
    desk.context.set_offline(False)
    desk.press("1")
    desk.wait_until_sent(4)
    assert [judgment["choice"] for judgment in desk.sent] == ["left", "tie", "right", "left"]
    assert len({judgment["task"] for judgment in desk.sent}) == 4
    expect(page.locator("#sync")).to_have_text("")


def test_what_is_kept_survives_a_reload(desk: Desk) -> None:
    page = desk.sign_in()
    page.route("**/v1/judgments", refusing(503, "down for a moment"))
    desk.press("3", "1")
    expect(page.locator("#sync")).to_have_text("2 kept here, will be sent")
    desk.ready()
    before = desk.text("#turns")
    page.unroute("**/v1/judgments")
    page.reload()
    desk.ready()
    desk.wait_until_sent(2)
    assert [judgment["choice"] for judgment in desk.sent] == ["right", "left"]
    assert desk.text("#turns") == before  # the task that lay there lies there still
    assert desk.text("#progress") == "2 today"


def test_undo_changes_the_last_answer(desk: Desk) -> None:
    page = desk.sign_in()
    first = desk.text("#turns")
    desk.press("1")
    desk.ready()
    second = desk.text("#turns")
    desk.press("u")
    desk.ready()
    assert desk.text("#turns") == first
    assert desk.text("#armed") == "You said: Left. Answer again to change it."
    desk.press("3")
    desk.ready()
    assert desk.text("#turns") == second
    assert desk.text("#progress") == "1 today"
    desk.wait_until_sent(2)
    assert [(judgment["choice"], judgment["revision"]) for judgment in desk.sent] == [("left", 1), ("right", 2)]
    assert desk.sent[0]["shown_at"] == desk.sent[1]["shown_at"]
    last = desk.recorded(desk.sent[0]["task"])[-1]
    assert (last["revision"], last["choice"]) == (2, canonical("right", last["swapped"]))
    page.keyboard.press("u")  # and again: the change can be looked at, and left as it is
    expect(page.locator("#keep")).to_be_visible()
    page.keyboard.press("Escape")
    desk.ready()
    assert desk.text("#turns") == second
    assert len(desk.sent) == 2


def test_details_by_keyboard(desk: Desk) -> None:
    page = desk.sign_in()
    desk.press("d", "1", "1", "3", "2", "5", "b", "r")
    page.keyboard.type("1 is right, and kinder")
    assert desk.sent == []
    page.keyboard.press("Control+Enter")
    desk.wait_until_sent(1)
    (judgment,) = desk.sent
    assert judgment["choice"] == "left"
    assert judgment["marks"] == {"helpful": "left", "harmless": "right", "honest": "tie"}
    assert judgment["strength"] == 2
    assert judgment["flags"] == ["both_bad"]
    assert judgment["reason"] == "1 is right, and kinder"
    desk.ready()
    assert page.locator("#reason").input_value() == ""
    assert page.locator("#details input:checked").count() == 0


def test_strength_before_the_answer(desk: Desk) -> None:
    desk.sign_in()
    desk.press("6", "n")
    assert desk.text("#armed") == "by far, not sure"
    desk.press("3")
    desk.wait_until_sent(1)
    assert (desk.sent[0]["strength"], desk.sent[0]["flags"]) == (3, ["unsure"])


def test_skip_gives_another_task(desk: Desk) -> None:
    desk.sign_in()
    first = desk.text("#turns")
    desk.press("s")
    desk.ready()
    assert desk.text("#turns") != first
    assert desk.text("#progress") == "0 today"


def test_a_double_click_answers_one_task(desk: Desk) -> None:
    page = desk.sign_in()
    page.wait_for_function(HAS_NEXT)
    page.evaluate(
        """async () => {
          const button = document.querySelector("[data-act=left]");
          button.click();
          await new Promise((later) => setTimeout(later, 30));
          button.click();
        }"""
    )
    desk.ready()
    desk.wait_until_sent(1)
    assert desk.text("#progress") == "1 today"


def test_an_arrow_that_scrolls_does_not_answer(reader: Desk) -> None:
    page = reader.page
    long = "#left" if "Paragraph" in reader.text("#left") else "#right"
    page.locator(long).focus()
    page.keyboard.press("ArrowDown")
    page.wait_for_function(f"() => document.querySelector('{long}').scrollTop > 0")
    assert reader.text("#progress") == "0 today"


def test_a_letter_in_the_reason_is_a_letter(desk: Desk) -> None:
    page = desk.sign_in()
    desk.press("r")
    page.keyboard.type("sugds 123")
    assert page.locator("#reason").input_value() == "sugds 123"
    assert desk.text("#progress") == "0 today"


# ---------------------------------------------------------------- around the work


@pytest.mark.parametrize(
    ("key", "dialog", "words"), [("g", "#guideline", "What matters"), ("?", "#help", "Left is better")]
)
def test_dialogs_are_one_key_away(desk: Desk, key: str, dialog: str, words: str) -> None:
    page = desk.sign_in()
    page.keyboard.press(key)
    expect(page.locator(dialog)).to_be_visible()
    expect(page.locator(dialog)).to_contain_text(words)
    page.keyboard.press("1")  # the task behind it takes no answer
    page.keyboard.press(key)
    expect(page.locator(dialog)).to_be_hidden()
    assert desk.text("#progress") == "0 today"


def test_a_wrong_key_is_said_and_forgotten(desk: Desk) -> None:
    page = desk.page
    page.goto(f"{desk.service.url}/#key=plk_wrong_key")
    expect(page.locator("#signin-error")).to_contain_text("not known")
    page.fill("#key", f"  {desk.key} ")
    page.keyboard.press("Enter")
    desk.ready()
    page.click("[data-act=signout]")
    expect(page.locator("#signin")).to_be_visible()
    assert page.evaluate("() => [localStorage.getItem('prefloop.key'), sessionStorage.length]") == [None, 0]


def test_an_answer_that_is_refused_is_told_and_the_rest_goes_on(desk: Desk) -> None:
    page = desk.sign_in()
    page.route("**/v1/judgments", refusing(410, "The time for this task is over"))
    desk.press("1")
    expect(page.locator("#notices")).to_have_text(
        "An answer was not taken: The time for this task is over. Ask for your next task."
    )
    assert desk.text("#progress") == "0 today"
    page.unroute("**/v1/judgments")
    desk.press("2")
    desk.wait_until_sent(1)


def test_nothing_to_do_is_said_and_ends_by_itself(desk: Desk) -> None:
    desk.page.route("**/v1/tasks/next", lambda route: route.fulfill(status=204))
    desk.page.goto(desk.link)
    expect(desk.page.locator("#rest-title")).to_have_text("Nothing to judge right now")
    desk.page.unroute("**/v1/tasks/next")
    desk.ready()  # it looks again on its own


def test_a_pause_is_explained_and_ends(desk: Desk) -> None:
    page = desk.sign_in()
    desk.press("1")
    desk.wait_until_sent(1)
    who = f"/v1/annotators/{desk.annotator}"
    assert desk.service.http.post(f"{who}/suspend", json={"reason": "let us talk first"}).status_code == 200
    desk.press("2")
    expect(page.locator("#rest-title")).to_have_text("Your work is paused")
    expect(page.locator("#rest-text")).to_contain_text("let us talk first. A check can be wrong about a person.")
    page.get_by_label("What your lead should know").fill("I wrote these texts, so I know them.")
    page.get_by_role("button", name="Ask your lead to look again").click()
    expect(page.locator("#rest-text")).to_contain_text("Your lead has your words and will look again.")
    expect(page.get_by_label("What your lead should know")).to_be_hidden()
    (appeal,) = desk.service.http.get("/v1/appeals").json()["appeals"]
    assert (appeal["annotator"], appeal["words"]) == (desk.annotator, "I wrote these texts, so I know them.")
    assert desk.service.http.post(f"{who}/reinstate", json={"reason": "all is well"}).status_code == 200
    page.get_by_role("button", name="Check again").click()
    desk.press("1")
    desk.wait_until_sent(3)  # what was on the desk when the pause came is in, too


def test_a_slow_service_is_waited_for(desk: Desk) -> None:
    page = desk.sign_in()
    page.wait_for_function(HAS_NEXT)
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/v1/tasks/next", hold)
    desk.press("1", "2")
    expect(page.locator("#rest-title")).to_have_text("One moment")
    expect(page.locator("#bar")).to_be_hidden()
    held[0].continue_()
    desk.ready()
    desk.wait_until_sent(2)


def test_what_models_write_is_harmless_and_nameless(reader: Desk) -> None:
    page = reader.page
    both = reader.text("#left") + reader.text("#right")
    assert "<script>window.hacked = 1</script>" in both  # shown as it was written
    assert page.evaluate("() => window.hacked") is None
    assert page.locator("#task script, #task img").count() == 0
    assert "secret-model-name" not in page.content()
    assert reader.elsewhere == []


# ---------------------------------------------------------------- for everybody

NAMELESS = """() => {
  const nameOf = (element) => {
    const by = (element.getAttribute("aria-labelledby") ?? "").split(" ");
    const labels = [...(element.labels ?? []), ...by.map((id) => document.getElementById(id))];
    const own = element.matches("input, select, textarea") ? "" : element.textContent;
    return [element.getAttribute("aria-label"), ...labels.map((label) => label?.textContent), own].join("").trim();
  };
  const interactive = "button, a[href], input, select, textarea, dialog, fieldset, [tabindex], [role=group]";
  return [...document.querySelectorAll(interactive)]
    .filter((element) => element.checkVisibility() && !nameOf(element))
    .map((element) => element.outerHTML.slice(0, 120));
}"""

# WCAG 2.2, 1.4.3: text against the nearest background that is not transparent.
FAINT = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
  const behind = (element) => {
    const colour = element ? rgba(getComputedStyle(element).backgroundColor) : [255, 255, 255, 255];
    return colour[3] === 255 ? colour : behind(element.parentElement);
  };
  const hasWords = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  const contrast = (element) => {
    const pair = [light(rgba(getComputedStyle(element).color)), light(behind(element))];
    return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
  };
  return [...document.querySelectorAll("body *")]
    .filter((element) => hasWords(element) && element.checkVisibility() && !element.closest(":disabled, option"))
    .filter((element) => contrast(element) < 4.5)
    .map((element) => `${contrast(element).toFixed(2)} ${element.outerHTML.slice(0, 100)}`);
}"""


def assert_readable(page: Page) -> None:
    page.evaluate("() => Promise.all(document.getAnimations().map((animation) => animation.finished))")
    assert page.evaluate(NAMELESS) == []
    assert page.evaluate(FAINT) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_everything_has_a_name_and_contrast(
    supplied: SpawnedService, browser: Browser, scheme: str, width: int
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    desk = Desk(supplied, context, ["reading"])
    desk.page.goto(supplied.url)
    expect(desk.page.locator("#key")).to_be_focused()
    assert_readable(desk.page)
    desk.sign_in()
    desk.choose_campaign("essays")
    assert_readable(desk.page)
    desk.press("d", "1", "5", "b")
    assert_readable(desk.page)
    for key in ("g", "?"):
        desk.page.keyboard.press("Escape")
        desk.page.keyboard.press(key)
        expect(desk.page.locator("dialog[open]")).to_be_visible()
        assert_readable(desk.page)
    desk.page.keyboard.press("Escape")
    assert desk.page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    context.close()


def test_the_theme_is_chosen_and_kept(desk: Desk) -> None:
    page = desk.sign_in()
    background = "() => getComputedStyle(document.documentElement).backgroundColor"
    light = page.evaluate(background)
    page.click("[data-act=theme]")
    dark = page.evaluate(background)
    assert dark != light
    page.reload()
    desk.ready()
    assert page.evaluate(background) == dark


def test_single_keys_can_be_turned_off(desk: Desk) -> None:
    page = desk.sign_in()
    page.keyboard.press("?")
    page.get_by_label("Single keys act on the page").uncheck()
    page.keyboard.press("Escape")
    desk.press("1")
    page.get_by_role("button", name=re.compile("Tie")).click()
    desk.wait_until_sent(1)
    assert desk.sent[0]["choice"] == "tie"


def test_the_next_task_is_announced_and_focused(desk: Desk) -> None:
    page = desk.sign_in()
    expect(page.locator("#task-title")).to_be_focused()
    page.locator("[data-act=right]").click()
    expect(page.locator("#announcer")).to_have_text("Right. 1 today.")
    expect(page.locator("#task-title")).to_be_focused()

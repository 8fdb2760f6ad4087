"""The annotator page for everybody: names, contrast, themes, keys, announcements."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from services.spawned import SpawnedService
from tests.e2e.desk import Desk

pytestmark = pytest.mark.slow

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

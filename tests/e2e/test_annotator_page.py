"""The annotator page in a real browser against the real service."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Route, expect

from services.spawned import SpawnedService
from tests.e2e.desk import Desk, add_campaign

pytestmark = pytest.mark.slow

HAS_NEXT = "() => JSON.parse(sessionStorage.getItem('prefloop.desk')).ahead.length === 1"
MEANT = {"1": "left", "2": "tie", "3": "right", "ArrowLeft": "left", "ArrowDown": "tie", "ArrowRight": "right"}
TWENTY = ["1", "3", "ArrowDown", "3", "1", "ArrowLeft", "2", "3", "3", "1"]
TWENTY += ["ArrowRight", "2", "1", "3", "1", "1", "3", "2", "ArrowRight", "1"]


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


def test_with_the_details_open_the_next_task_begins_with_the_answer_again(desk: Desk) -> None:
    page = desk.sign_in()
    desk.press("d")
    for done in (1, 2, 3):
        desk.press("1", "3", "2", "1")
        page.keyboard.press("Enter")
        desk.ready()
        desk.wait_until_sent(done)
        if done == 2:
            page.reload()
    marks = {"helpful": "right", "harmless": "tie", "honest": "left"}
    assert [(judgment["choice"], judgment["marks"]) for judgment in desk.sent] == [("left", marks)] * 3


def test_on_a_phone_what_is_said_is_on_the_screen_and_leaves_room_for_the_task(reader: Desk) -> None:
    page = reader.page
    page.set_viewport_size({"width": 375, "height": 667})
    page.keyboard.press("u")
    expect(page.get_by_text("There is nothing to undo.")).to_be_in_viewport()
    reader.press("6", "b", "c", "1", "u")
    expect(page.locator("#armed")).to_contain_text("You said: Left, by far, both bad, critical.")
    bar = page.locator("#bar").bounding_box()
    assert bar is not None
    assert bar["height"] < 667 / 4


@pytest.mark.parametrize(("width", "height"), [(375, 667), (800, 600)])
def test_in_a_small_window_everything_is_within_reach(
    supplied: SpawnedService, desk: Desk, width: int, height: int
) -> None:
    name = "customer-support-escalations-in-all-languages"
    add_campaign(supplied, name, {"skills": ["escalations"]})
    page = Desk(supplied, desk.context, ["escalations"]).sign_in()
    page.set_viewport_size({"width": width, "height": height})
    page.get_by_label("Campaign").select_option(name)
    expect(page.get_by_role("button", name="Sign out")).to_be_in_viewport(ratio=1)
    page.get_by_label("Campaign").select_option("default")
    page.wait_for_selector("#task:not([hidden]):not([data-fresh])")
    page.keyboard.press("d")
    expect(page.locator("#turns p").first).to_be_in_viewport(ratio=1)
    words = page.locator("#turns p").first.bounding_box()
    prompt = page.locator("#prompt").bounding_box()
    assert words is not None
    assert prompt is not None
    assert words["y"] + words["height"] <= prompt["y"] + prompt["height"]
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")


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


def test_a_key_that_may_not_judge_is_told_what_to_do(desk: Desk) -> None:
    no = {"error": {"code": "forbidden", "message": "no annotator", "field": "", "mend": "judge with a personal link"}}
    desk.page.route("**/v1/tasks/next", lambda route: route.fulfill(status=403, json=no))
    desk.page.goto(desk.link)
    expect(desk.page.locator("#rest-text")).to_have_text("No annotator. Judge with a personal link.")


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


ENDS = """(selectors) => Object.fromEntries(selectors.map((selector) => {
  const words = document.createRange();
  words.selectNodeContents(document.querySelector(selector));
  const panel = document.querySelector(selector.startsWith("#left") ? "#left" : "#prompt").getBoundingClientRect();
  const at = words.getBoundingClientRect();
  const [left, right] = [at.left - panel.left, panel.right - at.right];
  return [selector, Math.min(left, right) > 60 ? "between" : left < right ? "left" : "right"];
}))"""


def test_a_paragraph_begins_where_its_language_does_and_code_at_the_left(supplied: SpawnedService, desk: Desk) -> None:
    add_campaign(supplied, "arabic", {"skills": ["arabic"], "overlap": 30})
    answer = "ما هو القفل؟\n\n- أولا\n\n> اقتباس\n\n```python\nx = f(1)\n```\n\nA closing word in English."
    output = {"campaign": "arabic", "prompt": "ما هو القفل؟", "responses": [f"{answer} {n}" for n in "ab"]}
    assert supplied.http.post("/v1/outputs", json=output).status_code == 201
    reader = Desk(supplied, desk.context, ["arabic"])
    reader.sign_in()
    reader.page.get_by_label("Campaign").select_option("arabic")
    expect(reader.page.locator("#turns")).to_contain_text("القفل")
    places = {
        "#turns p": "right",
        "#left li": "right",
        "#left blockquote p": "right",
        "#left pre code": "left",
        "#left > p:last-child": "left",
    }
    assert reader.page.evaluate(ENDS, list(places)) == places
    assert reader.page.evaluate("() => getComputedStyle(document.querySelector('#left pre')).direction") == "ltr"
    bar = "() => parseFloat(getComputedStyle(document.querySelector('#left blockquote')).borderRightWidth)"
    assert reader.page.evaluate(bar) > 0

"""The pages against a stub service: what people see, and what reaches the service when they act."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
import streamlit as st
from streamlit.runtime.caching import cache_utils
from streamlit.testing.v1 import AppTest

from dashboard.client import KEY_VARIABLE
from tests.unit.dashboard.opening import SCRIPT, connect, words
from tests.unit.dashboard.stub import Stub, quality
from tests.unit.dashboard.stub.service import ANSWERS

PAGES = [
    "loop",
    "annotators",
    "quarantine",
    "gold",
    "calibration",
    "quality",
    "causes",
    "vendors",
    "cost",
    "batches",
    "models",
    "system",
]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("empty", [False, True], ids=["lively", "empty"])
def test_every_page_shows_itself(opened: Callable[..., Any], service: Stub, page: str, empty: bool) -> None:
    service.empty = empty
    assert "pf-head" in words(opened(page))


@pytest.mark.parametrize(
    ("page", "first"),
    [
        ("loop", "/v1/outputs"),
        ("annotators", "prefloop keys add"),
        ("quality", "make demo"),
        ("gold", '"gold": "a"'),
        ("gold", "gold: {grow: true}"),
        ("calibration", "calibration: {tasks: 5, every_days: 7}"),
        ("causes", "/attributes"),
        ("vendors", "/attributes"),
        ("cost", "50 tasks"),
        ("batches", "/v1/batches"),
        ("models", "prefloop train"),
    ],
)
def test_empty_pages_say_what_to_do_first(opened: Callable[..., Any], service: Stub, page: str, first: str) -> None:
    service.empty = True
    assert first in words(opened(page))


@pytest.mark.parametrize("page", ["quality", "causes", "vendors", "cost"])
def test_a_report_says_as_of_when_it_is(opened: Callable[..., Any], page: str) -> None:
    said = words(opened(page))
    assert "as of " in said
    assert "</i>live" not in said
    assert "the newest" not in said


@pytest.mark.parametrize(
    ("page", "counted"),
    [("quality", "judgments"), ("causes", "judgments"), ("vendors", "judgments"), ("cost", "tasks")],
)
def test_a_report_of_the_newest_alone_says_so(
    opened: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, page: str, counted: str
) -> None:
    whole = quality.report
    monkeypatch.setattr(quality, "report", lambda *asked: {**whole(*asked), "newest": 20_000})
    assert f"the newest 20,000 {counted}, as of " in words(opened(page))


def test_what_cuts_a_first_batch_names_the_chosen_campaign(
    opened: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ANSWERS, "batches", lambda *_: {"batches": []})
    app = opened("batches")
    app.selectbox(key="cut-campaign").set_value("triage")
    assert '{"campaign": "triage"}' in words(app.run())


def test_held_out_pairs_that_several_batches_name_count_once(opened: Callable[..., Any]) -> None:
    assert ">26<" in words(opened("batches"))  # of the newest batch: 24, 25 and 26 in the three


def test_what_people_are_to_copy_has_the_address_that_they_use(
    opened: Callable[..., Any], service: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFLOOP_PUBLIC_URL", "https://judge.example/")
    service.empty = True
    said = words(opened("loop"))
    assert "export PREFLOOP_SERVER=https://judge.example\nexport PREFLOOP_KEY=plk_..." in said
    assert "curl $PREFLOOP_SERVER/v1/outputs" in said


@pytest.mark.parametrize("page", ["annotators", "gold", "calibration", "causes", "vendors", "batches", "models"])
def test_what_people_are_to_copy_says_which_service_and_as_whom(
    opened: Callable[..., Any], service: Stub, page: str
) -> None:
    service.empty = True
    assert "export PREFLOOP_SERVER=http://127.0.0.1:8080\nexport PREFLOOP_KEY=plk_..." in words(opened(page))


# ---------------------------------------------------------------- signing in and out


def test_without_a_key_only_the_sign_in_is_shown(service: Stub) -> None:
    app = AppTest.from_file(SCRIPT, default_timeout=20).run()
    assert "Welcome to prefloop" in words(app)
    assert [field.label for field in app.text_input] == ["Your key"]


def sign_in(secret: str) -> Any:
    app = AppTest.from_file(SCRIPT, default_timeout=20).run()
    app.text_input(key="secret").set_value(secret)
    return app.button[0].click().run()


def test_a_known_key_signs_in_and_is_named(service: Stub) -> None:
    said = words(sign_in("plk_lead"))
    assert "Lead of the team" in said
    assert "plk_lead" not in said


def test_an_unknown_key_is_told_so(service: Stub) -> None:
    assert "not known here" in words(sign_in("plk_wrong"))


def test_signing_out_forgets_the_key(opened: Callable[..., Any]) -> None:
    app = opened().button(key="sign-out").click().run()
    assert "Welcome to prefloop" in words(app)
    assert app.session_state["key"] == ""


def test_a_revoked_key_is_signed_out(opened: Callable[..., Any], service: Stub) -> None:
    app = opened()
    service.revoked = True
    st.cache_data.clear()
    assert "You were signed out" in words(app.run())


def test_a_key_in_the_environment_signs_in_and_can_be_left(service: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "plk_engineer")
    app = AppTest.from_file(SCRIPT, default_timeout=20).run()
    assert "Engineer of the team" in words(app)
    assert "Welcome to prefloop" in words(app.button(key="sign-out").click().run())


# ---------------------------------------------------------------- roles


@pytest.mark.parametrize(
    ("page", "button", "role", "allowed"),
    [
        ("annotators", "suspend", "lead", True),
        ("annotators", "suspend", "engineer", False),
        ("quarantine", "quarantine", "lead", True),
        ("quarantine", "quarantine", "engineer", False),
        ("batches", "cut", "engineer", True),
        ("batches", "cut", "lead", False),
        ("models", "promote", "engineer", True),
        ("models", "promote", "lead", False),
        ("models", "rollback", "lead", False),
        ("system", "replay", "engineer", True),
        ("system", "replay", "lead", False),
    ],
)
def test_what_a_role_may_not_do_is_disabled_and_says_why(
    opened: Callable[..., Any], page: str, button: str, role: str, allowed: bool
) -> None:
    found = opened(page, f"plk_{role}", annotator="ukp/an00").button(key=button)
    assert found.disabled is not allowed
    assert allowed or f"Your role is {role}" in found.help


def test_a_page_that_a_role_does_not_see_says_so(opened: Callable[..., Any]) -> None:
    assert "Your role, annotator, does not see annotators." in words(opened("annotators", "plk_annotator"))


# ---------------------------------------------------------------- acting


def asking() -> None:
    from dashboard import parts

    parts.confirmation(
        parts.Action(
            route="/v1/annotators/{annotator}/suspend",
            names={"annotator": "an/00"},
            label="Suspend",
            explained="**Mei** gets no more tasks.",
            done="done",
            option=("Take their judgments out too", {"retract": True}),
        ),
        key="suspend",
    )


@pytest.fixture
def asked(service: Stub) -> Any:
    """The dialog of an action, by itself (AppTest runs no dialog of a page twice)."""
    app = AppTest.from_function(asking, default_timeout=20)
    app.session_state["key"] = "plk_lead"
    return app.run()


def test_an_action_asks_for_a_reason(asked: Any, service: Stub) -> None:
    assert "Say why" in words(asked.button[0].click().run())
    assert service.actions == []


def test_an_action_reaches_the_service_with_its_reason(asked: Any, service: Stub) -> None:
    asked.text_input(key="suspend-reason").set_value(" answers too fast ")
    asked.button[0].click().run()
    assert service.actions == [("annotators/an%2F00/suspend", {"reason": "answers too fast"})]


def test_an_option_goes_with_it_only_when_ticked(asked: Any, service: Stub) -> None:
    asked.text_input(key="suspend-reason").set_value("fast")
    asked.checkbox[0].check()
    asked.button[0].click().run()
    assert service.actions[0][1] == {"reason": "fast", "retract": True}


def test_a_refused_action_says_so_and_stays_open(asked: Any, service: Stub) -> None:
    service.revoked = True
    asked.text_input(key="suspend-reason").set_value("fast")
    assert "not known here" in words(asked.button[0].click().run())


def test_a_quarantine_is_shown_before_it_is_done(opened: Callable[..., Any], service: Stub) -> None:
    app = opened("quarantine", "plk_lead", annotator="ukp/an08")
    said = words(app)
    assert "31 of 226 pairs touched, 9 with another verdict" in said
    assert "6 turn, 17 lost, 0 reached" in said
    assert service.actions == []
    dialog = app.button(key="quarantine").click().run()
    assert "86 judgments are taken back" in words(dialog)


def test_nothing_is_offered_where_nothing_is_left_to_take_back(opened: Callable[..., Any]) -> None:
    app = opened("quarantine", "plk_lead", annotator="ukp/an10")  # suspended, and all is taken back
    assert "none of these judgments counts any more" in words(app)
    assert not [button for button in app.button if button.key == "quarantine"]
    app.radio(key="quarantine-what").set_value("Put back (undo)").run()
    assert app.button(key="undo-quarantine").disabled is False


def test_a_quarantine_without_an_estimate_asks_for_a_time(opened: Callable[..., Any]) -> None:
    app = opened("quarantine", "plk_lead", annotator="ukp/an07")
    assert "No alarm says since when." in words(app)
    app.radio(key="quarantine-what").set_value("Everything").run()
    assert "31 of 226 pairs touched" in words(app)


def test_a_model_in_doubt_says_why(opened: Callable[..., Any]) -> None:
    said = words(opened("models"))
    assert "in doubt" in said
    assert "31 of its 226 training pairs rest on judgments taken back since" in said


def test_the_evidence_of_an_alarm_is_drawn_and_explained(opened: Callable[..., Any]) -> None:
    app = opened("annotators", annotator="ukp/an08")
    (choice,) = [box for box in app.selectbox if box.label == "Test"]
    assert choice.options == ["accuracy below the floor, since a moment"]
    said = words(app)
    assert "Weighted down at 1,000, suspended at 20,000." in said
    assert "where the trouble seems to begin" in said


def test_what_was_only_reported_is_not_told_as_done() -> None:
    from dashboard.views.annotators import stood

    change = {"standing": "suspended", "by": "stage:assessments"}
    assert stood(change | {"enforced": True}) == "Suspended by stage:assessments"
    assert stood(change | {"enforced": False}) == "Would be suspended, by stage:assessments: reported only"


def test_a_lead_sees_appeals_with_their_words(opened: Callable[..., Any], service: Stub) -> None:
    assert "I read these texts yesterday already." in words(opened("annotators", "plk_lead"))
    service.empty = True
    st.cache_data.clear()
    assert "Appeals" not in words(opened("annotators", "plk_lead"))


def test_the_button_opens_the_dialog(opened: Callable[..., Any]) -> None:
    app = opened("annotators", "plk_lead", annotator="ukp/an00").button(key="suspend").click().run()
    assert app.text_input(key="suspend-reason").label == "Reason"


# ---------------------------------------------------------------- the service away


def refuse(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused")


AWAY = httpx.MockTransport(refuse)


def test_with_the_service_away_the_last_numbers_stay(
    opened: Callable[..., Any], service: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened()
    assert "Reconnecting" not in words(app)

    connect(monkeypatch, AWAY)
    said = words(app.run())
    assert "Reconnecting" in said
    assert "pf-station" in said

    connect(monkeypatch, service.transport())
    assert "Reconnecting" not in words(app.run())


@pytest.mark.parametrize("page", PAGES)
def test_a_service_that_never_answered_is_a_banner_not_an_error(
    opened: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    connect(monkeypatch, AWAY)
    said = words(opened(page))
    assert "Reconnecting" in said
    assert "Nothing has been heard" in said


def test_a_page_that_began_without_the_service_is_whole_when_it_returns(
    opened: Callable[..., Any], service: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, AWAY)
    app = opened("models")
    assert "Model m3" not in words(app)
    connect(monkeypatch, service.transport())
    assert "Model m3" in words(app.run())


def test_viewers_share_what_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    stub = Stub()

    def respond(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return stub.transport().handle_request(request)

    monkeypatch.setattr(cache_utils, "TTLCACHE_TIMER", lambda: 0.0)  # however slow the machine is, no time goes by
    connect(monkeypatch, httpx.MockTransport(respond))
    for _ in range(3):
        app = AppTest.from_file(SCRIPT, default_timeout=20)
        app.session_state["key"] = "plk_lead"
        app.run()
        words(app)
    assert asked.count("/v1/live") == 1


def test_a_models_words_are_escaped(opened: Callable[..., Any]) -> None:
    html = " ".join(str(element.proto.body) for element in opened("batches").get("html"))
    assert "&lt;script&gt;" in html
    assert "<script>" not in html

"""The pages of quality against a stub service: slices, vendors, price, biases, who is asked seldom."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.dashboard.opening import words
from tests.unit.dashboard.stub import annotators, state


def test_the_ambiguous_slice_is_opened_first_and_says_what_to_do(opened: Callable[..., Any]) -> None:
    said = words(opened("causes"))
    assert "domain: law" in said
    assert "looks like the guideline" in said
    assert "The better half of these people" in said


@pytest.mark.parametrize(("page", "said"), [("annotators", "Mira (an00)"), ("quarantine", "Mira (an01)")])
def test_two_people_of_one_name_are_two(
    opened: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, page: str, said: str
) -> None:
    amara, jonas, *others = state.PEOPLE
    monkeypatch.setattr(annotators, "PEOPLE", [("Mira", *amara[1:]), ("Mira", *jonas[1:]), *others])
    app = opened(page)
    listed = app.dataframe[0].value["Annotator"] if page == "annotators" else app.selectbox[0].options
    assert sum(said in name for name in listed) == 1


def test_slices_sort_by_number_and_not_by_the_letters_of_a_number(opened: Callable[..., Any]) -> None:
    slices = opened("causes").dataframe[0].value
    assert list(slices["Believed"]) == sorted(slices["Believed"])
    assert slices["Believed"].dtype == float


def test_quality_shows_intervals_and_tests(opened: Callable[..., Any]) -> None:
    said = words(opened("quality"))
    assert re.search(r"95%: 0\.\d\d to 0\.\d\d; low: see Causes", said)
    assert "t-test over" in said
    assert "each time the place doubles" in said


def test_the_price_of_a_point_is_told_in_judgments_and_then_in_money(opened: Callable[..., Any]) -> None:
    app = opened("cost")
    said = words(app)
    assert "more judgments a task" in said
    assert "per 1,000 tasks" not in said
    app.number_input(key="cost-price").set_value(0.1)
    assert "per 1,000 tasks" in words(app.run())


def test_two_vendors_are_compared_and_prices_asked_for(opened: Callable[..., Any]) -> None:
    app = opened("vendors")
    said = words(app)
    assert "north" in said
    assert "Judgments for a task decided at 95%" in said
    assert "Cost of such a task" not in said
    app.number_input(key="price_one").set_value(0.1)
    app.number_input(key="price_other").set_value(0.4)
    said = words(app.run())
    assert "Cost of such a task" in said
    assert "Buy from north" in said


def test_a_batch_shows_the_biases_of_its_judgments(opened: Callable[..., Any]) -> None:
    app = opened("batches")
    app.toggle[0].set_value(True)
    app.run()
    assert not app.exception
    assert len(app.get("vega_lite_chart")) + len(app.get("arrow_vega_lite_chart")) >= 1


def test_a_lead_sees_who_is_asked_seldom_and_that_it_accuses_nobody(opened: Callable[..., Any]) -> None:
    frame = opened("annotators").dataframe[0].value
    assert set(frame["Asked"]) == {"better", "usual", "seldom"}

"""Alarms drawn: a test's evidence after each judgment with the levels that act, or what was found against chance."""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboard import parts, session, wording
from dashboard.evidence_chart import evidence_curve
from streams.quality.alarms import LEVELS
from streams.quality.discovery import expected_share

Json = dict[str, Any]
SUSPENDING = LEVELS[-1].rate
FLOOR = 0.01  # evidence below a hundredth is drawn there: the axis is for what speaks against somebody
NAMES = {
    "accuracy": "accuracy below the floor, ever",
    "change": "accuracy below the floor, since a moment",
    "gold": "missed gold",
    "speed": "faster than reading",
    "pace": "faster than their own pace",
    "left": "always left",
    "right": "always right",
    "pattern": "answers foretold by the last ones",
    "reason": "repeated reasons",
    "machine": "reasons in a model's words",
}
FOUND = {  # of what no curve tells: found, by chance, and what is counted
    "collusion": ("together", "expected", "the same mistake made by both"),
    "reward_model": ("contradicted", "expected", "judgments against a confident reward model"),
    "burst": ("newcomers", "expected", "newcomers in so short a time"),
}
MARK = {"reward_model": "at most, of somebody just good enough"}  # what the second bar is, where it is not chance


def rows_of(test: Json) -> list[Json]:
    """The curve's points as rows of the chart."""
    return [point | {"evidence": max(point["evidence"], FLOOR)} for point in test["points"]]


def drawn(one: Json) -> None:
    """The evidence for the newest alarm first; any other test at a choice."""
    watched = session.watch(f"/v1/annotators/{session.part(one['annotator'])}/evidence")
    if watched.value is None or not watched.value["tests"]:
        return
    tests = {test["test"]: test for test in watched.value["tests"]}
    alarmed = [alert["evidence"].get("test") for alert in one["alerts"]]
    names = sorted(tests, key=lambda name: alarmed.index(name) if name in alarmed else len(alarmed))
    left, right = st.columns([2, 1.4], vertical_alignment="bottom")
    with right:
        name = st.selectbox("Test", names, format_func=NAMES.__getitem__, key="test", label_visibility="collapsed")
    with left:
        parts.title("Evidence", "against innocence, after each judgment")
    test, alert = tests[name], next((a for a in one["alerts"] if a["evidence"].get("test") == name), None)
    since = alert["since"] if alert else 0
    points = rows_of(test)
    begin = next((point["number"] for point in points if since and point["at"] >= since), 0)
    parts.chart(points, evidence_curve(session.colours(), test["levels"], begin), key="evidence")
    st.caption(meaning(test, since))


def meaning(test: Json, since: int) -> str:
    """How to read the curve."""
    last = test["points"][-1]["evidence"]
    levels = {level["standing"]: level["evidence"] for level in test["levels"]}
    said = (
        f"Now {wording.count(last) if last >= 1 else f'{last:.2g}'}. Weighted down at "
        f"{wording.count(levels['weighted'])}, suspended at {wording.count(levels['suspended'])}. "
        "It rises with what speaks against them and falls with what speaks for them."
    )
    begin = f" The dotted line is where the trouble seems to begin, {wording.clock(since, session.zone())}."
    return said + begin if since else said


def innocent_share(alerts: list[Json], people: int) -> str:
    """How many of those whose rate allowed a suspension may be innocent, in words; "" where nobody is."""
    rates = {alert["annotator"]: alert["false_alarm_rate"] for alert in alerts if alert["enforced"]}
    strict = [rate for rate in rates.values() if 0 < rate <= SUSPENDING]
    if not strict:
        return ""
    share = expected_share(len(strict), people, SUSPENDING)
    return (
        f"Of {people} annotators {len(strict)} alarmed at a rate of {wording.percent(SUSPENDING, 1)}: "
        f"at most {wording.percent(share)} of these are innocent, as far as can be expected."
    )


def against_chance(alert: Json) -> list[tuple[str, float]]:
    """Of an alarm about several people: what was found beside what chance would give; empty for other alarms."""
    evidence = alert["evidence"]
    if alert["hypothesis"] == "copying":
        return [
            ("tasks on which both gave a reason", evidence["shared"]),
            ("in nearly the same words", evidence["alike"]),
        ]
    if alert["hypothesis"] not in FOUND:
        return []
    found, expected, counted = FOUND[alert["hypothesis"]]
    return [(counted, evidence[found]), (MARK.get(alert["hypothesis"], "by chance"), evidence[expected])]


def company(alert: Json, names: dict[str, str]) -> str:
    """With whom, by name; of an alarm about one person how many judgments were compared."""
    others = str(alert["evidence"].get("with", ""))
    if not others:
        return f"{alert['evidence']['compared']} judgments on pairs of which the model is sure"
    return f"with {', '.join(names.get(who, who) for who in others.split(', '))}"


def crowd(one: Json, names: dict[str, str]) -> None:
    """Alarms about the annotator and others, each as bars."""
    for alert in one["alerts"]:
        if bars := against_chance(alert):
            parts.title(alert["hypothesis"].replace("_", " ").capitalize(), company(alert, names))
            parts.bars(bars, lambda value: f"{value:g}")


def appeals() -> None:
    """Those who ask for another look, in their own words."""
    watched = session.watch("/v1/appeals")
    if watched.value is None or not watched.value["appeals"]:
        return
    parts.title("Appeals", "open one below: reinstating answers it, and so does suspending anew with your reason")
    parts.listing(
        [
            (
                f"{one['name'] or one['annotator']}, {one['standing']} {wording.ago(one['at'], session.now())}",
                f"“{one['words']}” · the reason they were given: {one['reason']}",
            )
            for one in watched.value["appeals"]
        ]
    )

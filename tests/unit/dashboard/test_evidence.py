from typing import Any

import pytest

from dashboard.evidence import against_chance, innocent_share, meaning, rows_of


def alert(hypothesis: str, rate: float = 0.001, who: str = "an1", **evidence: Any) -> dict[str, Any]:
    return {
        "annotator": who,
        "hypothesis": hypothesis,
        "evidence": evidence,
        "false_alarm_rate": rate,
        "enforced": True,
    }


def test_the_share_of_innocents_among_those_who_alarmed() -> None:
    alerts = [
        alert("speed"),
        alert("side", who="an2"),
        alert("gold", rate=0.01, who="an3"),
        alert("change", rate=0.0, who="an4"),
    ]
    assert "Of 40 annotators 2 alarmed" in innocent_share(alerts, 40)
    assert "at most 2%" in innocent_share(alerts, 40)
    assert innocent_share(alerts[2:], 40) == ""
    assert innocent_share([alert("speed") | {"enforced": False}], 40) == ""


@pytest.mark.parametrize(
    ("found", "first"),
    [
        (alert("collusion", together=16, expected=5.2, shared=48), ("the same mistake made by both", 16)),
        (alert("copying", shared=8, alike=7), ("tasks on which both gave a reason", 8)),
        (
            alert("reward_model", contradicted=40, expected=22.5, compared=60),
            ("judgments against a confident reward model", 40),
        ),
        (alert("burst", newcomers=6, expected=0.1), ("newcomers in so short a time", 6)),
    ],
)
def test_alarms_about_several_people_are_drawn_against_chance(found: dict[str, Any], first: tuple[str, float]) -> None:
    bars = against_chance(found)
    assert (bars[0], len(bars)) == (first, 2)


def test_other_alarms_have_curves() -> None:
    assert not against_chance(alert("speed", capital=5.0))


TEST = {
    "levels": [{"standing": "weighted", "evidence": 250.0}, {"standing": "suspended", "evidence": 2500.0}],
    "points": [{"at": 1, "evidence": 1e-9}, {"at": 2, "evidence": 0.034}],
}


def test_the_curve_stays_on_the_axis_and_is_explained() -> None:
    assert [row["evidence"] for row in rows_of(TEST)] == [0.01, 0.034]
    assert meaning(TEST, 0).startswith("Now 0.034. Weighted down at 250, suspended at 2,500.")

"""What the coordinator says of the whole crowd, from its judgments alone."""

from __future__ import annotations

from random import Random

from services.coordinator.crowd import FALSE_DISCOVERIES, alerts_for_rings
from streams.events import Choice
from streams.quality.collusion import rings
from streams.quality.ring import Answered

RING = ("w03", "w11", "w20")


def tasks(count: int) -> list[Answered]:
    """Twelve of thirty judge each; three of them agree on an answer beforehand."""
    draw = Random(1)
    found = []
    for _ in range(count):
        easy, shared = draw.betavariate(6, 2), draw.random() < 0.7
        said: dict[str, Choice] = {}
        for who in draw.sample([f"w{n:02d}" for n in range(30)], 12):
            said[who] = "a" if (shared if who in RING else draw.random() < easy) else "b"
        found.append(Answered(answer="a", choices=said))
    return found


def test_each_member_is_told_of_with_the_others_and_their_own_evidence() -> None:
    alerts = alerts_for_rings(rings(tasks(200), FALSE_DISCOVERIES), now=7)
    assert [alert.annotator for alert in alerts] == list(RING)
    assert [alert.evidence["with"] for alert in alerts] == ["w11, w20", "w03, w20", "w03, w11"]
    assert all(float(alert.evidence["together"]) > 1.5 * float(alert.evidence["expected"]) for alert in alerts)
    assert {(alert.occurred_at, alert.enforced, alert.false_alarm_rate) for alert in alerts} == {(7, False, 0.05)}


def test_a_member_is_told_of_again_once_the_common_mistakes_have_doubled() -> None:
    early, later, twice = (
        {a.annotator: a.alert for a in alerts_for_rings(rings(tasks(n), FALSE_DISCOVERIES), now=n)}
        for n in (200, 205, 500)
    )
    assert early == later
    assert all(early[who] != twice[who] for who in RING)

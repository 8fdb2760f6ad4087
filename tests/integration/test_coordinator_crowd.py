"""What the coordinator finds in the crowd, over a real log, engine and views."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from services.bootstrap import Service, open_service
from services.coordinator.crowd import Crowd
from services.settings import Settings
from streams import events as e
from streams.quality import reasons
from tests.integration.world import append

PEOPLE = [f"an_{n}" for n in range(8)]
RING = {"an_2", "an_5"}
TASKS = 96


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = open_service(Settings(data=tmp_path))
    service.clock = lambda: 1_000_000
    yield service
    service.close()


def task(n: int) -> e.Task:
    a, b = (e.Candidate(output=f"t{n}", position=i, response=e.Response(digest=f"{n}{i}", length=5)) for i in (0, 1))
    return e.Task(id=f"t{n}", task=f"t{n}", a=a, b=b, prompt_digest="p", prompt_length=1, gold="a")


def judgment(n: int, who: str) -> e.Judgment:
    """Everybody errs once in eight tasks; the ring errs together besides, in the same words."""
    wrong = Random(f"{n}/{who}").random() < 1 / 8 or (who in RING and n % 3 == 0)
    author = "ring" if who in RING else who
    words = " ".join(f"{author}{n}{at}" for at in range(8))
    return e.Judgment(
        id=f"j{n}{who}",
        judgment=f"j{n}{who}",
        task=f"t{n}",
        annotator=who,
        choice="b" if wrong else "a",
        gold="a",
        swapped=n % 2 == 0,
        reason_sketch=reasons.sketch(words),
        answered_at=n,
    )


def alerts(service: Service) -> list[e.Alert]:
    found = [record.event for record in service.store.read("alerts")]
    return [event for event in found if isinstance(event, e.Alert) and event.actor == "coordinator"]


def test_a_ring_and_its_copied_reasons_are_told_once_with_their_evidence(service: Service) -> None:
    append(service, *map(task, range(TASKS)), *(judgment(n, who) for n in range(TASKS) for who in PEOPLE))
    crowd = Crowd(service)
    assert crowd.tick() == 4
    service.engine.drain()
    found = {(alert.hypothesis, alert.annotator): alert for alert in alerts(service)}
    assert set(found) == {(name, who) for name in ("collusion", "copying") for who in RING}
    ring = found["collusion", "an_2"]
    assert ring.evidence["with"] == "an_5"
    assert float(ring.evidence["together"]) > 1.5 * float(ring.evidence["expected"])
    assert (ring.false_alarm_rate, ring.enforced) == (0.05, False)
    assert found["copying", "an_5"].evidence["alike"] == TASKS
    assert crowd.tick() == 0  # nobody judged since
    assert Crowd(service).tick() == 0  # started anew: found again, and not told again


def test_an_honest_crowd_raises_nothing(service: Service) -> None:
    honest = [who for who in PEOPLE if who not in RING]
    append(service, *map(task, range(TASKS)), *(judgment(n, who) for n in range(TASKS) for who in honest))
    assert Crowd(service).tick() == 0
    assert alerts(service) == []

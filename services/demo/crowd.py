"""The simulated annotators at work, through the same requests that the annotator page makes."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from types import TracebackType
from typing import Any

from dashboard.client import Client, RefusedError
from services.demo.people import CROWD, Answer, Person, answer
from services.demo.running import PATIENCE, Running
from services.demo.taste import truth
from streams.admission import Side
from streams.errors import UnavailableError

PACE = 12.0  # judgments a second of the whole crowd, so that a look at the dashboard sees them work
IDLE_ROUNDS = 3  # times that everybody must have found nothing to do before the work is called done
PAUSE = 0.5  # seconds before asking again where nobody found anything
SHORT_PAUSE = 0.02  # where somebody else may find something

SIDES: dict[str, Side] = {"a": "left", "b": "right", "tie": "tie"}


@dataclass(kw_only=True)
class Hired:
    """A person with their key, and what the demo remembers of them (the service is never told)."""

    person: Person
    annotator: str
    key: str
    link: str = ""
    judged: int = 0
    clear: int = 0  # judgments of pairs where the hidden truth is no tie
    right: int = 0  # of those
    suspended: bool = False
    random: Random = field(default_factory=Random)


def hire(service: Running, people: Sequence[Person] = CROWD, seed: int = 0) -> list[Hired]:
    """A key for each person, from the lead's endpoint."""
    hired = []
    for number, person in enumerate(people):
        role = "adjudicator" if person.kind == "adjudicator" else "annotator"
        made = service.post("/v1/annotators", {"name": person.name, "role": role})
        hired.append(
            Hired(person=person, annotator=made["annotator"], key=made["key"], random=Random(1_000 * seed + number))
        )
    return hired


class Crowd:
    """The people at work on a thread, until the block is left. What breaks there is raised by `check`."""

    def __init__(self, client: Client, people: Sequence[Hired], campaign: str, *, pace: float = PACE) -> None:
        self._client, self._people, self._campaign, self._pace = client, people, campaign, pace
        self._random = Random(len(people))
        self._leaving = threading.Event()
        self._idle: dict[str, int] = {}
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._work, name="crowd", daemon=True)

    def __enter__(self) -> Crowd:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leaving.set()
        self._thread.join()

    @property
    def judged(self) -> int:
        """Judgments given so far, gold included."""
        return sum(one.judged for one in self._people)

    def check(self) -> None:
        """Raises what ended the work."""
        if self._error:
            raise self._error

    def is_done(self) -> bool:
        """Whether everybody found nothing to do, several times in a row."""
        self.check()
        working = [one for one in self._people if not one.suspended]
        return all(self._idle.get(one.annotator, 0) >= IDLE_ROUNDS for one in working)

    def forget_idleness(self) -> None:
        """Something new was sent: what was found before says nothing any more."""
        self._idle = {}

    def _work(self) -> None:
        outage = 0.0
        while not self._leaving.is_set():
            began = time.monotonic()
            try:
                worked = self._one_step()
                outage = 0.0
            except UnavailableError as error:  # the machine is busy: go on when it is back
                worked, outage = False, outage or began
                if began - outage > PATIENCE:
                    self._error = error
                    return
            except Exception as error:  # told by `check`, on the thread that waits
                self._error = error
                return
            self._leaving.wait(self._rest(began, worked=worked))

    def _rest(self, began: float, *, worked: bool) -> float:
        """Seconds until the next step; longer while nobody finds anything."""
        if worked:
            return max(0.0, 1 / self._pace - (time.monotonic() - began))
        return PAUSE if all(self._idle.get(one.annotator, 0) >= IDLE_ROUNDS for one in self._people) else SHORT_PAUSE

    def _one_step(self) -> bool:
        """Somebody asks for a task and judges it; whether there was one. Who found nothing lately asks last."""
        working = [one for one in self._people if not one.suspended]
        if not working:
            return False
        idle = self._idle
        eager = [one for one in working if idle.get(one.annotator, 0) < IDLE_ROUNDS] or working
        one = self._random.choices(eager, [each.person.pace for each in eager])[0]
        worked = work_once(self._client, one, self._campaign)
        if worked:
            idle.clear()  # what somebody did may have made work for others
        else:
            idle[one.annotator] = idle.get(one.annotator, 0) + 1
        return worked


def work_once(client: Client, one: Hired, campaign: str) -> bool:
    """Takes a task and judges it; False where there is none or the person is suspended."""
    try:
        task = client.post(one.key, "/v1/tasks/next", {"campaign": campaign})
        if not task:
            return False
        given = answer(one.person, task["left"]["text"], task["right"]["text"], one.judged, one.random)
        client.post(one.key, "/v1/judgments", judgment(task["task"], given, int(time.time() * 1000)))
    except RefusedError as error:
        if error.status != 403:
            raise
        one.suspended = True
        return False
    remember(one, given.choice, SIDES[truth(task["left"]["text"], task["right"]["text"])])
    return True


def judgment(task: str, given: Answer, now: int) -> dict[str, Any]:
    """The body of POST /v1/judgments. The reading time is told, not waited for."""
    return {
        "task": task,
        "choice": given.choice,
        "shown_at": now - round(1000 * given.seconds),
        "answered_at": now,
    }


def remember(one: Hired, choice: Side, best: Side) -> None:
    """Counts the answer against the hidden truth."""
    one.judged += 1
    if best != "tie":
        one.clear += 1
        one.right += choice == best

"""The queue's memory out of the views equals what it was."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from services.bootstrap import Service, open_service
from services.queue import books
from services.queue.memory import MemoryQueue
from services.queue.port import Worker
from services.queue.rebuild import ViewArchive, restore
from services.settings import Settings
from streams import events as e
from streams.admission import judgment_id
from streams.errors import ForbiddenError
from tests.integration.world import append

NOW = 1_790_000_000_000


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = open_service(Settings(data=tmp_path))
    append(service, e.Campaign(id="c", name="default", version=1, gold_rate=0.0))
    yield service
    service.close()


def queue_of(service: Service) -> MemoryQueue:
    queue = MemoryQueue(ViewArchive(service.database, service.engine.lag))
    restore(queue, service.database)
    return queue


def task(name: str, *, overlap: int = 1, **changes: object) -> e.Task:
    a, b = (
        e.Candidate(output=f"o-{name}", position=i, response=e.Response(digest=f"{name}{i}", length=5 + i))
        for i in (0, 1)
    )
    facts = e.Task(id=name, task=name, a=a, b=b, prompt_digest=name, prompt_length=3, overlap=overlap)
    return msgspec.structs.replace(facts, **changes)


def grant(task: str, annotator: str, lease_until: int = NOW + 600_000) -> e.Assignment:
    identity = f"{task}-{annotator}"
    return e.Assignment(
        id=identity, task=task, annotator=annotator, kind="granted", slot=0, swapped=True, lease_until=lease_until
    )


def judgment(task: str, annotator: str, revision: int = 1) -> e.Judgment:
    identity = judgment_id(task, annotator, revision)
    return e.Judgment(
        id=identity, judgment=identity, task=task, annotator=annotator, revision=revision, choice="a", swapped=True
    )


def closed(task: str) -> e.TaskUpdate:
    return e.TaskUpdate(id=f"closed-{task}", task=task, status="closed", slots_wanted=1, judgments=1)


def next_task(queue: MemoryQueue, annotator: str) -> str | None:
    granted = queue.next(Worker(annotator=annotator), NOW, None, ())
    if granted is None:
        return None
    queue.settle_grant(granted, durable=True)
    return granted.facts.task


def test_tasks_come_back_in_their_order(service: Service) -> None:
    append(service, task("z"), task("m"), task("a"))
    queue = queue_of(service)
    assert [next_task(queue, "ada") for _ in range(3)] == ["z", "m", "a"]


def test_a_lease_comes_back_with_its_slot_and_its_sides(service: Service) -> None:
    append(service, task("t"), grant("t", "ada"))
    queue = queue_of(service)
    assert queue.counts().leased == 1
    assert next_task(queue, "bob") is None
    assert queue.held("t", "ada", NOW).swapped


def test_who_has_judged_does_not_get_it_again(service: Service) -> None:
    append(service, task("t", overlap=2), grant("t", "ada"), judgment("t", "ada"))
    queue = queue_of(service)
    assert next_task(queue, "ada") is None
    assert next_task(queue, "bob") == "t"


def test_a_closed_task_is_not_given_out_nor_is_gold_that_rests(service: Service) -> None:
    append(service, task("t"), task("g", gold="a"), task("u"))
    append(service, closed("t"), closed("g"))
    append(service, e.Campaign(id="c2", name="default", version=2, gold_rate=1.0))
    queue = queue_of(service)
    assert [next_task(queue, "ada") for _ in range(2)] == ["u", "u"]  # then what they hold comes again
    append(service, e.TaskUpdate(id="again", task="g", status="open", slots_wanted=0, judgments=0), task("v"))
    assert next_task(queue_of(service), "bob") == "g"


def test_a_suspension_comes_back_with_its_reason(service: Service) -> None:
    append(service, task("t"), e.Standing(id="s", annotator="ada", standing="suspended", reason="far too fast"))
    with pytest.raises(ForbiddenError, match="far too fast"):
        next_task(queue_of(service), "ada")


def test_a_spent_budget_stays_spent(service: Service) -> None:
    spent = e.Campaign(id="c2", name="default", version=2, targets=e.Targets(budget=1), gold_rate=0.0)
    append(service, spent, task("t"), task("u"), grant("t", "ada"), judgment("t", "ada"))
    assert next_task(queue_of(service), "bob") is None


def test_the_archive_knows_a_closed_task_with_its_newest_judgment(service: Service) -> None:
    append(service, task("t"), grant("t", "ada"), judgment("t", "ada"), judgment("t", "ada", 2))
    append(service, closed("t"))
    archive = ViewArchive(service.database, service.engine.lag)
    entry = archive.load("t")
    assert entry is not None
    assert (entry.status, entry.holds["ada"].state, entry.holds["ada"].revision) == ("closed", "judged", 2)
    assert archive.load("nothing") is None
    assert archive.is_current()


def test_a_task_reopened_after_it_left_the_memory_comes_back(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(books, "CLOSED_KEPT", 1)
    append(service, task("t"), grant("t", "ada"), judgment("t", "ada"), task("u"))
    queue = queue_of(service)
    service.engine.add_listener(queue.apply)
    append(service, closed("t"), closed("u"))  # u is kept, t is not
    reopened = e.TaskUpdate(id="again", task="t", status="open", slots_wanted=2, judgments=1)
    append(service, reopened)
    assert next_task(queue, "bob") is None
    queue.expire(NOW)
    assert queue.counts().open == 1
    assert next_task(queue, "ada") is None  # who judged it then is still known
    assert next_task(queue, "bob") == "t"

"""What only a queue outside the process has to keep: races, restarts, losses."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis as Client

from services.bootstrap import Service, open_service
from services.queue.decisions import WRITTEN_WITHIN_MS, assignment_of
from services.queue.port import AssignmentQueue, Grant, Worker
from services.queue.rebuild import ViewArchive, restore
from services.queue.redis_queue import RedisQueue
from services.queue.redis_store import connect
from services.settings import Settings
from streams import events as e
from streams.errors import UnavailableError
from streams.quality.routing import HEARD, REFRESHED
from tests.contract.queues import LEASE, NOW, EmptyArchive, assessed, memory_queue, redis_queue, task
from tests.integration.world import append
from tests.records import records
from tests.services.redis import Redis

ACCURACIES = (0.5, 0.7, 0.8, 0.9)


def queue_at(url: str, *, filled: bool = True) -> RedisQueue:
    return redis_queue(url) if filled else RedisQueue(connect(url), EmptyArchive())


def granted(queue: AssignmentQueue, name: str, now: int = NOW) -> Grant | None:
    grant = queue.next(Worker(annotator=name), now, None, ())
    return None if grant is None or grant.renewed else grant


def is_ready(queue: RedisQueue) -> bool:
    return queue.ready


def contents(url: str) -> dict[bytes, bytes]:
    with Client.from_url(url) as client:
        return {key: client.dump(key) for key in client.scan_iter("*")}


# ---------------------------------------------------------------- races


def test_the_last_slot_goes_to_one_of_many_threads(redis_url: str) -> None:
    queues = [queue_at(redis_url), *[queue_at(redis_url, filled=False) for _ in range(7)]]
    queues[0].apply(records(*[task(f"t{i}", overlap=2) for i in range(20)]))
    start, won = threading.Barrier(len(queues)), list[Grant]()

    def ask(number: int) -> None:
        start.wait()
        for turn in range(20):
            grant = granted(queues[number], f"a{number}-{turn}")
            if grant is not None:
                won.append(grant)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(queues))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted((grant.facts.task, grant.slot) for grant in won) == [
        (name, slot) for name in sorted(f"t{i}" for i in range(20)) for slot in (0, 1)
    ]
    assert queues[0].counts().leased == 40


RACER = """
import sys
from services.queue.port import Worker
from services.queue.redis_queue import RedisQueue
from services.queue.redis_store import connect

queue = RedisQueue(connect(sys.argv[1]), None)
sys.stdin.readline()
for turn in range(50):
    grant = queue.next(Worker(annotator=f"{sys.argv[2]}-{turn}"), 1_790_000_000_000, None, ())
    print(f"{grant.facts.task} {grant.slot}" if grant else "none")
"""


def test_two_processes_never_get_the_same_slot(redis_url: str) -> None:
    queue_at(redis_url).apply(records(*[task(f"t{i}", overlap=3) for i in range(20)]))
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, redis_url, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for name in ("left", "right")
    ]
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    told = [racer.communicate(timeout=60)[0].split("\n")[:-1] for racer in racers]
    won = [line for lines in told for line in lines if line != "none"]
    assert len(won) == len(set(won)) == 60


def test_who_asks_twice_at_once_still_holds_three_at_most(redis_url: str) -> None:
    queues = [queue_at(redis_url), *[queue_at(redis_url, filled=False) for _ in range(5)]]
    queues[0].apply(records(*[task(f"t{i}") for i in range(20)]))
    threads = [threading.Thread(target=granted, args=(queue, "ada")) for queue in queues]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert queues[0].counts().leased == len(queues[0].open_leases("ada", NOW)) == 3


def test_a_budget_is_not_overdrawn_by_a_race(redis_url: str) -> None:
    queues = [queue_at(redis_url), *[queue_at(redis_url, filled=False) for _ in range(5)]]
    budget = e.Campaign(name="default", version=1, targets=e.Targets(budget=4), gold_rate=0.0)
    queues[0].apply(records(budget, *[task(f"t{i}") for i in range(20)]))
    threads = [threading.Thread(target=granted, args=(queue, f"a{i}")) for i, queue in enumerate(queues)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert queues[0].counts().leased == 4


# ---------------------------------------------------------------- the same as in memory


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    moves=st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from(["next", "judge", "skip", "undo", "wait", "more", "learn"])),
        max_size=60,
    ),
    accuracies=st.lists(st.sampled_from(ACCURACIES), max_size=4),
)
def test_both_queues_decide_alike(redis_url: str, moves: list[tuple[int, str]], accuracies: list[float]) -> None:
    both: list[AssignmentQueue] = [memory_queue(), queue_at(redis_url)]
    known = [
        e.Campaign(name="default", version=1, gold_rate=0.3),
        *[task(f"t{i}", overlap=1 + i % 3, priority=i % 2) for i in range(6)],
        *[task(f"g{i}", gold="a") for i in range(3)],
        *[assessed(f"a{i}", accuracy) for _ in range(HEARD // 2) for i, accuracy in enumerate(accuracies)],
    ]
    for queue in both:
        queue.apply(records(*known))
    now, made = NOW, 0
    for who, move in moves:
        name, now = f"a{who}", now + 1
        if move == "more":
            made += 1
            for queue in both:
                queue.apply(records(task(f"m{made}", priority=who), first=100 + made))
            continue
        if move == "learn":
            for queue in both:
                queue.apply(records(*[assessed(name, ACCURACIES[who])] * REFRESHED))
                assert queue.grades([name]) == both[0].grades([name])
            continue
        told = [_moved(queue, name, move, now) for queue in both]
        assert told[0] == told[1]
        assert both[0].counts() == both[1].counts()
        now += LEASE // 2 if move == "wait" else 0


def _moved(queue: AssignmentQueue, name: str, move: str, now: int) -> object:
    if move == "wait":
        return sorted(queue.expire(now), key=lambda ended: (ended.task, ended.annotator))
    if move in ("next", "undo"):
        grant = queue.next(Worker(annotator=name), now, None, ())
        if grant is not None and move == "undo":
            queue.settle_grant(grant, durable=False)
        return grant
    leases = queue.open_leases(name, now)
    if not leases:
        return None
    if move == "skip":
        skipped = queue.skip(leases[0].facts.task, name, "", now)
        assert skipped is not None
        queue.settle_skip(skipped, durable=True)
        return skipped
    claim = queue.claim(leases[0].facts.task, name, 1, now)
    queue.settle_claim(claim, "new")
    return claim


# ---------------------------------------------------------------- what is told twice


def test_records_that_come_again_change_nothing(redis_url: str) -> None:
    queue = queue_at(redis_url)
    queue.apply(records(task("t", overlap=2), task("u")))
    grant = granted(queue, "ada")
    assert grant is not None
    told = records(
        task("t", overlap=2),
        assignment_of(grant, NOW),
        e.Judgment(judgment="j", task=grant.facts.task, annotator="ada", choice="a"),
        e.TaskUpdate(task="u", status="closed", slots_wanted=1, judgments=0),
    )
    queue.apply(told)
    once = contents(redis_url)
    queue.apply(told)
    assert contents(redis_url) == once


# ---------------------------------------------------------------- lost and found


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = open_service(Settings(data=tmp_path))
    append(service, e.Campaign(id="c", name="default", version=1, gold_rate=0.0))
    yield service
    service.close()


def over(service: Service, url: str) -> RedisQueue:
    return RedisQueue(connect(url), ViewArchive(service.database, service.engine.lag))


def test_a_flushed_redis_is_not_ready_and_comes_back_with_its_leases(service: Service, redis_url: str) -> None:
    queue = over(service, redis_url)
    append(service, task("t"), task("u"), task("v"))
    restore(queue, service.database)
    grant = granted(queue, "ada")
    assert grant is not None
    append(service, assignment_of(grant, NOW))
    with Client.from_url(redis_url) as client:
        client.flushall()
    assert not is_ready(queue)
    with pytest.raises(UnavailableError, match="rebuilt"):
        granted(queue, "bob")
    restore(queue, service.database)
    assert is_ready(queue)
    assert queue.held(grant.facts.task, "ada", NOW).lease_until == grant.lease_until
    claim = queue.claim(grant.facts.task, "ada", 1, NOW)
    assert (claim.late, claim.repeated) == (False, False)
    queue.settle_claim(claim, "new")
    assert {one.facts.task for name in ("bob", "cy", "di") if (one := granted(queue, name))} == {"u", "v"}


def test_a_redis_that_comes_back_with_old_contents_is_not_trusted(
    service: Service, redis_server: Redis, redis_url: str
) -> None:
    queue = over(service, redis_url)
    append(service, task("t"))
    restore(queue, service.database)
    redis_server.kill()
    assert not is_ready(queue)
    with pytest.raises(UnavailableError, match="Redis does not answer"):
        granted(queue, "ada")
    redis_server.start()
    with Client.from_url(redis_url) as client:
        assert client.dbsize() > 0  # it kept what it had
    assert not is_ready(queue)
    with pytest.raises(UnavailableError, match="rebuilt"):
        granted(queue, "ada")
    restore(queue, service.database)
    assert granted(queue, "ada") is not None


def test_a_judgment_whose_claim_met_a_lost_redis_is_known_after_the_rebuild(service: Service, redis_url: str) -> None:
    queue = over(service, redis_url)
    append(service, task("t"))
    restore(queue, service.database)
    grant = granted(queue, "ada")
    assert grant is not None
    claim = queue.claim("t", "ada", 1, NOW)
    with Client.from_url(redis_url) as client:
        client.flushall()
    append(service, assignment_of(grant, NOW), e.Judgment(id="j", judgment="j", task="t", annotator="ada", choice="a"))
    queue.settle_claim(claim, "new")  # it is durable: who sent it need not hear of Redis
    restore(queue, service.database)
    assert queue.claim("t", "ada", 1, NOW).repeated


def test_a_grant_that_the_rebuild_had_not_seen_does_not_overfill(redis_url: str) -> None:
    queue = queue_at(redis_url)
    queue.apply(records(task("t")))
    unseen = granted(queue, "ada")
    assert unseen is not None
    queue.restore(iter(()), campaigns=[], standings={}, given={}, bought={})
    queue.apply(records(task("t")))
    assert granted(queue, "bob") is not None
    queue.apply(records(assignment_of(unseen, NOW)))
    assert queue.counts().leased == 1
    assert queue.claim("t", "ada", 1, NOW).late


def test_what_a_killed_process_left_unsettled_lapses(redis_url: str) -> None:
    queue = queue_at(redis_url)
    queue.apply(records(task("t"), task("u")))
    for name, act in (("ada", "claim"), ("bob", "skip")):
        grant = granted(queue, name)
        assert grant is not None
        if act == "claim":
            queue.claim(grant.facts.task, name, 1, NOW)
        else:
            queue.skip(grant.facts.task, name, "", NOW)
    assert queue.expire(NOW + WRITTEN_WITHIN_MS) == []
    ended = queue.expire(NOW + WRITTEN_WITHIN_MS + 1)
    assert {one.annotator for one in ended} == {"ada", "bob"}
    assert granted(queue, "cy", NOW + WRITTEN_WITHIN_MS + 1) is not None


def test_a_task_reopened_after_it_left_redis_comes_back(service: Service, redis_url: str) -> None:
    queue = over(service, redis_url)
    append(service, task("t"), e.TaskUpdate(id="c", task="t", status="closed", slots_wanted=1, judgments=1))
    restore(queue, service.database)
    reopened = e.TaskUpdate(id="r", task="t", status="open", slots_wanted=2, judgments=1)
    append(service, reopened)
    queue.apply(records(reopened))
    grant = granted(queue, "bob")
    assert grant is not None
    assert grant.facts.task == "t"

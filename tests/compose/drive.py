"""`make compose-test`: the docker compose stack for real, from nothing to nothing.

Builds the images, waits until all is healthy, lets `prefloop demo` close the loop against the deployment while
containers are killed with -9 and come back, scales it under load, and asks at the end whether everything that was
acknowledged is there once and whether the views equal a rebuild from the log.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from services.store import models as m
from streams.engines.kafka_topics import make_layout
from tests.chaos.load import Load
from tests.chaos.run import CAMPAIGN
from tests.compose.stack import PATIENCE_S, Stack, until

T = TypeVar("T")
BUILD_S = 7_200.0
DEMO_S = 5_400.0
VICTIMS = ("worker", "api", "redis", "materializer", "kafka", "coordinator", "postgres", "dashboard")
PAUSE_S = (2.0, 8.0)  # between one that is healthy again and the next kill
PRODUCERS, ANNOTATORS = 2, 6
MORE = 300  # acknowledgements between two changes of scale
BEGUN = time.monotonic()


@contextmanager
def running(stack: Stack, *, build: bool) -> Iterator[None]:
    """A stack with everything healthy; gone afterwards, its volumes too. Its logs are kept where it fails."""
    try:
        if build:
            step("images built", lambda: stack.compose("build", timeout=BUILD_S))
        step(
            "from `up` to all healthy",
            lambda: stack.compose("up", "--detach", "--no-build", "--wait", timeout=PATIENCE_S),
        )
        yield
    except BaseException:
        log = Path(tempfile.gettempdir()) / "prefloop-compose.log"
        log.write_text(stack.compose("logs", "--no-color", "--timestamps", check=False), "utf-8")
        say(f"failed; the containers' logs: {log}")
        raise
    finally:
        step("down", lambda: stack.compose("--profile", "demo", "down", "--volumes", "--timeout", "5"))


@dataclass
class Killer:
    """While the block is inside, kills the trainer once when it trains, and the others one after another."""

    stack: Stack
    rng: random.Random
    killed: dict[str, list[float]] = field(default_factory=dict)  # seconds until healthy again, by service
    failed: list[Exception] = field(default_factory=list)
    leaving: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Killer:
        self._threads = [threading.Thread(target=self._watch, args=(act,)) for act in (self._others, self._trainer)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.leaving.set()
        for thread in self._threads:
            thread.join()

    def _watch(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception as error:  # told by who reads `failed`, on the main thread
            self.failed.append(error)

    def _others(self) -> None:
        """Each kind once, then at random."""
        while not self.leaving.wait(self.rng.uniform(*PAUSE_S)):
            fresh = [victim for victim in VICTIMS if victim not in self.killed]
            self._kill(fresh[0] if fresh else self.rng.choice(VICTIMS))

    def _trainer(self) -> None:
        while not self.leaving.wait(1.0):
            if any(run["status"] == "progress" for run in self.stack.ask("GET", "/v1/runs")["runs"]):
                return self._kill("trainer")
        return None

    def _kill(self, victim: str) -> None:
        seconds = self.stack.kill(victim)
        self.killed.setdefault(victim, []).append(seconds)
        say(f"  killed: {victim}; healthy again after {seconds:.0f} s")


def close_the_loop(stack: Stack, rounds: int, prompts: int, seed: int) -> None:
    """The demo's rounds, its policy trained and judged by the gate, while parts are killed."""
    arguments = ("--tiny", "--rounds", str(rounds), "--prompts", str(prompts))
    command = ("--profile", "demo", "run", "--rm", "--no-deps", "-T", "-e", "COLUMNS=120", "demo", *arguments)
    with Killer(stack, random.Random(seed)) as killer:
        page = step("the loop, with kills", lambda: stack.compose(*command, timeout=DEMO_S))
    say(page[page.find("The loop, round by round") :])
    say("kills: " + ", ".join(f"{len(times)} x {name}" for name, times in killer.killed.items()))
    assert not killer.failed, killer.failed
    assert "win rate of the new policy" in page, "the closing table is missing"
    missed = {*VICTIMS, "trainer"} - killer.killed.keys()
    assert not missed, f"the demo was over before these were killed: {missed}"
    assert stack.number("SELECT count(*) FROM runs WHERE status = 'finished'") == rounds
    assert stack.number("SELECT count(*) FROM promotions") == rounds, "the gate decides once about every model"


def promote(stack: Stack) -> None:
    """An engineer makes the newest model champion where the gate did not; every process is told by the log."""
    newest = stack.ask("GET", "/v1/models")["models"][0]
    if newest["status"] != "champion":
        stack.ask("POST", f"/v1/models/{newest['model']}/promote", {"reason": "make compose-test"})
    say(f"newest model: {newest['status']} by the gate, champion in the end")
    assert stack.ask("GET", "/v1/campaigns/demo/champion")["model"] == newest["model"]


def scale(stack: Stack, seed: int) -> list[Load]:
    """More workers and APIs, one of them killed, and fewer again, all of it under load; what was acknowledged."""
    stack.ask("PUT", "/v1/campaigns/default", CAMPAIGN)
    names = [{"name": f"annotator {number}"} for number in range(ANNOTATORS)]
    keys = [stack.ask("POST", "/v1/annotators", name)["key"] for name in names]
    first = Load(stack.urls(), stack.env["PREFLOOP_ADMIN_KEY"], keys, producers=PRODUCERS, seed=seed)
    with first:
        grow(stack, first, workers=1, apis=1)
        grow(stack, first, workers=3, apis=2)
    both = stack.urls()
    assert len(both) == 2
    second = Load(both, stack.env["PREFLOOP_ADMIN_KEY"], keys, producers=PRODUCERS, seed=seed + 1)
    with second:
        more(second)
        say(f"  killed: a worker of three; healthy again after {stack.kill('worker'):.0f} s")
        more(second)
    third = Load(stack.urls()[:1], stack.env["PREFLOOP_ADMIN_KEY"], keys, producers=PRODUCERS, seed=seed + 2)
    with third:
        grow(stack, third, workers=1, apis=1)
    return [first, second, third]


def grow(stack: Stack, load: Load, *, workers: int, apis: int) -> None:
    """Returns when that many have their partitions and the load goes on."""
    arguments = ("--scale", f"worker={workers}", "--scale", f"api={apis}", "--wait", "worker", "api")
    name = f"  scaled to {workers} workers and {apis} APIs"
    step(name, lambda: stack.compose("up", "--detach", "--no-build", "--no-recreate", *arguments))
    step(
        "  partitions moved", lambda: until(lambda: is_shared_out(stack.partitions()), "each partition has one worker")
    )
    say(f"  partitions by worker: {stack.partitions()}")
    more(load)


def is_shared_out(partitions: Sequence[int]) -> bool:
    """Whether every partition of every stage has a worker, and every worker some."""
    layout = make_layout()
    stages = layout.topology.stages.values()
    return min(partitions) > 0 and sum(partitions) == sum(layout.count(layout.inbox(stage).name) for stage in stages)


def more(load: Load) -> None:
    """Returns when more was acknowledged."""
    assert load.acknowledged.wait_for(len(load.acknowledged) + MORE, PATIENCE_S), "nothing is acknowledged any more"


def settle(stack: Stack) -> None:
    """Until nothing is left to apply, several times in a row: what a stage makes is work for the next."""
    calm = 0

    def is_calm() -> bool:
        nonlocal calm
        calm = 0 if any(stack.ask("GET", "/v1/live")["lag"].values()) else calm + 1
        return calm >= 5

    until(is_calm, "stages and views have caught up")


def count(stack: Stack, loads: Sequence[Load]) -> None:
    """Everything acknowledged is there, each judgment went through the stages, no task is over its quota."""
    step("stages and views caught up", lambda: settle(stack))
    outputs = {one for load in loads for one in load.acknowledged.outputs}
    judgments = {one for load in loads for one in load.acknowledged.judgments}
    lost = {
        "outputs": outputs - set(stack.sql("SELECT output FROM outputs")),
        "judgments": judgments - set(stack.sql("SELECT judgment FROM judgments")),
    }
    numbers = {what: stack.number(query) for what, query in COUNTS.items()}
    say(f"acknowledged under load: {len(outputs)} outputs, {len(judgments)} judgments")
    say("\n".join(f"  {what}: {number}" for what, number in numbers.items()))
    assert not any(lost.values()), f"acknowledged and not there: {lost}"
    assert not [failure for load in loads for failure in load.failures]
    assert numbers.pop("outputs")
    assert numbers.pop("judgments")
    assert not any(numbers.values()), numbers


COUNTS = {
    "outputs": "SELECT count(*) FROM outputs",
    "judgments": "SELECT count(*) FROM judgments",
    "judgments without assessment": "SELECT count(*) FROM judgments WHERE NOT assessed",
    "tasks over their slots": "SELECT count(*) FROM (SELECT t.task FROM tasks t JOIN judgments j USING (task)"
    " WHERE t.gold IS NULL AND NOT j.late AND j.role = 'annotator'"
    " GROUP BY t.task, t.slots_wanted HAVING count(DISTINCT j.annotator) > t.slots_wanted) AS over",
    "sampled outputs without a task": "SELECT count(*) FROM outputs o WHERE o.sampled AND o.gold IS NULL"
    " AND NOT EXISTS (SELECT 1 FROM tasks t WHERE t.a->>'output' = o.output)",
    "outputs with two tasks": "SELECT count(*) FROM (SELECT a->>'output' FROM tasks"
    " GROUP BY 1 HAVING count(*) > 1) AS twice",
    "dead letters": "SELECT count(*) FROM dead_letters",
}


def rebuild(stack: Stack) -> None:
    """The views are emptied and folded again, as docs/cluster.md says: they come back equal."""
    before = digests(stack)
    stack.compose("stop", "api", "coordinator", "materializer")
    stack.compose("run", "--rm", "--no-deps", "-T", "materializer", "rebuild")
    assert stack.number("SELECT count(*) FROM judgments") == 0
    stack.compose("up", "--detach", "--no-build", "--no-recreate", "--wait", "materializer", "coordinator", "api")
    settle(stack)
    after = digests(stack)
    differing = [table for table, digest in before.items() if after[table] != digest]
    assert not differing, f"a rebuild gives other rows in {differing}"
    say(f"  {len(before)} views equal after a rebuild")


def digests(stack: Stack) -> dict[str, str]:
    """Of every view's rows, without log_offset, which counts folds."""
    row = "(to_jsonb(t) - 'log_offset')::text"
    query = f"SELECT count(*) || ' ' || coalesce(md5(string_agg({row}, '\n' ORDER BY {row})), '') FROM %s t"
    return {table.name: stack.sql(query % table.name)[0] for table in m.VIEWS}


def step(name: str, act: Callable[[], T]) -> T:
    """Does it, and says how long it took."""
    begun = time.monotonic()
    done = act()
    say(f"{name}: {time.monotonic() - begun:.0f} s")
    return done


def say(line: str) -> None:
    """To whoever watches, with the seconds since the start."""
    sys.stdout.write(f"{time.monotonic() - BEGUN:6.0f} s  {line}\n")
    sys.stdout.flush()


def main(given: Sequence[str] | None = None) -> None:
    """All of it; raises AssertionError where something is not as it should be."""
    parser = argparse.ArgumentParser(prog="make compose-test", description=__doc__)
    parser.add_argument("--no-build", action="store_true", help="with the images that are there")
    parser.add_argument("--rounds", type=int, default=2, help="of the demo (%(default)s)")
    parser.add_argument("--prompts", type=int, default=32, help="of each round (%(default)s)")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="of the kills and the load (random)")
    options = parser.parse_args(given)
    say(f"seed {options.seed}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(prefix="prefloop-compose-") as folder:
        stack = Stack(Path(folder))
        with running(stack, build=not options.no_build):
            step("doctor", lambda: stack.compose("exec", "-T", "api", "prefloop", "doctor"))
            close_the_loop(stack, options.rounds, options.prompts, options.seed)
            promote(stack)
            loads = step("scaling", lambda: scale(stack, options.seed))
            count(stack, loads)
            step("rebuild", lambda: rebuild(stack))
    say("all is well")


if __name__ == "__main__":
    main()

"""`make compose-test`: the docker compose stack for real, from nothing to nothing.

Builds the images, waits until all is healthy, lets `prefloop demo` close the loop against the deployment while
containers are killed and come back, scales it, and asks at the end whether every judgment is there once. Secrets,
ports and volumes are of this run alone.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from services.spawned import free_port

ROOT = Path(__file__).parents[2]
PROJECT = "prefloop-test"
HEALTHY_S = 600  # from the first container to the last health check; 31 s on two idle cores
DEMO_S = 1_800
VICTIMS = ("worker", "api", "materializer", "redis", "coordinator", "kafka", "postgres")
PAUSE_S = 12.0  # between two kills


class Stack:
    """One compose project with secrets of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        (folder / "deploy").mkdir()
        for name in (".env.example", "deploy/make-env"):
            shutil.copy(ROOT / name, folder / name)
        subprocess.run([folder / "deploy/make-env"], check=True, capture_output=True)
        lines = [line for line in (folder / ".env").read_text("utf-8").splitlines() if "=" in line]
        self.env = dict(line.split("=", 1) for line in lines if not line.startswith("#"))
        self.env |= {"API_PORTS": f"127.0.0.1:{self.port}", "DASHBOARD_PORT": f"127.0.0.1:{free_port()}"}

    def compose(self, *arguments: str, timeout: float = 900, check: bool = True) -> str:
        """What `docker compose` prints. Raises CalledProcessError."""
        command = [
            "docker",
            "compose",
            "--project-name",
            PROJECT,
            "--file",
            str(ROOT / "docker-compose.yml"),
            *arguments,
        ]
        environment = {**os.environ, **self.env}
        done = subprocess.run(
            command, env=environment, cwd=self.folder, capture_output=True, text=True, timeout=timeout, check=False
        )
        if check and done.returncode:
            raise AssertionError(f"docker compose {' '.join(arguments)}:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
        return done.stdout

    def get(self, path: str) -> Any:
        """The JSON at the path, with the admin's key; outages are waited out for a minute."""
        end = time.monotonic() + 60
        while True:
            try:
                headers = {"Authorization": f"Bearer {self.env['PREFLOOP_ADMIN_KEY']}"}
                answer = httpx.get(f"http://127.0.0.1:{self.port}{path}", headers=headers, timeout=10)
                answer.raise_for_status()
                return answer.json()
            except httpx.HTTPError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.5)

    def sql(self, query: str) -> int:
        """One number out of PostgreSQL."""
        told = self.compose("exec", "-T", "postgres", "psql", "-U", "prefloop", "-At", "-c", query)
        return int(told.strip())

    def worker_partitions(self) -> list[int]:
        """How many partitions each worker has."""
        found = []
        names = json.loads(f"[{','.join(self.compose('ps', '--format', 'json', 'worker').splitlines())}]")
        for container in names:
            code = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8080/readyz').read().decode())"
            told = subprocess.run(
                ["docker", "exec", container["Name"], "python", "-c", code], capture_output=True, text=True, check=True
            )
            found.append(int(json.loads(told.stdout)["partitions"]))
        return found


@contextmanager
def running(*, build: bool) -> Iterator[Stack]:
    """A stack with everything healthy; gone afterwards, its volumes too. Its logs are kept where it fails."""
    with tempfile.TemporaryDirectory(prefix="prefloop-compose-") as folder:
        stack = Stack(Path(folder))
        try:
            if build:
                step("images", lambda: stack.compose("build", timeout=3_600))
            step("healthy", lambda: stack.compose("up", "--detach", "--no-build", "--wait", timeout=HEALTHY_S))
            yield stack
        except BaseException:
            log = Path(tempfile.gettempdir()) / "prefloop-compose.log"
            log.write_text(stack.compose("logs", "--no-color", "--timestamps", check=False), "utf-8")
            say(f"failed; the containers' logs: {log}")
            raise
        finally:
            step("down", lambda: stack.compose("down", "--volumes", "--remove-orphans", "--timeout", "5"))


def kill_one_after_another(stack: Stack, leaving: threading.Event, rng: random.Random, killed: list[str]) -> None:
    """Kills (-9) a container that is not yet back for long, and starts it again, until told to leave."""
    while not leaving.wait(PAUSE_S):
        victim = VICTIMS[len(killed) % len(VICTIMS)] if len(killed) < len(VICTIMS) else rng.choice(VICTIMS)
        stack.compose("kill", "--signal", "KILL", victim)
        leaving.wait(rng.uniform(0, 3))
        stack.compose("up", "--detach", "--no-build", "--no-deps", victim)
        killed.append(victim)
        say(f"  killed and started again: {victim}")


def play(stack: Stack, prompts: int) -> str:
    """The demo's closing page."""
    arguments = ["--tiny", "--rounds", "1", "--prompts", str(prompts)]
    return stack.compose("--profile", "demo", "run", "--rm", "--no-deps", "-T", "demo", *arguments, timeout=DEMO_S)


def check_counts(stack: Stack) -> dict[str, int]:
    """Every judgment has one assessment, no task more than its slots, views and log agree."""
    until(lambda: not any(stack.get("/v1/live")["lag"].values()), "stages and views catch up")
    return {
        "judgments": stack.sql("SELECT count(*) FROM judgments WHERE choice <> ''"),
        "judgments without assessment": stack.sql("SELECT count(*) FROM judgments WHERE NOT assessed"),
        "tasks over their slots": stack.sql(
            "SELECT count(*) FROM (SELECT t.task FROM tasks t JOIN judgments j USING (task) WHERE t.gold IS NULL"
            " AND NOT j.late AND NOT j.withdrawn AND j.role = 'annotator' GROUP BY t.task, t.slots_wanted"
            " HAVING count(DISTINCT j.annotator) > t.slots_wanted) AS over"
        ),
        "dead letters": stack.sql("SELECT count(*) FROM dead_letters"),
    }


def until(holds: Any, what: str, patience: float = 120) -> None:
    """Returns when it holds."""
    end = time.monotonic() + patience
    while not holds():
        assert time.monotonic() < end, f"not within {patience:.0f} s: {what}"
        time.sleep(1)


def step(name: str, act: Any) -> None:
    """Does it, and says how long it took."""
    begun = time.monotonic()
    act()
    say(f"{name}: {time.monotonic() - begun:.0f} s")


def say(line: str) -> None:
    """To whoever watches."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(given: Sequence[str] | None = None) -> None:
    """All of it; raises AssertionError where something is not as it should be."""
    parser = argparse.ArgumentParser(prog="make compose-test", description=__doc__)
    parser.add_argument("--no-build", action="store_true", help="with the images that are there")
    parser.add_argument("--prompts", type=int, default=32, help="of the demo's round (%(default)s)")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="of the kills (random)")
    options = parser.parse_args(given)
    say(f"seed {options.seed}")
    with running(build=not options.no_build) as stack:
        leaving, killed = threading.Event(), list[str]()
        rng = random.Random(options.seed)
        killer = threading.Thread(target=kill_one_after_another, args=(stack, leaving, rng, killed))
        killer.start()
        try:
            pages: list[str] = []
            step("the loop, with kills", lambda: pages.append(play(stack, options.prompts)))
        finally:
            leaving.set()
            killer.join()
        say(pages[0][-3000:])
        assert "win rate of the new policy over the old" in pages[0]
        say(f"killed: {', '.join(killed)}")
        scale(stack)
        counts = check_counts(stack)
        say("\n".join(f"{name}: {count}" for name, count in counts.items()))
        assert counts["judgments"] > 0
        assert not counts["judgments without assessment"]
        assert not counts["tasks over their slots"]
    say("all is well")


def scale(stack: Stack) -> None:
    """Three workers and two API replicas: partitions move, and come to all."""
    stack.env["API_PORTS"] = f"127.0.0.1:{stack.port}-{stack.port + 1}"
    arguments = ("--scale", "worker=3", "--scale", "api=2", "--wait")
    step("scaled to 3 workers and 2 APIs", lambda: stack.compose("up", "--detach", "--no-build", *arguments))
    until(lambda: min(stack.worker_partitions()) > 0, "every worker has partitions")
    say(f"partitions by worker: {stack.worker_partitions()}")


if __name__ == "__main__":
    main()

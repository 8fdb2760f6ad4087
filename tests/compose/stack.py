"""One docker compose project with secrets, ports and volumes of its own, and ways to look at it and to hurt it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parents[2]
PROJECT = "prefloop-test"
KEEPERS = ("kafka", "postgres", "redis")  # process 1 of their containers is the server itself
PATIENCE_S = 600.0  # a machine may be busy with other things; nothing here waits for a fixed time
OUTAGE_S = 300.0


class Stack:
    """It is not up yet; `folder` gets the secrets."""

    def __init__(self, folder: Path, project: str = PROJECT) -> None:
        (folder / "deploy").mkdir()
        for name in (".env.example", "deploy/make-env"):
            shutil.copy(ROOT / name, folder / name)
        subprocess.run([folder / "deploy/make-env"], check=True, capture_output=True)
        lines = [line for line in (folder / ".env").read_text("utf-8").splitlines() if "=" in line]
        self.env = dict(line.split("=", 1) for line in lines if not line.startswith("#"))
        first = free_ports(3)
        self.env |= {"API_PORTS": f"127.0.0.1:{first}-{first + 1}", "DASHBOARD_PORT": f"127.0.0.1:{first + 2}"}
        self._folder, self._project = folder, project

    def compose(self, *arguments: str, timeout: float = 900, check: bool = True) -> str:
        """What `docker compose` prints. Raises AssertionError with the end of it where it fails."""
        command = ["docker", "compose", "--project-name", self._project, "--file", str(ROOT / "docker-compose.yml")]
        environment = {**os.environ, **self.env}
        done = subprocess.run(
            [*command, *arguments],
            env=environment,
            cwd=self._folder,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"docker compose {' '.join(arguments)}:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
        return done.stdout

    def containers(self, service: str) -> list[str]:
        """Names of the containers of the service, those that ended too."""
        lines = self.compose("ps", "--all", "--format", "json", service).splitlines()
        return sorted(str(json.loads(line)["Name"]) for line in lines)

    def urls(self) -> list[str]:
        """Where each API replica listens on this machine; a restart may give it the other port."""
        replicas = range(1, len(self.containers("api")) + 1)
        return [f"http://{self.compose('port', '--index', str(n), 'api', '8080').strip()}" for n in replicas]

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """The JSON that the API answers to its admin; outages are waited out."""
        end = time.monotonic() + OUTAGE_S
        headers = {"Authorization": f"Bearer {self.env['PREFLOOP_ADMIN_KEY']}"}
        while True:
            try:
                answer = httpx.request(method, self.urls()[0] + path, json=body, headers=headers, timeout=10)
                return answer.raise_for_status().json()
            except (httpx.HTTPError, AssertionError):  # compose tells no port of a container that is down
                if time.monotonic() > end:
                    raise
                time.sleep(0.5)

    def sql(self, query: str) -> list[str]:
        """The rows of a query, columns with | between them."""
        told = self.compose("exec", "-T", "postgres", "psql", "-U", "prefloop", "-d", "prefloop", "-At", "-c", query)
        return told.splitlines()

    def number(self, query: str) -> int:
        """One number out of PostgreSQL."""
        return int(self.sql(query)[0])

    def kill(self, service: str) -> float:
        """Kills the service's first container with -9; seconds until it is healthy again.

        What is ours is killed from inside, so that the restart policy has to bring it back. A server that is process 1
        of its container cannot be; compose kills it and starts it again.
        """
        (name, *_), begun = self.containers(service), time.monotonic()
        if service in KEEPERS:
            self.compose("kill", "--signal", "KILL", service)
            self.compose("up", "--detach", "--no-build", "--no-deps", "--no-recreate", service)
        else:
            before = self._inspect(name, "{{.RestartCount}}")
            self.compose("exec", "-T", "--index", "1", service, "sh", "-c", "kill -9 -1", check=False)
            until(lambda: self._inspect(name, "{{.RestartCount}}") != before, f"{service} is started again")
        until(lambda: self._inspect(name, "{{.State.Health.Status}}") == "healthy", f"{service} is healthy again")
        return time.monotonic() - begun

    def partitions(self) -> list[int]:
        """How many partitions each worker has."""
        code = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8080/metrics').read().decode())"
        found = []
        for name in self.containers("worker"):
            told = subprocess.run(
                ["docker", "exec", name, "python", "-c", code], capture_output=True, text=True, check=False
            ).stdout
            numbers = [line.split()[1] for line in told.splitlines() if line.startswith("prefloop_worker_partitions")]
            found.append(int(float(numbers[0])) if numbers else 0)
        return found

    def _inspect(self, container: str, form: str) -> str:
        command = ["docker", "inspect", "--format", form, container]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def until(holds: Callable[[], object], what: str, patience: float = PATIENCE_S) -> None:
    """Returns when it holds."""
    end = time.monotonic() + patience
    while not holds():
        assert time.monotonic() < end, f"not within {patience:.0f} s: {what}"
        time.sleep(1)


def free_ports(count: int) -> int:
    """The first of so many neighbouring ports that nobody listens on."""
    for first in range(20_000, 30_000, count):
        sockets = [socket.socket() for _ in range(count)]
        try:
            for port, one in enumerate(sockets, first):
                one.bind(("127.0.0.1", port))
        except OSError:
            continue
        else:
            return first
        finally:
            for one in sockets:
                one.close()
    raise AssertionError(f"no {count} neighbouring ports are free")

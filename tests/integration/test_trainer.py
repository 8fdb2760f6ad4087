"""The trainer as a process of its own: claimed over HTTP, killed in the middle, resumed, handed in."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from services.trainer.models import load
from services.trainer.tiny import make_tiny

pytestmark = [pytest.mark.slow]


def row(number: int, split: str) -> dict[str, Any]:
    return {
        "split": split,
        "task": f"t{number}",
        "revision": 1,
        "campaign": "default",
        "prompt": [{"role": "user", "content": f"What is {number}?"}],
        "chosen": [{"role": "assistant", "content": f"{number}!"}],
        "rejected": [{"role": "assistant", "content": f"A number next to {number + 1}."}],
        "probability": 0.9,
        "p_a": 0.9,
        "p_b": 0.05,
        "p_tie": 0.05,
        "verdict": "a",
        "margin": 0.85,
        "tags": {"locale": "en"},
        "prompt_digest": f"d{number}",
        "judgments": [f"j{number}"],
        "annotators": ["ann-1"],
        "outputs": [{"output": f"o{number}", "offset": number, "position": 0, "model": "m", "model_version": "1"}],
    }


class Api(ThreadingHTTPServer):
    """The five endpoints a trainer needs, for one run."""

    daemon_threads = True

    def __init__(self, run: dict[str, Any]) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.run, self.done = run, threading.Event()
        self.progress: list[dict[str, Any]] = []
        self.finished: dict[str, Any] = {}
        self.failed: dict[str, Any] = {}
        self.datasets = 0
        self.wanted: tuple[str, int] = ("", 0)
        self.reached = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Answering(BaseHTTPRequestHandler):
    server: Api
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""

    def do_GET(self) -> None:
        self.server.datasets += 1
        rows = [row(number, "train") for number in range(8)] + [row(number, "holdout") for number in range(20, 24)]
        self._answer(200, "\n".join(map(json.dumps, rows)).encode())

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.headers["Authorization"] == "Bearer plk_test"
        name = self.path.rsplit("/", 1)[1]
        if name == "claim":
            return (
                self._answer(204) if self.server.finished else self._answer(200, json.dumps(self.server.run).encode())
            )
        if name == "progress":
            self.server.progress.append(body)
            if (body["stage"], body["step"]) == self.server.wanted:
                self.server.reached.set()
        else:
            setattr(self.server, {"finish": "finished", "fail": "failed"}[name], body)
        return self._answer(200, b"{}")

    def _answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def serving(base: Path) -> Iterator[Api]:
    config = {"recipe": "tiny", "base_model": str(base), "max_steps": 6}
    server = Api({"run": "r1", "campaign": "default", "batch": "b1", "parent": None, "config": config})
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def whole(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Api, Path]]:
    """A run that nothing disturbed, and its artifacts."""
    artifacts = tmp_path_factory.mktemp("whole")
    with serving(base) as api:
        finish(start(api, artifacts))
        yield api, artifacts


def start(api: Api, artifacts: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "services.trainer", "--once", "--name", "t1"]
    command += ["--server", api.url, "--artifacts", str(artifacts)]
    environment = {**os.environ, "PREFLOOP_KEY": "plk_test", "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finish(trainer: subprocess.Popen[bytes]) -> None:
    _, errors = trainer.communicate(timeout=180)
    assert trainer.returncode == 0, errors.decode()


def curve(api: Api) -> dict[int, float]:
    return {
        told["step"]: told["metrics"]["loss"]
        for told in api.progress
        if "loss" in told["metrics"] and told["stage"] == "dpo"
    }


def test_killed_in_the_middle_it_resumes_and_hands_in_the_same_model(
    whole: tuple[Api, Path], base: Path, tmp_path: Path
) -> None:
    undisturbed, _ = whole
    with serving(base) as api:
        api.wanted = ("dpo", 4)
        killed = start(api, tmp_path)
        assert api.reached.wait(120)
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
        before = len(api.progress)
        finish(start(api, tmp_path))

    assert api.failed == {}
    assert api.datasets == 1  # the dataset was not fetched again
    assert not [told for told in api.progress[before:] if told["stage"] == "reward_model"]  # nor the stage redone
    assert min(told["step"] for told in api.progress[before:] if "loss" in told["metrics"]) > 1
    assert curve(api) == pytest.approx(curve(undisturbed), rel=1e-6)
    assert api.finished["model"] == undisturbed.finished["model"]
    assert api.finished["report"]["holdout"] == undisturbed.finished["report"]["holdout"]


def test_what_is_handed_in_loads_and_says_where_it_came_from(whole: tuple[Api, Path]) -> None:
    api, artifacts = whole
    handed = api.finished
    model, tokenizer = load(handed["uri"])
    dataset = Path(handed["manifest"]["dataset"]["folder"])
    lineage = json.loads((dataset / "manifest.json").read_text())["lineage"]

    assert tokenizer.eos_token_id == model.config.eos_token_id
    assert Path(handed["uri"]).name == handed["model"]
    assert handed["report"]["holdout"]["pairs"] == 4
    assert handed["report"]["train_pairs"] == 8
    assert handed["report"]["reward_model"]["pairs"] == 4
    assert handed["report"]["kl"] > 0
    assert lineage["outputs"]["o3"] == 3
    assert lineage["annotators"] == ["ann-1"]
    assert not list(artifacts.rglob("checkpoint-*"))
    assert {told["stage"] for told in api.progress} == {"dataset", "reward_model", "dpo", "evaluation"}


def test_without_a_key_it_says_which_variable(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PREFLOOP_KEY"}
    done = subprocess.run(
        [sys.executable, "-m", "services.trainer", "--once"],
        check=False,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 2
    assert "PREFLOOP_KEY" in done.stderr

"""Children: started again when they end, gone when the parent is gone."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from services import children
from services.children import Child, Children

PARENT = """
import subprocess, sys
from services.children import Child
command = Child(module="http.server", arguments=["0"]).command
child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
child.wait()
"""
POLITE = """
import signal, sys, time
def leave(*_):
    time.sleep(0.3)
    print("left", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, leave)
print("up", flush=True)
time.sleep(60)
"""


def test_a_child_runs_a_module_with_its_arguments() -> None:
    child = Child(module="json.tool", arguments=["--help"])
    with subprocess.Popen(child.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert b"json.tool" in running.stdout.read()


def test_a_child_that_ends_by_itself_ends_as_its_module_says() -> None:
    child = Child(module="json.tool", arguments=["--nonsense"])
    with subprocess.Popen(child.command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.wait(timeout=20) == 2


def test_a_child_is_started_again_where_somebody_removed_the_logs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "FIRST_WAIT", 0.01)
    log = tmp_path / "logs" / "json.tool.log"
    with Children([Child(module="json.tool", arguments=["--help"])], log.parent):
        for _ in range(2):
            until(lambda: log.is_file() and "usage" in log.read_text())
            shutil.rmtree(log.parent, ignore_errors=True)
        until(log.is_file)


def test_a_child_is_asked_to_end_and_given_the_time_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path(__file__).parents[3]}")
    (tmp_path / "polite.py").write_text(POLITE)
    log = tmp_path / "logs" / "polite.log"
    with Children([Child(module="polite")], log.parent):
        until(lambda: log.is_file() and "up" in log.read_text())
    assert log.read_text().split() == ["up", "left"]


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_child_dies_with_a_parent_that_is_killed() -> None:
    root = Path(__file__).parents[3]
    parent = subprocess.Popen([sys.executable, "-u", "-c", PARENT], stdout=subprocess.PIPE, cwd=root)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    assert not [process for process in psutil.wait_procs([child], timeout=20)[1] if process.is_running()]

"""A worker that ends is started again; one that is told to end, ends."""

from __future__ import annotations

import threading
from pathlib import Path

from services.worker.supervisor import RESTARTS, Supervisor

WORKER = """
import os, pathlib, signal, sys, time
started = pathlib.Path(os.environ["STARTED"])
with started.open("a") as file:
    file.write(os.environ[{restarts!r}] + "\\n")
if len(started.read_text().splitlines()) < 3:
    os._exit(70)
def leave(*_):
    time.sleep(0.3)  # it commits what is in hand and leaves its group
    pathlib.Path(os.environ["LEFT"]).touch()
    sys.exit(0)
signal.signal(signal.SIGTERM, leave)
pathlib.Path(os.environ["UP"]).touch()
time.sleep(60)
"""


def test_a_worker_that_ends_is_started_again_and_told_how_often(tmp_path: Path) -> None:
    (tmp_path / "failing_worker.py").write_text(WORKER.format(restarts=RESTARTS))
    environment = {
        "PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[4]}",
        "STARTED": str(tmp_path / "started"),
        "UP": str(tmp_path / "up"),
        "LEFT": str(tmp_path / "left"),
    }
    supervisor = Supervisor("failing_worker", environment)
    thread = threading.Thread(target=supervisor.run)
    thread.start()
    tick = threading.Event()
    for _ in range(300):
        if (tmp_path / "up").exists():
            break
        tick.wait(0.05)
    supervisor.stop()
    thread.join(timeout=20)
    assert not thread.is_alive()
    assert (tmp_path / "left").exists(), "it was given the time to end in good order"
    assert (tmp_path / "started").read_text().split() == ["0", "1", "2"]
    assert supervisor.restarts == 2

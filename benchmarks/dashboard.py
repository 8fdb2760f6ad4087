"""Viewers of the dashboard's live page: how late its numbers are, and what one process spends on them.

`python -m benchmarks.dashboard [--viewers 1 10 30] [--seconds 60]` starts a service and its dashboard over a fresh
folder, opens that many sessions over the dashboard's own WebSocket protocol and lets each ask for its fragment as a
browser does, every two seconds, aligned: the worst case. A browser for each would measure Chromium on the same machine.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import httpx
import psutil
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Origin

from benchmarks.server import ADMIN_KEY, Server
from dashboard.client import KEY_VARIABLE
from services.spawned import free_port

EVERY_S = 2.0  # dashboard/views/loop.py
SETTLE_S = 6.0
BIG = 64 * 1024 * 1024


@dataclass
class Viewer:
    """One session: the socket, its fragment, and how long each refresh took (s)."""

    socket: ClientConnection
    fragment: str = ""
    page: str = ""
    took: list[float] = field(default_factory=list)
    received: int = 0  # bytes


async def run_script(viewer: Viewer, fragment: str = "") -> None:
    """Asks for a run of the page (or of its fragment alone) and reads until it is finished."""
    asked = BackMsg()
    asked.rerun_script.query_string = ""
    asked.rerun_script.page_script_hash = viewer.page
    asked.rerun_script.fragment_id = fragment
    asked.rerun_script.is_auto_rerun = bool(fragment)
    await viewer.socket.send(asked.SerializeToString())
    while True:
        data = await viewer.socket.recv()
        assert isinstance(data, bytes)
        viewer.received += len(data)
        message = ForwardMsg.FromString(data)
        kind = message.WhichOneof("type")
        if kind == "auto_rerun" and message.auto_rerun.fragment_id:
            viewer.fragment = message.auto_rerun.fragment_id
        if kind == "new_session":
            viewer.page = message.new_session.page_script_hash
        if kind == "script_finished":
            return


async def watch(address: str, beats: asyncio.Event, seconds: float) -> Viewer:
    """Opens the live page and refreshes it on the beat of all others."""
    async with connect(
        f"ws{address.removeprefix('http')}/_stcore/stream", max_size=BIG, origin=Origin(address)
    ) as socket:
        viewer = Viewer(socket)
        await run_script(viewer)
        await beats.wait()
        viewer.received = 0
        start = time.perf_counter()
        beat = 0
        while (due := beat * EVERY_S) < seconds:
            await asyncio.sleep(max(0.0, start + due - time.perf_counter()))
            began = time.perf_counter()
            await run_script(viewer, viewer.fragment)
            viewer.took.append(time.perf_counter() - began)
            beat = max(beat + 1, int((time.perf_counter() - start) / EVERY_S) + 1)  # a late browser skips a beat
        return viewer


async def measure(address: str, process: psutil.Process, viewers: int, seconds: float) -> str:
    """A row of the table."""
    beats = asyncio.Event()
    watching = [asyncio.create_task(watch(address, beats, seconds)) for _ in range(viewers)]
    await asyncio.sleep(SETTLE_S + viewers / 3)  # everybody is in
    spent, began = cpu(process), time.perf_counter()
    beats.set()
    done = await asyncio.gather(*watching)
    spent, passed = cpu(process) - spent, time.perf_counter() - began
    took = sorted(second for viewer in done for second in viewer.took)
    assert took, "no refresh was answered: does the page still have a fragment that runs by itself?"
    kilobytes = sum(viewer.received for viewer in done) / len(took) / 1024
    worst = took[int(0.95 * (len(took) - 1))]
    memory = process.memory_info().rss / 2**20
    wanted = viewers * int(seconds / EVERY_S)
    return (
        f"| {viewers} | {1000 * median(took):.0f} ms | {1000 * worst:.0f} ms | {len(took)} of {wanted} "
        f"| {1000 * spent / len(took):.0f} ms | {spent / passed:.0%} | {kilobytes:.1f} kB | {memory:.0f} MB |"
    )


def cpu(process: psutil.Process) -> float:
    """Seconds of processor time so far."""
    times = process.cpu_times()
    return float(times.user + times.system)


@contextmanager
def dashboard(server: str) -> Iterator[tuple[str, psutil.Process]]:
    """A dashboard in front of the service, signed in by its environment."""
    port = free_port()
    command = [sys.executable, "-m", "dashboard", "--server", server, "--port", str(port)]
    process = subprocess.Popen(command, env={**os.environ, KEY_VARIABLE: ADMIN_KEY}, stdout=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(f"{address}/_stcore/health")
        yield address, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


def wait_for(url: str, seconds: float = 60.0) -> None:
    """Until it answers."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if httpx.get(url, timeout=2).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise TimeoutError(f"{url} did not answer within {seconds:.0f} s")


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--viewers", type=int, nargs="+", default=[1, 10, 30])
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder)) as server:
        server.annotators(20)
        for number in range(200):
            body = {"id": f"o-{number}", "prompt": f"What is {number}?", "responses": ["A number.", f"It is {number}."]}
            server.http.post("/v1/outputs", json=body).raise_for_status()
        print("| viewers | refresh, median | 95 of 100 | refreshes | CPU each | of one core | bytes each | memory |")
        print("|---|---|---|---|---|---|---|---|")
        for viewers in options.viewers:
            with dashboard(server.url) as (address, process):
                print(asyncio.run(measure(address, process, viewers, options.seconds)), flush=True)


if __name__ == "__main__":
    main()

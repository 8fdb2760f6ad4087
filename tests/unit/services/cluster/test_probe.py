"""What a process without an API answers, also to who does not wait for it."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest
from structlog.testing import capture_logs

from services.cluster.probe import Probe, Vital
from streams.errors import SettingsError

NO_VITAL = Vital(alive=lambda: "", ready=lambda: "", lag=dict, counts=dict)
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@dataclass
class Patient:
    """A process whose well-being the test decides; it can be slow to tell it."""

    reason: str = ""
    broken: bool = False

    def __post_init__(self) -> None:
        self.asked, self.may_tell = threading.Event(), threading.Event()

    def ready(self) -> str:
        self.asked.set()
        self.may_tell.wait(10)
        if self.broken:
            raise ZeroDivisionError
        return self.reason


@pytest.fixture
def patient() -> Patient:
    return Patient()


@pytest.fixture
def probe(patient: Patient) -> Iterator[Probe]:
    vital = Vital(alive=lambda: "", ready=patient.ready, lag=lambda: {"views": 3}, counts=lambda: {"folded": 7})
    with Probe("worker", vital, "127.0.0.1", 0) as probe:
        yield probe


def ask_and_leave(probe: Probe, patient: Patient) -> None:
    """Asks, and closes the connection before the answer comes; returns when the probe is done with it."""
    before = set(threading.enumerate())
    with socket.create_connection(("127.0.0.1", probe.port)) as asking:
        asking.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        asking.sendall(b"GET /readyz HTTP/1.1\r\n\r\n")
        assert patient.asked.wait(10)
    answering = set(threading.enumerate()) - before
    patient.may_tell.set()
    for thread in answering:
        thread.join(10)


@pytest.mark.parametrize(("reason", "status"), [("", 200), ("recovering", 503)])
def test_it_says_whether_the_process_is_ready(probe: Probe, patient: Patient, reason: str, status: int) -> None:
    patient.reason = reason
    patient.may_tell.set()
    answer = httpx.get(f"http://127.0.0.1:{probe.port}/readyz")
    assert (answer.status_code, reason in answer.text) == (status, True)


def test_its_metrics_carry_its_name(probe: Probe, patient: Patient) -> None:
    patient.may_tell.set()
    told = httpx.get(f"http://127.0.0.1:{probe.port}/metrics").text
    assert 'prefloop_worker_events_total{became="folded"} 7.0' in told


def test_who_leaves_before_the_answer_is_no_news(
    probe: Probe, patient: Patient, capfd: pytest.CaptureFixture[str]
) -> None:
    with capture_logs() as lines:
        ask_and_leave(probe, patient)
    assert (lines, capfd.readouterr().err) == ([], "")


def test_what_breaks_is_told_in_the_log(probe: Probe, patient: Patient) -> None:
    patient.broken = True
    with capture_logs() as lines:
        ask_and_leave(probe, patient)
    assert [line["event"] for line in lines] == ["no answer to a probe"]


def test_a_port_that_is_taken_is_told_with_the_mend() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=rf"127\.0\.0\.1 port {port} .*PREFLOOP_PORT"):
            Probe("late", NO_VITAL, "127.0.0.1", port)

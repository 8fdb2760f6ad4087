from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from prefloop_sdk import Prefloop, Stats
from prefloop_sdk.courier import Backoff
from tests.local_service import LocalService, refusal

MakeClient = Callable[..., Prefloop]
AWAY = refusal(503, "unavailable")
PATIENT = Backoff(3600.0, 3600.0)


def test_an_output_arrives_as_it_was_logged(service: LocalService, make_client: MakeClient) -> None:
    client = make_client(campaign="chat")
    identity = client.log("What is a mutex?", "A lock.", model="m1", model_version="3", tags={"locale": "en"}, time=7)
    assert client.flush()
    assert service.outputs[identity] == {
        "id": identity,
        "campaign": "chat",
        "prompt": "What is a mutex?",
        "responses": ["A lock."],
        "model": "m1",
        "model_version": "3",
        "tags": {"locale": "en"},
        "time": 7,
    }
    assert client.stats() == Stats(sent=1)


def test_signals_and_several_responses(service: LocalService, make_client: MakeClient) -> None:
    client = make_client()
    turns = [{"role": "user", "content": "hi"}]
    output = client.log(turns, responses=["a", {"content": "b", "model": "m2"}], id="o-17")
    thumb = client.signal(output, "thumbs_up", position=0)
    assert client.flush()
    assert service.outputs["o-17"]["responses"] == ["a", {"content": "b", "model": "m2"}]
    assert service.signals[thumb]["output"] == "o-17"
    assert service.signals[thumb]["position"] == 0


def test_many_become_few_requests(service: LocalService, make_client: MakeClient) -> None:
    client = make_client(batch=100)
    service.gate.clear()
    client.log("first", "r")
    assert service.asked.wait(10)
    for n in range(250):
        client.log(f"p{n}", "r")
    service.gate.set()
    assert client.flush()
    assert len(service.outputs) == 251
    assert len(service.requests) == 4


def test_an_outage_costs_nothing(service: LocalService, make_client: MakeClient) -> None:
    client = make_client()
    service.script.extend([AWAY] * 5)
    for n in range(20):
        client.log(f"p{n}", "r")
    assert client.flush()
    assert len(service.outputs) == 20
    stats = client.stats()
    assert (stats.sent, stats.dropped, stats.pending) == (20, 0, 0)
    assert stats.spooled > 0


def test_an_answer_that_got_lost_is_recognised(service: LocalService, make_client: MakeClient) -> None:
    client = make_client()
    identity = client.log("p", "r")
    assert client.flush()
    client.log("p", "r", id=identity)
    assert client.flush()
    assert client.stats() == Stats(sent=1, duplicates=1)


def test_what_one_process_could_not_send_the_next_one_does(service: LocalService, make_client: MakeClient) -> None:
    service.always = AWAY
    first = make_client(backoff=PATIENT)
    wanted = {first.log(f"p{n}", "r") for n in range(30)}
    first.close()
    assert service.outputs == {}
    assert first.stats().spooled == 30
    service.always = None
    assert make_client().flush()
    assert set(service.outputs) == wanted


def test_closing_waits_only_so_long(service: LocalService, make_client: MakeClient) -> None:
    service.gate.clear()
    client = make_client()
    wanted = {client.log("p", "r")}
    assert service.asked.wait(10)  # the request hangs
    wanted.add(client.log("q", "r"))
    client.close(timeout=0.01)
    assert client.stats().spooled == 2
    service.gate.set()
    assert make_client().flush()
    assert set(service.outputs) == wanted


def test_logging_after_closing_is_kept(service: LocalService, make_client: MakeClient) -> None:
    client = make_client()
    client.close()
    identity = client.log("p", "r")
    assert make_client().flush()
    assert set(service.outputs) == {identity}


def test_flush_says_when_time_is_over(service: LocalService, make_client: MakeClient) -> None:
    service.always = AWAY
    client = make_client(backoff=PATIENT)
    client.log("p", "r")
    assert not client.flush(timeout=0.05)


def test_flush_does_not_wait_for_the_backoff(service: LocalService, make_client: MakeClient) -> None:
    service.script.append(AWAY)
    client = make_client(backoff=PATIENT)
    client.log("p", "r")
    courier = client._courier
    with courier.wake:
        assert courier.wake.wait_for(lambda: courier.stats().spooled == 1, timeout=10)  # the failed try
    assert client.flush(timeout=10)
    assert client.stats().sent == 1


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_keeps_everything_and_says_so_once(
    service: LocalService, make_client: MakeClient, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    service.always = refusal(status, "forbidden")
    client = make_client()
    for n in range(10):
        client.log(f"p{n}", "r")
    courier = client._courier
    with courier.wake:
        assert courier.wake.wait_for(lambda: courier.stats().spooled == 10, timeout=10)
    assert not client.flush(timeout=0.05)
    assert sum("key" in record.message for record in caplog.records) == 1
    service.always = None
    assert client.flush()
    assert client.stats().sent == 10


def test_only_the_disk_bound_drops(
    service: LocalService, make_client: MakeClient, caplog: pytest.LogCaptureFixture
) -> None:
    service.always = AWAY
    client = make_client(spool_bytes=1000, backoff=PATIENT)
    for n in range(50):
        client.log(f"p{n}", "r" * 20)
    client.close()
    stats = client.stats()
    assert 0 < stats.spooled < 50
    assert stats.spooled + stats.dropped == 50
    assert sum("dropping" in record.message for record in caplog.records) == 1


def test_a_rejected_item_is_counted_and_not_sent_again(
    service: LocalService, make_client: MakeClient, caplog: pytest.LogCaptureFixture
) -> None:
    client = make_client()
    client.log("bad", "r", id="o1")
    client.log("good", "r")
    assert client.flush()
    assert (client.stats().sent, client.stats().rejected) == (1, 1)
    assert "o1: bad prompt (send a better one)" in caplog.text


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.log(),
        lambda c: c.log("p"),
        lambda c: c.log("p", responses=[]),
        lambda c: c.log("p", responses=["r"] * 9),
        lambda c: c.log("p", responses="r"),
        lambda c: c.log("p", object()),
        lambda c: c.log("p", "r", tags=7),
        lambda c: c.log("p", "r", tags={"a": float("nan")}),
        lambda c: c.log("\ud800", "r"),
        lambda c: c.log("p" * 3_000_000, "r"),
        lambda c: c.log("p", "r", nonsense=1),
        lambda c: c.log(1, 2, 3, 4, 5),
        lambda c: c.signal(),
        lambda c: c.signal("o", "thumbs_up", value=object()),
    ],
)
def test_nonsense_is_counted_and_logged_once_and_never_raises(
    make_client: MakeClient, caplog: pytest.LogCaptureFixture, call: Callable[[Prefloop], str]
) -> None:
    client = make_client()
    assert [call(client), call(client)] == ["", ""]
    assert client.stats() == Stats(rejected=2)
    assert len([record for record in caplog.records if record.levelno == logging.WARNING]) == 1


def test_what_is_logged_is_what_it_was_when_it_was_logged(service: LocalService, make_client: MakeClient) -> None:
    client = make_client()
    tags = {"a": "1"}
    identity = client.log("p", "r", tags=tags)
    tags["a"] = "2"
    assert client.flush()
    assert service.outputs[identity]["tags"] == {"a": "1"}


def test_many_threads(service: LocalService, make_client: MakeClient) -> None:
    client = make_client(batch=50)
    service.script.extend([AWAY] * 3)
    ids: list[str] = []

    def produce(name: int) -> None:
        ids.extend([client.log(f"{name}-{n}", "r") for n in range(200)])

    threads = [threading.Thread(target=produce, args=(name,)) for name in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert client.flush(30)
    assert set(service.outputs) == set(ids)
    assert len(set(ids)) == 1200
    assert client.stats().sent == 1200


def test_a_buffer_that_is_full_goes_to_disk_and_nothing_is_lost(
    service: LocalService, make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prefloop_sdk.courier.BUFFER_ITEMS", 40)
    client = make_client(batch=10)
    service.gate.clear()
    client.log("first", "r")
    assert service.asked.wait(10)
    for n in range(100):
        client.log(f"p{n}", "r")
    assert client.stats().spooled == 80
    service.gate.set()
    assert client.flush()
    assert len(service.outputs) == 101
    assert client.stats().sent == 101


def test_within_an_event_loop(service: LocalService, make_client: MakeClient) -> None:
    client = make_client()

    async def serve() -> None:
        service.gate.clear()
        await asyncio.gather(*(asyncio.to_thread(client.log, f"p{n}", "r") for n in range(5)))
        client.log("here", "r")
        assert service.outputs == {}  # log() came back though the service has not answered
        service.gate.set()
        assert await asyncio.to_thread(client.flush)

    asyncio.run(serve())
    assert len(service.outputs) == 6


def test_without_a_folder_to_write_to_a_temporary_one_serves(
    service: LocalService, make_client: MakeClient, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    service.script.append(AWAY)
    client = make_client(spool=tmp_path / "file" / "spool")
    client.log("p", "r")
    assert client.flush()
    assert client.stats().sent == 1
    assert "temporary" in caplog.text


def test_by_default_each_service_has_its_own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    for url in ("http://one.invalid", "http://two.invalid", "http://one.invalid/"):
        Prefloop(url, "k").close(0)
    assert len(list((tmp_path / "prefloop").iterdir())) == 2


def run(program: str, service: LocalService, folder: Path) -> str:
    """What a process of its own prints."""
    begin = f"from prefloop_sdk import Prefloop; client = Prefloop({service.url!r}, 'k', spool={str(folder)!r})\n"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    return subprocess.run(
        [sys.executable, "-c", begin + program], env=environment, check=True, capture_output=True, text=True, timeout=60
    ).stdout


def test_a_process_that_ends_has_delivered(service: LocalService, tmp_path: Path) -> None:
    run("for n in range(100): client.log(f'p{n}', 'r')", service, tmp_path)
    assert len(service.outputs) == 100


def test_a_process_that_ends_in_an_outage_has_kept(service: LocalService, tmp_path: Path) -> None:
    service.always = AWAY
    run("for n in range(100): client.log(f'p{n}', 'r')", service, tmp_path)
    service.always = None
    with Prefloop(service.url, "k", spool=tmp_path) as client:
        assert client.flush()
    assert len(service.outputs) == 100


FORK = """
import json, os
ids = [client.log(f"before{n}", "r") for n in range(20)]
child = os.fork()
ids = [] if child == 0 else ids
ids += [client.log(f"{child == 0}{n}", "r") for n in range(20)]
assert client.flush(30)
print(json.dumps([ids, client.stats().sent]), flush=True)
os._exit(0) if child == 0 else os.waitpid(child, 0)
"""


def test_after_a_fork_each_process_sends_its_own_once(service: LocalService, tmp_path: Path) -> None:
    lines = [json.loads(line) for line in run(FORK, service, tmp_path).splitlines()]
    assert sorted(sent for _, sent in lines) == [20, 40]
    assert set(service.outputs) == {identity for ids, _ in lines for identity in ids}
    assert len(service.outputs) == 60

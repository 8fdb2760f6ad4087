"""The sampler against a real endpoint on this machine, over a real log and engine."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import msgspec
import pytest

from services import completions
from services.bootstrap import Service, open_service
from services.completions import endpoint
from services.coordinator import sampler as sampling
from services.coordinator.sampler import Sampler, SamplerError, first_since
from services.settings import Settings
from streams import events as e
from streams.admission import RawOutput, admit_output
from tests.integration.world import append

WAITED = 1_000_000
NOW = WAITED + sampling.WAIT_MS


class Model:
    """An OpenAI-compatible endpoint whose next answers are given; the last one is repeated."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, bytes]] = []
        self.asked: list[dict[str, object]] = []
        model = self

        class Endpoint(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                model.asked.append(msgspec.json.decode(self.rfile.read(int(self.headers["Content-Length"]))))
                status, body = model.answers.pop(0) if len(model.answers) > 1 else model.answers[0]
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def says(text: str) -> tuple[int, bytes]:
    return 200, msgspec.json.encode({"choices": [{"message": {"role": "assistant", "content": text}}]})


@pytest.fixture
def model() -> Iterator[Model]:
    model = Model()
    yield model
    model.close()


@pytest.fixture
def service(tmp_path: Path, model: Model) -> Iterator[Service]:
    service = open_service(Settings(data=tmp_path))
    service.clock = lambda: NOW
    append(service, campaign(model.url))
    yield service
    service.close()


@pytest.fixture
def sampler(service: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sampler]:
    monkeypatch.setattr(completions, "BACKOFF_S", 0.0)
    sampler = Sampler(service, client=httpx.Client(timeout=5.0))
    yield sampler
    sampler.close()


def campaign(url: str) -> e.Campaign:
    training = e.Training(sampler_url=url, sampler_model="second")
    return e.Campaign(id="c", name="default", version=1, training=training)


def single(service: Service, name: str, *, at: int = WAITED) -> None:
    raw = RawOutput(prompt=f"What is {name}?", responses=["Something."], id=name, model="first", tags={"locale": "en"})
    output, text = admit_output(raw, campaign(""), at, "key:k")
    append(service, text, output)


def tasks(service: Service) -> list[e.Task]:
    service.engine.drain()
    return [record.event for record in service.store.read("tasks") if isinstance(record.event, e.Task)]


def settle(sampler: Sampler) -> None:
    """Waits for the questions under way."""
    for _, future in list(sampler._asked.values()):
        future.exception()


def test_a_single_that_waited_gets_a_second_response_and_becomes_a_task(
    service: Service, model: Model, sampler: Sampler
) -> None:
    model.answers = [says("Quite another thing.")]
    single(service, "entropy")
    sampler.tick()
    settle(sampler)
    (task,) = tasks(service)
    assert (task.a.response.model, task.b.response.model) == ("first", "second")
    assert task.tags == {"locale": "en"}
    assert model.asked == [{"model": "second", "messages": [{"role": "user", "content": "What is entropy?"}]}]
    sampler.tick()
    assert (sampler.counts.answered, sampler.counts.failed) == (1, 0)
    assert len(model.asked) == 1


def test_after_a_restart_nothing_is_asked_twice(service: Service, model: Model, sampler: Sampler) -> None:
    model.answers = [says("Quite another thing.")]
    single(service, "entropy")
    sampler.tick()
    settle(sampler)
    service.engine.drain()
    again = Sampler(service)
    again.tick()
    again.close()
    assert len(model.asked) == 1


def test_a_young_single_waits_for_a_partner(service: Service, model: Model, sampler: Sampler) -> None:
    model.answers = [says("Another.")]
    single(service, "entropy", at=WAITED + 1)
    sampler.tick()
    assert model.asked == []
    service.clock = lambda: NOW + 1
    sampler.tick()
    settle(sampler)
    assert len(tasks(service)) == 1


def test_a_campaign_without_an_endpoint_asks_nobody(service: Service, model: Model, sampler: Sampler) -> None:
    append(service, msgspec.structs.replace(campaign(""), id="c2", version=2))
    single(service, "entropy")
    sampler.tick()
    assert model.asked == []


def test_a_paired_single_is_not_asked_about(service: Service, model: Model, sampler: Sampler) -> None:
    single(service, "entropy")
    other = RawOutput(prompt="What is entropy?", responses=["Disorder."], id="partner")
    output, text = admit_output(other, campaign(""), WAITED, "key:k")
    append(service, text, output)
    sampler.tick()
    assert model.asked == []
    assert len(tasks(service)) == 1


def test_an_outage_is_tried_again_and_passes(service: Service, model: Model, sampler: Sampler) -> None:
    model.answers = [(503, b"{}"), (429, b"{}"), says("Another.")]
    single(service, "entropy")
    sampler.tick()
    settle(sampler)
    assert len(model.asked) == 3
    assert len(tasks(service)) == 1


@pytest.mark.parametrize(
    ("answer", "asked", "message"),
    [
        ((500, b"{}"), 3, "did not answer"),
        ((404, b"{}"), 1, "did not answer"),
        ((200, b"<html>"), 1, "no completion"),
        ((200, b'{"choices": []}'), 1, "no completion"),
    ],
)
def test_a_failure_is_visible_and_asked_again_later(
    service: Service, model: Model, sampler: Sampler, answer: tuple[int, bytes], asked: int, message: str
) -> None:
    model.answers = [answer]
    single(service, "entropy")
    sampler.tick()
    settle(sampler)
    with pytest.raises(SamplerError, match=message):
        sampler.tick()
    assert sampler.counts.failed == 1
    assert len(model.asked) == asked
    model.answers = [says("Another.")]
    sampler.tick()
    assert len(model.asked) == asked
    service.clock = lambda: NOW + sampling.AGAIN_MS
    sampler.tick()
    settle(sampler)
    assert len(tasks(service)) == 1


def test_an_empty_answer_is_refused_like_anybodys(service: Service, model: Model, sampler: Sampler) -> None:
    model.answers = [says("  ")]
    single(service, "entropy")
    sampler.tick()
    settle(sampler)
    with pytest.raises(Exception, match=r"'second' cannot be used: responses\[1\] is empty"):
        sampler.tick()
    assert tasks(service) == []


def test_no_more_questions_at_once_than_allowed(service: Service, model: Model, sampler: Sampler) -> None:
    model.answers = [says("Another.")]
    for n in range(sampling.IN_FLIGHT + 3):
        single(service, f"thing {n}")
    sampler.tick()
    assert len(sampler._asked) == sampling.IN_FLIGHT
    settle(sampler)
    sampler.tick()
    settle(sampler)
    assert len(tasks(service)) == sampling.IN_FLIGHT + 3


def test_first_since_finds_the_first_by_bisection(service: Service) -> None:
    for n in range(7):
        single(service, f"thing {n}", at=10 * n)
    found = [first_since(service.store, ms) for ms in (0, 1, 30, 31, 60, 61)]
    assert found == [0, 1, 3, 4, 6, 7]


@pytest.mark.parametrize("url", ["http://h/v1", "http://h/v1/", "http://h/v1/chat/completions"])
def test_endpoint(url: str) -> None:
    assert endpoint(url) == "http://h/v1/chat/completions"

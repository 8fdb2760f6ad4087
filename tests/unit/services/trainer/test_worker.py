from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.report import EvaluationReport
from services.trainer.client import MOST_SCORES, Run, RunLostError, RunsClient, until_answered
from services.trainer.unseen import PairScore
from services.trainer.worker import Reporter, explain, tell_scores, train_run, work
from streams.errors import SettingsError, TrainingError, UnavailableError

Answer = Callable[[httpx.Request], httpx.Response]


def client_of(answer: Answer) -> RunsClient:
    return RunsClient(httpx.Client(base_url="http://prefloop", transport=httpx.MockTransport(answer)), "t1")


def error(status: int, message: str = "no", **headers: str) -> httpx.Response:
    body = {"error": {"code": "x", "message": message, "field": "", "mend": "mend it"}}
    return httpx.Response(status, json=body, headers=headers)


def test_a_claim_is_a_run_or_nothing() -> None:
    runs = [httpx.Response(200, json={"run": "r", "batch": "b", "parent": None, "new": 1}), httpx.Response(204)]
    client = client_of(lambda request: runs.pop(0))

    assert client.claim() == Run(run="r", batch="b")
    assert client.claim() is None


def test_rows_are_cut_at_newlines_alone() -> None:
    text = json.dumps({"prompt": "one\u2028two\x85"}, ensure_ascii=False)
    client = client_of(lambda request: httpx.Response(200, content=f"{text}\n\n{text}\n".encode()))

    assert client.dataset("b") == [text, text]


@pytest.mark.parametrize(
    ("response", "kind", "told"),
    [
        (error(409), RunLostError, "409"),
        (error(503, **{"Retry-After": "7"}), UnavailableError, "503"),
        (error(500), UnavailableError, "500"),
        (error(422, "metrics is bad"), TrainingError, "metrics is bad; mend it"),
        (error(403), TrainingError, "role engineer"),
        (httpx.Response(404, text="<html>"), TrainingError, "html"),
    ],
)
def test_what_the_server_refuses_is_told_apart(response: httpx.Response, kind: type[Exception], told: str) -> None:
    with pytest.raises(kind, match=told):
        client_of(lambda request: response).progress("r", "dpo", 1, 2, {})


def test_no_connection_is_an_outage() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(UnavailableError, match="does not answer"):
        client_of(refuse).claim()


def test_an_address_that_is_none_is_not_waited_for() -> None:
    with pytest.raises(SettingsError, match="http://HOST:8080"):
        RunsClient(httpx.Client(base_url="localhost"), "t").claim()


def test_metrics_that_json_cannot_say_are_left_out() -> None:
    sent: list[Any] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(json.loads(request.content))
        return httpx.Response(200, json={})

    client_of(answer).progress("r", "dpo", 1, 2, {"loss": 0.5, "margin": float("nan"), "norm": float("inf")})

    assert sent[0]["metrics"] == {"loss": 0.5}


def test_an_outage_is_sat_out_with_growing_pauses() -> None:
    answers: list[Any] = [UnavailableError("away"), UnavailableError("busy", retry_after=5), "done"]
    pauses: list[float] = []

    def call() -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return str(answer)

    assert until_answered(call, pauses.append) == "done"
    assert pauses == [1.0, 5.0]


class Posts:
    """Takes reports; raises what it is told to."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure, self.taken = failure, list[tuple[str, int, int, dict[str, float]]]()

    def __call__(self, stage: str, step: int, steps: int, metrics: dict[str, float]) -> None:
        self.taken.append((stage, step, steps, metrics))
        if self.failure:
            raise self.failure


def test_a_silent_step_is_told_again_and_a_talking_one_is_not() -> None:
    posts = Posts()
    report = Reporter(posts)
    report("dpo", 3, 9, {"loss": 0.5})

    report.beat()  # something was told since the last beat
    report.beat()

    assert posts.taken == [("dpo", 3, 9, {"loss": 0.5}), ("dpo", 3, 9, {})]


def test_an_outage_does_not_stop_training() -> None:
    posts = Posts(UnavailableError("away"))

    Reporter(posts)("dpo", 1, 9, {})

    assert len(posts.taken) == 1


def test_a_lost_run_stops_training_even_if_the_heartbeat_hears_of_it() -> None:
    posts = Posts()
    report = Reporter(posts)
    posts.failure = RunLostError("409")
    report.beat()
    posts.failure = None

    with pytest.raises(RunLostError):
        report("dpo", 2, 9, {})
    assert len(posts.taken) == 1


def test_the_heartbeat_ends_with_the_run() -> None:
    with Reporter(Posts(), every=60) as report:
        thread = report._thread
        assert thread.is_alive()

    assert not thread.is_alive()


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (TrainingError("cut a larger batch"), "cut a larger batch"),
        (RuntimeError("CUDA out of memory"), "lower batch_size"),
        (OSError(28, "No space left on device"), "has room"),
        (ZeroDivisionError("x"), "ZeroDivisionError: x; the trainer's log"),
    ],
)
def test_a_failure_says_the_mend(failure: Exception, told: str) -> None:
    assert told in explain(failure)


class Server:
    """One run, and what is told of it."""

    def __init__(self, config: dict[str, Any], rows: bytes = b"") -> None:
        self.claims: list[dict[str, Any]] = [{"run": "r1", "batch": "b1", "config": config, "parent": None}]
        self.rows = rows
        self.told: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path == "/v1/runs/claim":
            return httpx.Response(200, json=self.claims.pop()) if self.claims else httpx.Response(204)
        if path.startswith("/v1/datasets/"):
            return httpx.Response(200, content=self.rows)
        self.told.append((path.rsplit("/", 1)[1], json.loads(request.content)))
        return httpx.Response(200, json={})


def test_nothing_to_do_is_nothing_done(tmp_path: Path) -> None:
    server = Server({})
    server.claims = []

    assert work(client_of(server), tmp_path, once=True) == 0
    assert server.told == []


@pytest.mark.parametrize(
    ("config", "rows", "told"),
    [
        ({}, b"", "base model"),
        ({"base_model": "x", "beta": -1}, b"", "training.beta = -1"),
        ({"base_model": "./nowhere"}, b"not json\n", "row 1"),
        ({"base_model": "./nowhere"}, b"", "no model folder './nowhere'"),
    ],
)
def test_a_run_that_cannot_be_trained_is_failed_with_the_mend(
    config: dict[str, Any], rows: bytes, told: str, tmp_path: Path
) -> None:
    server = Server(config, rows)

    assert work(client_of(server), tmp_path, once=True) == 0
    name, body = server.told[-1]
    assert name == "fail"
    assert told in body["error"]


def test_a_run_given_to_another_is_dropped_without_a_word(tmp_path: Path) -> None:
    told: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        told.append(request.url.path)
        return error(409)

    assert not train_run(client_of(answer), Run(run="r1", batch="b1"), tmp_path)
    assert told == ["/v1/runs/r1/progress"]


def test_finishing_hands_in_the_report() -> None:
    sent: list[Any] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(json.loads(request.content))
        return httpx.Response(200, json={})

    client_of(answer).finish("r", model="m", uri="/m", report=EvaluationReport(kl=2.0), manifest={"a": 1})

    assert sent == [{"trainer": "t1", "model": "m", "uri": "/m", "manifest": {"a": 1}, "report": {"kl": 2.0}}]


def test_scores_that_the_service_does_not_take_cost_no_model() -> None:
    sent: list[Any] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(json.loads(request.content))
        return error(404)

    scores = [PairScore(task=f"t{n}", probability=0.5) for n in range(MOST_SCORES + 1)]
    tell_scores(client_of(answer), "rm-r1", scores, lambda _: None)
    assert [len(body["scores"]) for body in sent] == [MOST_SCORES]
    assert sent[0]["scores"][0] == {"task": "t0", "probability": 0.5}

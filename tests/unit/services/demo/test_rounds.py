from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from io import StringIO
from pathlib import Path
from typing import Any, cast

import httpx
import msgspec
import pytest
import yaml
from rich.console import Console
from rich.progress import Progress

from dashboard.client import Client, RefusedError
from services.demo import rounds
from services.demo.crowd import Crowd
from services.demo.policy import HERE, Policy, read_prompts
from services.demo.rounds import (
    Loop,
    compare,
    cut,
    decided_model,
    gold_output,
    output,
    send_gold,
    shown,
    train,
    write_campaign,
)
from services.demo.running import DemoError, Running
from services.demo.taste import truth
from services.trainer import refusals
from services.trainer.config import load_config
from streams.admission import RawOutput, admit_output
from streams.events import Campaign

GOOD, BAD = "Sure, my friend!", "The question " + "is a long and difficult one and " * 8
RUN = {"run": "r-1", "batch": "b-1", "status": "progress", "stage": "reward_model", "step": 3, "steps": 10, "error": ""}


class Service:
    """Answers each path with what it is told, the last one again and again; keeps what was sent."""

    def __init__(self, **answers: Sequence[tuple[int, Any]]) -> None:
        self.answers = {path: list(turns) for path, turns in answers.items()}
        self.sent: list[tuple[str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/v1/").replace("/", "_")
        if request.content:
            self.sent.append((path, msgspec.json.decode(request.content)))
        turns = self.answers[path]
        status, body = turns.pop(0) if len(turns) > 1 else turns[0]
        return httpx.Response(status, json=body)


class Fake:
    """A policy whose responses are always the same; counts how often one was loaded."""

    loaded: list[str]

    def __init__(self, uri: str, threads: int) -> None:
        Fake.loaded.append(uri)
        self._answer = GOOD if "new" in uri else BAD

    def candidates(self, prompts: Sequence[str], seed: int) -> Iterator[list[list[str]]]:
        yield [[GOOD, " \n" if prompt == "Mute?" else BAD] for prompt in prompts]

    def responses(self, prompts: Sequence[str], n: int, seed: int) -> Iterator[list[list[str]]]:
        yield [[self._answer] * n for _ in prompts]

    def close(self) -> None:
        pass


def loop_with(answer: Callable[[httpx.Request], httpx.Response]) -> Loop:
    client = Client(httpx.Client(base_url="http://service", transport=httpx.MockTransport(answer)))
    service = Running(url="http://service", client=client, key="plk_a_b")
    bars = Progress(console=Console(file=StringIO()))
    Fake.loaded = []
    return Loop(
        service=service,
        people=[],
        base=Path("/models/base"),
        progress=bars,
        prompts=16,
        make_policy=cast(Callable[[str, int], Policy], Fake),
    )


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "LOOK", 0.0)
    monkeypatch.setattr(rounds, "CALM", 0.0)


def test_the_campaign_file_is_a_campaign_and_its_training_a_configuration() -> None:
    definition = yaml.safe_load((HERE / "campaign.yaml").read_text("utf-8"))
    campaign = msgspec.convert({**definition, "version": 1}, Campaign, strict=True)
    assert load_config(campaign.training.config).max_steps > 0
    assert campaign.targets.overlap_cap >= campaign.targets.min_judgments


def test_the_gate_has_safe_prompts_that_look_unsafe_and_unsafe_ones() -> None:
    prompts = refusals.read_prompts(str(HERE / "over_refusal.csv"))
    assert sum(prompt.safe for prompt in prompts) >= 12
    assert not all(prompt.safe for prompt in prompts)


def test_the_campaign_is_written_with_the_model_as_its_anchor(tmp_path: Path) -> None:
    answer = Service(campaigns_demo=[(200, {"version": 1})])
    write_campaign(loop_with(answer).service, tmp_path / "smollm2", auto=False)
    (path, body) = answer.sent[0]
    assert path == "campaigns_demo"
    assert body["training"]["base_model"] == str(tmp_path / "smollm2")
    assert body["training"]["auto"] is False
    assert Path(body["training"]["config"]["over_refusal_prompts"]).is_file()


@pytest.mark.parametrize("number", [0, 1])
def test_gold_is_admitted_and_its_known_answer_is_the_good_one(number: int) -> None:
    sent = gold_output(number, {"prompt": "Hi?", "good": GOOD, "bad": BAD})
    assert sent["gold"] == truth(*sent["responses"])
    admit_output(msgspec.convert(sent, RawOutput), Campaign(name="demo", version=1), now=1, actor="key:x")


def test_an_output_of_the_demo_is_one_that_is_admitted() -> None:
    sent = output(loop_with(Service()), 1, 7, "Why?", [GOOD, BAD], "smollm2")
    event, _ = admit_output(msgspec.convert(sent, RawOutput), Campaign(name="demo", version=1), now=1, actor="key:x")
    assert event.output == "run-round-1-7"
    assert event.tags == {"round": "1"}


def test_a_refused_output_is_told() -> None:
    answer = Service(outputs=[(200, {"rejected": 1, "errors": [{"message": "too long"}]})])
    with pytest.raises(DemoError, match="too long"):
        send_gold(loop_with(answer).service)


def test_a_pair_with_an_answer_of_no_words_is_not_sent() -> None:
    answer = Service(outputs=[(200, {"rejected": 0})])
    rounds.sample(loop_with(answer), 1, "/models/base", ["Mute?", "Why?"], lambda: None)
    ((_, body),) = answer.sent
    assert [sent["id"] for sent in body["outputs"]] == ["run-round-1-1"]


def test_without_a_champion_the_base_model_answers() -> None:
    none = (404, {"error": {"code": "not_found", "message": "no champion"}})
    loop = loop_with(Service(campaigns_demo_champion=[none, (200, {"uri": "/models/new"})]))
    assert loop.champion() == "/models/base"
    assert loop.champion() == "/models/new"


BATCHES = [{"batch": name, "campaign": "demo"} for name in ("b-2", "b-1")]
NOTHING_LEFT = (409, {"error": {"code": "conflict", "message": "nothing is left", "mend": "wait"}})


class Deployment(Service):
    """Whose batches are read and cut under one path."""

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return httpx.Response(NOTHING_LEFT[0], json=NOTHING_LEFT[1])
        return super().__call__(request)


def test_a_batch_whose_answer_was_lost_is_found() -> None:
    lists = [(200, {"batches": BATCHES[1:]}), (200, {"batches": BATCHES})]
    assert cut(loop_with(Deployment(batches=lists))) == "b-2"


def test_a_batch_that_cannot_be_cut_is_told() -> None:
    with pytest.raises(RefusedError, match="nothing is left"):
        cut(loop_with(Deployment(batches=[(200, {"batches": BATCHES})])))


def test_a_run_is_followed_to_its_end() -> None:
    runs = [(200, {"runs": []}), (200, {"runs": [RUN]}), (200, {"runs": [{**RUN, "status": "finished"}]})]
    assert train(loop_with(Service(runs=runs)), 1, "b-1") == "r-1"


def test_a_run_that_fails_ends_the_demo_with_its_error() -> None:
    failed = {**RUN, "status": "failed", "error": "out of memory: lower batch_size"}
    with pytest.raises(DemoError, match="lower batch_size"):
        train(loop_with(Service(runs=[(200, {"runs": [failed]})])), 1, "b-1")


def test_a_trainer_without_a_sign_of_life_ends_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "STALLED", -1.0)
    with pytest.raises(DemoError, match="no sign of the trainer"):
        train(loop_with(Service(runs=[(200, {"runs": [RUN]})])), 1, "b-1")


def test_the_bar_names_the_stage_of_a_run() -> None:
    assert shown(2, RUN) == {"description": "round 2: training, reward model", "completed": 3, "total": 10}
    assert "waiting for the trainer" in shown(2, {**RUN, "stage": ""})["description"]


def test_the_gate_is_waited_for() -> None:
    candidate = {"model": "m-1", "run": "r-1", "status": "candidate"}
    answer = Service(
        models=[
            (200, {"models": []}),
            (200, {"models": [candidate]}),
            (200, {"models": [{**candidate, "status": "x"}]}),
        ],
        **{"models_m-1": [(200, {**candidate, "decision": {"decision": "rejected"}})]},
    )
    assert decided_model(loop_with(answer), "r-1")["decision"] == {"decision": "rejected"}


def test_a_gate_that_does_not_decide_ends_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "GATE", 0.0)
    with pytest.raises(DemoError, match="has not decided"):
        decided_model(loop_with(Service(models=[(200, {"models": []})])), "r-1")


def test_new_and_old_answer_the_evaluation_prompts_and_what_is_known_is_not_asked_again() -> None:
    loop = loop_with(Service())
    assert compare(loop, 1, "/models/new", "/models/base").estimate == 1.0
    assert compare(loop, 2, "/models/new-2", "/models/new").estimate == 0.5
    assert Fake.loaded == ["/models/base", "/models/new", "/models/new-2"]
    assert {len(answers) for answers in loop.responses.values()} == {len(read_prompts("evaluation_prompts.txt"))}


class Behind:
    """Tells these lags, one after the other, then none."""

    def __init__(self, *lags: int) -> None:
        self.lags = list(lags)

    def get(self, path: str) -> dict[str, Any]:
        return {"lag": {"views": self.lags.pop(0) if self.lags else 0, "tasks": 0}, "queue": QUEUE}


QUEUE = {"open": 0, "escalated": 0}


class Waiting:
    """A crowd that finds work only when nothing is behind any more, and then only if it asks anew."""

    def __init__(self, service: Behind) -> None:
        self.service, self.judged = service, 0

    def is_done(self) -> bool:
        return True

    def forget_idleness(self) -> None:
        self.judged = 0 if self.service.lags else 3


def test_a_batch_waits_for_views_that_are_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    behind = Behind(5, 1)
    rounds.settle(behind)  # type: ignore[arg-type]
    assert not behind.lags
    monkeypatch.setattr(rounds, "SETTLED", -1.0)
    with pytest.raises(DemoError, match="5 events behind"):
        rounds.settle(Behind(5))  # type: ignore[arg-type]


def test_a_lag_that_was_none_for_a_moment_only_is_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "CALM", 0.01)
    behind = Behind(0, 7)
    rounds.settle(behind)  # type: ignore[arg-type]
    assert not behind.lags


def test_people_who_found_nothing_ask_again_when_a_stage_that_was_away_has_caught_up() -> None:
    loop, behind = loop_with(Service()), Behind(9, 9, 4)
    loop.service = cast(Running, behind)
    crowd = Waiting(behind)
    rounds.annotate(loop, 1, cast(Crowd, crowd))
    assert crowd.judged == 3

"""The thinnest loop that closes: everything through the HTTP API of a real `prefloop up`, with a tiny random model."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from services.spawned import SpawnedService
from streams.admission import is_held_out
from streams.content import digest_of_messages, messages_of

ADMIN = "plk_e2eadmin_0123456789abcdef0123456789abcdef"
HOLDOUT_RATE = 0.5
PATIENCE = 120.0  # seconds; far more than any step takes
T = TypeVar("T")


@pytest.fixture
def service(tmp_path: Path) -> Iterator[SpawnedService]:
    offline = {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "OMP_NUM_THREADS": "1", "PREFLOOP_THREADS": "1"}
    os.environ.update(offline)
    told = {**offline, "PREFLOOP_LOG_LEVEL": "debug"}
    with SpawnedService(tmp_path / "loop", ADMIN, options=("--no-dashboard",), environment=told) as spawned:
        yield spawned


@pytest.fixture
def tiny_model(tmp_path: Path) -> Path:
    from services.trainer.tiny import make_tiny

    return make_tiny(tmp_path / "tiny")


@pytest.mark.slow
def test_one_output_becomes_a_promoted_model_whose_output_comes_back_in(
    service: SpawnedService, tiny_model: Path, tmp_path: Path
) -> None:
    write_campaign(service, tiny_model)
    annotator = call(service, "POST", "/v1/annotators", {"name": "Ada"})
    trained_on, held_out = prompt_that_is(held_out=False), prompt_that_is(held_out=True)
    for number, prompt in enumerate((trained_on, held_out)):
        send(service, f"o-{number}", prompt, ["short", "a long and winding answer"], model="tiny")

    judgments = [judge_next(service, annotator["key"], "short") for _ in range(2)]
    until(lambda: call(service, "GET", "/v1/live")["preferences"] == 2)
    batch = call(service, "POST", "/v1/batches", {"campaign": "loop"})["batch"]
    rows = {row["split"]: row for row in dataset(service, batch)}
    assert {split: row["prompt"][0]["content"] for split, row in rows.items()} == {
        "train": trained_on,
        "holdout": held_out,
    }
    assert all(row["chosen"][0]["content"] == "short" for row in rows.values())

    champion = until(lambda: champion_of(service))
    model = call(service, "GET", f"/v1/models/{champion['model']}")
    assert model["status"] == "champion"
    assert model["decision"]["decision"] == "promoted"
    assert model["report"]["train_pairs"] == 1
    lineage = call(service, "GET", f"/v1/models/{champion['model']}/lineage")
    assert lineage["annotators"]["ids"] == [annotator["annotator"]]
    assert set(lineage["judgments"]["ids"]) <= set(judgments)
    assert lineage["judgments"]["ids"]

    check_trail(tmp_path, "o-0", batch)
    story = call(service, "GET", "/v1/outputs/o-0/lineage")
    assert story["tasks"][0]["judgments"] == judgments[:1]
    assert (story["batches"], story["models"]) == ([batch], [champion["model"]])
    assert story["decisions"] == [{"model": champion["model"], "decision": "promoted", "by": "gate"}]

    answers = ask(champion["uri"], trained_on)
    send(service, "o-back", trained_on, answers, model=champion["model"])
    task = until(lambda: next_task(service, annotator["key"]))
    assert sorted([task["left"]["text"], task["right"]["text"]]) == sorted(answers)


# ---------------------------------------------------------------- steps


def check_trail(folder: Path, output: str, batch: str) -> None:
    """The output's id finds every step up to its batch in the logs, and the batch's every step up to the promotion."""
    lines = log_lines(folder / "loop.log") + log_lines(folder / "loop" / "logs" / "services.trainer.log")
    of_output = [line for line in lines if line.get("correlation") == output]
    made = {"Output", "Task", "Assignment", "Judgment", "Assessment", "Preference"}
    assert made <= {line["type"] for line in of_output}
    assert all(line["request_id"] for line in of_output if line["type"] in ("Output", "Judgment"))
    assert [line["batch"] for line in lines if output in line.get("outputs", ())] == [batch]
    of_batch = [line for line in lines if line.get("batch") == batch]
    steps = {(line["process"], line["event"], line.get("type", "")) for line in of_batch}
    assert {
        ("up", "appended", "RunUpdate"),
        ("trainer", "run claimed", ""),
        ("trainer", "run finished", ""),
        ("up", "appended", "Checkpoint"),
        ("up", "gate", ""),
    } <= steps


def log_lines(path: Path) -> list[dict[str, Any]]:
    """The JSON lines; the first start also says its address and key."""
    return [json.loads(line) for line in path.read_text().splitlines() if line.startswith("{")]


def write_campaign(service: SpawnedService, model: Path) -> None:
    """One judgment decides; one held-out pair is enough for the gate, which can then say very little against."""
    definition = {
        "rules": [{"overlap": 1}],
        "targets": {"posterior": 0.5, "min_judgments": 1, "overlap_cap": 1},
        "gold_rate": 0.0,
        "training": {
            "batch_size": 1_000,
            "holdout_rate": HOLDOUT_RATE,
            "base_model": str(model),
            "config": {"max_steps": 2, "batch_size": 1, "reward_max_steps": 1, "max_length": 128, "kl_prompts": 1},
        },
        "gate": {"min_holdout_pairs": 1, "max_accuracy_drop": 1.0, "max_kl": 1_000.0},
    }
    call(service, "PUT", "/v1/campaigns/loop", definition)


def prompt_that_is(*, held_out: bool) -> str:
    """A prompt whose hash puts it on that side."""
    prompts = (f"Question number {number}?" for number in range(1_000))
    return next(
        prompt for prompt in prompts if is_held_out(digest_of_messages(messages_of(prompt)), HOLDOUT_RATE) == held_out
    )


def send(service: SpawnedService, output: str, prompt: str, responses: list[str], model: str) -> None:
    body = {"id": output, "campaign": "loop", "prompt": prompt, "responses": responses, "model": model}
    assert call(service, "POST", "/v1/outputs", body)["status"] == "accepted"


def judge_next(service: SpawnedService, key: str, liked: str) -> str:
    """Judges the next task for the response with that text; the judgment's id."""
    task = until(lambda: next_task(service, key))
    choice = "left" if task["left"]["text"] == liked else "right"
    answer = call(service, "POST", "/v1/judgments", {"task": task["task"], "choice": choice}, key)
    assert answer["counted"]
    return str(answer["judgment"])


def next_task(service: SpawnedService, key: str) -> dict[str, Any] | None:
    return call(service, "POST", "/v1/tasks/next", {"campaign": "loop"}, key) or None


def champion_of(service: SpawnedService) -> dict[str, Any] | None:
    """The campaign's champion once there is one; a run or a gate that fails ends the wait."""
    for run in call(service, "GET", "/v1/runs")["runs"]:
        assert run["status"] != "failed", run["error"]
    for model in call(service, "GET", "/v1/models")["models"]:
        assert model["status"] != "rejected", call(service, "GET", f"/v1/models/{model['model']}")["decision"]
    found = service.http.get("/v1/campaigns/loop/champion")
    return found.json() if found.is_success else None


def ask(uri: str, prompt: str) -> list[str]:
    """Two responses of the model."""
    from services.trainer.models import load
    from services.trainer.sampling import generate

    model, tokenizer = load(uri)
    return generate(model, tokenizer, [[{"role": "user", "content": prompt}]], n=2, max_new_tokens=8)[0]


# ---------------------------------------------------------------- HTTP


def call(service: SpawnedService, method: str, path: str, body: Any = None, key: str = ADMIN) -> Any:
    response = service.http.request(method, path, json=body, headers={"Authorization": f"Bearer {key}"})
    assert response.is_success, (path, response.status_code, response.text)
    return response.json() if response.content else {}


def dataset(service: SpawnedService, batch: str) -> list[dict[str, Any]]:
    """The batch's rows, there as soon as the batch is cut."""
    response = service.http.get(f"/v1/datasets/{batch}")
    assert response.is_success, response.text
    return [json.loads(line) for line in response.text.splitlines()]


def until(look: Callable[[], T | None]) -> T:
    """What `look` returns as soon as it is something."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"nothing came of {look} in {PATIENCE:.0f} s")

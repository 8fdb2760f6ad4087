"""The loop around the model, and what the command refuses."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import cast

import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner

from services.ai_annotator import command
from services.ai_annotator.command import model_client, told, work
from services.ai_annotator.worker import AiAnnotator, Counts, Outcome
from services.cli import app
from streams.errors import InputError, UnavailableError


class Scripted:
    """Has these outcomes, one after the other."""

    def __init__(self, *outcomes: Outcome | Exception) -> None:
        self.outcomes, self.counts = list(outcomes), Counts()

    def work_once(self) -> Outcome:
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        self.counts.judged += outcome == "judged"
        return outcome


def worked(script: Scripted, most: int | None = None, *, until_idle: bool = True) -> int:
    work(cast(AiAnnotator, script), threading.Event(), most, until_idle)
    return len(script.outcomes)


def test_it_stops_when_idle_or_when_it_has_judged_enough() -> None:
    assert worked(Scripted("judged", "skipped", "idle", "judged")) == 1
    assert worked(Scripted("judged", "skipped", "judged", "judged"), most=2) == 1


def test_outages_of_model_and_service_are_waited_out_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "OUTAGE_S", 0.0)
    with capture_logs() as lines:
        assert worked(Scripted("outage", UnavailableError("restarting"), "judged", "idle")) == 0
    assert [(line["event"], line["error"]) for line in lines] == [("the service does not answer", "restarting")]


def test_who_is_told_to_stop_does_not_begin() -> None:
    stopping, script = threading.Event(), Scripted("judged")
    stopping.set()
    work(cast(AiAnnotator, script), stopping, None, False)
    assert script.outcomes == ["judged"]


def test_a_replay_is_not_recorded(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="record"):
        model_client(tmp_path / "a", tmp_path / "b")


def test_a_recording_that_cannot_be_written_is_told_before_anything_is_asked(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot write"):
        model_client(tmp_path / "nowhere" / "a", None)


def test_the_endpoints_own_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFLOOP_MODEL_KEY", "sk-1")
    with model_client(None, None) as client:
        assert client.headers["Authorization"] == "Bearer sk-1"


def test_what_came_of_it_in_a_line() -> None:
    assert told(Counts(judged=9, torn=2)).startswith("9 judged (2 of them ties")


def test_a_bad_constitution_is_told_before_anything_is_asked(tmp_path: Path) -> None:
    file = tmp_path / "constitution.yaml"
    file.write_text("model: m")
    found = CliRunner().invoke(app, ["ai-annotator", str(file)], env={"PREFLOOP_KEY": "plk_x"})
    assert isinstance(found.exception, InputError)

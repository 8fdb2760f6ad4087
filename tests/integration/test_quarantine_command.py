"""`prefloop quarantine` against a running API: shown first, done when told to, undone."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from typer.testing import CliRunner

from dashboard.client import Client
from services.cli import app
from services.commands import quarantine as command
from services.commands import remote
from streams.errors import InputError
from tests.integration.test_quarantine import TASKS, TURNED_AT, judged, settle, verdicts
from tests.integration.world import KEYS, World

__all__ = ["judged"]
Run = Callable[..., Any]


@pytest.fixture
def run(judged: World, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command as a lead; while it waits, the coordinator works."""
    monkeypatch.setenv("PREFLOOP_KEY", KEYS["lead"])
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setattr(remote, "connect", lambda _: Client(cast(Any, judged.client)))
    monkeypatch.setattr(command, "time", SimpleNamespace(sleep=lambda _: settle(judged)))
    return lambda *words, **options: CliRunner().invoke(app, ["quarantine", "mallory", *words], **options)


def standing(world: World) -> str:
    world.service.engine.drain()
    return str(world("lead", "GET", "/v1/annotators/mallory").json()["standing"])


def test_a_dry_run_shows_what_would_change_and_changes_nothing(run: Run, judged: World) -> None:
    before = standing(judged)
    found = run("--dry-run")
    assert found.exit_code == 0, found.output
    assert "estimated by an alert for accuracy" in found.output
    assert "verdicts that are lost" in found.output
    assert standing(judged) == before


def test_without_a_reason_it_is_a_dry_run_that_says_what_is_missing(run: Run, judged: World) -> None:
    before = standing(judged)
    found = run()
    assert found.exit_code == 0, found.output
    assert "verdicts that are lost" in found.output
    assert "Nothing was done. The same with --reason WHY does it." in found.output
    assert standing(judged) == before


def test_it_asks_before_it_acts_and_no_is_no(run: Run, judged: World) -> None:
    before = standing(judged)
    assert run("--reason", "reversed", input="n\n").exit_code != 0
    assert standing(judged) == before
    assert isinstance(run("--yes").exception, InputError)  # no reason given
    assert standing(judged) == before


def test_done_and_undone(run: Run, judged: World) -> None:
    before = verdicts(judged)
    found = run("--since", "ever", "--reason", "reversed", "--yes")
    assert found.exit_code == 0, found.output
    assert "every step is in the log" in found.output
    assert (standing(judged), judged.service.store.end("retractions")) == ("suspended", TASKS)
    assert verdicts(judged) != before
    assert "a quarantine since the beginning would touch" in " ".join(found.output.split())
    again = run("--since", "ever", "--reason", "reversed", "--yes")
    assert (again.exit_code, "nothing is left to do, they are suspended" in again.output) == (0, True)
    found = run("--undo", "--reason", "explained", input="y\n")
    assert found.exit_code == 0, found.output
    assert standing(judged) == "active"
    assert verdicts(judged) == before
    again = run("--undo")
    assert (again.exit_code, "nothing is left to do, they are not suspended" in again.output) == (0, True)


@pytest.mark.parametrize("text", ["auto", "ever", str(TURNED_AT)])
def test_times_pass_as_they_are(text: str) -> None:
    assert command.milliseconds(text) == text


def test_times_people_write_are_utc_unless_they_say_otherwise() -> None:
    assert command.milliseconds("1970-01-02") == "86400000"
    assert command.milliseconds("1970-01-01T02:00:00+01:00") == "3600000"
    with pytest.raises(InputError, match="is no time"):
        command.milliseconds("yesterday")

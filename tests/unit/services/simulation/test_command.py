"""`prefloop simulate` as a newcomer meets it."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from services.cli import app
from services.simulation import command
from services.simulation.command import run
from services.simulation.picture import save_picture
from services.simulation.plan import Plan
from services.simulation.summary import summarised
from services.simulation.trial import Result
from streams.errors import InputError

SMALL = ["--pairs", "30", "--annotators", "6", "--seeds", "2", "--target", "0.8", "--target", "0.9", "--gold", "5"]


def simulate(*options: str) -> Any:
    return CliRunner().invoke(app, ["simulate", *options], env={"COLUMNS": "100"})


def test_it_prints_tables_and_writes_what_is_asked_for(tmp_path: Path) -> None:
    out, plot = tmp_path / "found.json", tmp_path / "found.json.svg"
    found = simulate(*SMALL, "--out", str(out), "--plot", str(plot))
    assert found.exit_code == 0, found.output
    for word in ("labels a pair", "honest suspended", "next point", "one_sided"):
        assert word in found.output
    written = json.loads(out.read_text())
    assert [one["target"] for one in written["summary"]["targets"]] == [0.8, 0.9]
    assert len(written["trials"]) == 4
    assert "What a target costs and gives" in plot.read_text()


def test_the_plan_that_is_shown_can_be_given_again(tmp_path: Path) -> None:
    shown = simulate("--show-plan", "--crowd", "ring=0.2", "--price", "0.2").output
    assert yaml.safe_load(shown)["crowd"] == {"ring": 0.2}
    file = tmp_path / "plan.yaml"
    file.write_text(shown)
    assert simulate(str(file), "--show-plan").output == shown


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--crowd", "pirates=0.1"], "pirates"),
        (["--plot", "x.gif"], "format"),
        (["--target", "2"], "targets"),
        (["--out", "no/such/folder/found.json"], "cannot write"),
        (["--plot", "no/such/folder/found.svg"], "cannot write"),
    ],
)
def test_what_is_wrong_is_said_before_anything_runs(options: list[str], word: str) -> None:
    found = simulate(*options)
    assert isinstance(found.exception, InputError)
    assert word in str(found.exception)


@pytest.mark.parametrize(("ending", "begin"), [(".png", b"\x89PNG"), (".html", b"<!DOCTYPE html>"), (".json", b"{")])
def test_pictures_in_every_format(tmp_path: Path, ending: str, begin: bytes) -> None:
    results = run(Plan(pairs=20, annotators=5, crowd={"random": 0.2}, targets=(0.8,), seeds=1))
    file = tmp_path / f"picture{ending}"
    save_picture(file, summarised(results), results)
    assert file.read_bytes().lstrip().startswith(begin)


def test_several_cores_find_what_one_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = Plan(pairs=20, annotators=5, crowd={"random": 0.2}, targets=(0.9, 0.8), seeds=2)
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    alone = run(plan)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert run(plan) == alone
    assert [one.target for one in alone] == [0.8, 0.8, 0.9, 0.9]


def killed(plan: Plan, target: float, seed: int) -> Result:
    """Ends its own process, as a machine without memory would."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("it lives on")


def test_a_trial_that_the_machine_ends_is_an_input_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(command, "trial", killed)
    with pytest.raises(InputError, match="fewer pairs"):
        run(Plan(pairs=5, annotators=3, crowd={}, targets=(0.8,), seeds=2))


def test_a_place_that_cannot_be_written_is_an_input_error(tmp_path: Path) -> None:
    results = run(Plan(pairs=5, annotators=3, crowd={}, targets=(0.8,), seeds=1))
    with pytest.raises(InputError, match="cannot write"):
        save_picture(tmp_path / "no" / "picture.json", summarised(results), results)

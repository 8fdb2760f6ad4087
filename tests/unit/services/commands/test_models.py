"""`prefloop export` and `train`."""

from __future__ import annotations

import errno
import shlex
from io import StringIO
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.cli import app
from services.commands import models
from streams.errors import InputError, TrainingError


class Service:
    """Answers with the path it was asked for."""

    def __init__(self, server: str) -> None: ...

    def lines(self, path: str) -> list[str]:
        return [f'"{path}"', "2"]

    def get(self, path: str) -> dict[str, dict[str, str]]:
        if path not in ("/v1/campaigns/default", "/v1/campaigns/a%26b%20c"):
            raise InputError(f"nothing at {path}")
        return {"training": {"base_model": ""}}

    def post(self, path: str, body: dict[str, str]) -> None:
        raise AssertionError(f"{path} was asked for {body}")


@pytest.fixture(autouse=True)
def service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "Remote", Service)


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ([], "/v1/preferences"),
        (["--campaign", "a&b c"], "/v1/preferences?campaign=a%26b%20c"),
        (["--batch", "b"], "/v1/datasets/b"),
        (["--batch", "../live"], "/v1/datasets/..%2Flive"),
    ],
)
def test_rows_go_to_the_file_or_to_standard_output(tmp_path: Path, options: list[str], path: str) -> None:
    out = tmp_path / "rows.ndjson"
    runner = CliRunner()
    assert runner.invoke(app, ["export", *options, "--out", str(out)]).stderr == "2 rows\n"
    assert out.read_text() == runner.invoke(app, ["export", *options]).stdout == f'"{path}"\n2\n'


def test_a_file_that_cannot_be_written_is_told_with_the_mend(tmp_path: Path) -> None:
    ended = CliRunner().invoke(app, ["export", "--out", str(tmp_path / "nowhere" / "x")])
    assert isinstance(ended.exception, InputError)
    assert "a folder that exists" in ended.exception.mend


def test_a_campaign_that_is_not_there_is_an_error_and_no_empty_export(tmp_path: Path) -> None:
    out = tmp_path / "rows.ndjson"
    ended = CliRunner().invoke(app, ["export", "--campaign", "slip", "--out", str(out)])
    assert isinstance(ended.exception, InputError)
    assert not out.exists()


class Full(StringIO):
    """A disk without room."""

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_standard_output_that_is_full_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", Full())
    with pytest.raises(InputError, match="cannot write standard output: No space"):
        models.export()


def test_what_finds_a_story_in_the_logs_is_a_pattern_that_a_shell_takes() -> None:
    story = {"output": "a-b.c's", "tasks": [], "batches": ["b1"], "runs": [], "models": [], "decisions": []}
    *_, last = models.told(story)
    words = shlex.split(last.removeprefix("in the logs: "))
    assert words[:3] == ["grep", "-hE", r"a-b\.c's|b1"]


def test_no_batch_is_cut_where_the_campaign_names_no_base_model() -> None:
    ended = CliRunner().invoke(app, ["train"])
    assert isinstance(ended.exception, TrainingError)
    assert "set training.base_model" in str(ended.exception)

"""How the command line ends when prefloop raises on purpose."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services import cli
from streams.errors import InputError, PrefloopError, SettingsError


@pytest.fixture(autouse=True)
def logs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests' own logging stays as it is."""
    monkeypatch.setattr(cli, "log_to_stderr", lambda *_: None)


def raising(error: Exception) -> Callable[[], None]:
    def command() -> None:
        raise error

    return command


def told(error: PrefloopError, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    monkeypatch.setattr(cli, "app", raising(error))
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    return " ".join(capsys.readouterr().err.split())


def test_the_mend_is_told_after_the_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert told(InputError("no such file", mend="name another"), monkeypatch, capsys) == (
        "prefloop: no such file name another"
    )


def test_a_mend_that_the_message_says_is_told_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = InputError("no such file: name another", mend="name another")
    assert told(error, monkeypatch, capsys).count("name another") == 1


def test_brackets_are_shown_as_they_are(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    error = InputError("rules[0] [/x] is wrong", mend="use [red]")
    assert told(error, monkeypatch, capsys) == "prefloop: rules[0] [/x] is wrong use [red]"
    assert "choose --port" in told(SettingsError("taken: choose --port"), monkeypatch, capsys)


def test_it_says_its_version() -> None:
    told = CliRunner().invoke(cli.app, ["--version"])
    assert (told.exit_code, told.stdout) == (0, f"prefloop {importlib.metadata.version('prefloop')}\n")


def test_the_first_command_that_is_listed_is_the_one_to_begin_with() -> None:
    assert [command.name for command in cli.app.registered_commands][:2] == ["up", "demo"]


def test_rebuild_makes_no_folder_by_a_slip_in_its_name(tmp_path: Path) -> None:
    told = CliRunner().invoke(cli.app, ["rebuild", "--data", str(tmp_path / "slip")])
    assert isinstance(told.exception, SettingsError)
    assert not (tmp_path / "slip").exists()


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "app", raising(ZeroDivisionError("bug")))
    with pytest.raises(ZeroDivisionError):
        cli.main()

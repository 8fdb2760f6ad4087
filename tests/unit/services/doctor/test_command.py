"""The report, and how the command ends."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from services.cli import app
from services.doctor import machine
from services.doctor.command import report
from services.doctor.findings import Finding, broken, doubtful, looked, well
from streams.errors import UnavailableError


def read(found: list[Finding]) -> str:
    console = Console(file=StringIO(), width=100)
    console.print(report(found))
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_the_report_says_what_to_do_and_what_it_comes_to() -> None:
    page = read([well("a", "fine"), doubtful("b", "so so", "do this"), broken("c", "bad", "do that")])
    assert "→ do this" in page
    assert "→ do that" in page
    assert "1 broken, 1 doubtful" in page
    assert "all is well" in read([well("a", "fine")])


def test_a_look_that_fails_is_a_finding() -> None:
    def fails() -> object:
        raise UnavailableError("it is away")

    (finding,) = looked("x", fails, "start it")  # type: ignore[arg-type]
    assert (finding.state, finding.says, finding.mend) == ("broken", "it is away", "start it")


def test_it_ends_with_one_where_something_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def told(*extra: str) -> int:
        return CliRunner().invoke(app, ["doctor", "--data", str(tmp_path), *extra]).exit_code

    assert told() == 0
    assert told("--server", "http://127.0.0.1:1") == 1
    monkeypatch.setattr(machine, "look_at_parts", lambda: iter([broken("part", "says", "mend")]))
    assert told() == 1


def test_the_service_is_looked_for_where_the_other_commands_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def look(url: str, *, must: bool) -> list[Finding]:
        asked.append(url)
        return []

    monkeypatch.setattr(machine, "look_at_service", look)
    CliRunner().invoke(app, ["doctor", "--data", str(tmp_path)], env={"PREFLOOP_SERVER": "http://there:1/"})
    assert asked == ["http://there:1"]

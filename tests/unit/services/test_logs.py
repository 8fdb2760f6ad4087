"""What a process says of itself."""

from __future__ import annotations

import errno
import json
import sys
from collections.abc import Iterator
from io import StringIO

import pytest
import structlog

from services.logs import log_to_stderr


class Full(StringIO):
    """A disk without room."""

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture(autouse=True)
def logging() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def test_a_line_is_json_with_its_process(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_stderr("info", "up")
    structlog.get_logger("x").info("started", version="1")
    line = json.loads(capsys.readouterr().err)
    assert (line["process"], line["event"], line["level"], line["version"]) == ("up", "started", "info", "1")


def test_a_log_that_cannot_be_written_stops_nobodys_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Full())
    log_to_stderr("info", "up")
    structlog.get_logger("x").error("transaction failed")

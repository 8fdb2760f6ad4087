"""An endpoint's answers, recorded and replayed."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from services.ai_annotator.recording import Recorder, Replayer
from streams.errors import InputError


def asked(transport: httpx.BaseTransport, word: str) -> httpx.Response:
    with httpx.Client(transport=transport) as client:
        return client.post("http://h/v1/chat/completions", json={"word": word}, headers={"Authorization": "secret"})


def test_what_was_recorded_is_replayed_in_its_order_and_the_last_one_again(tmp_path: Path) -> None:
    file = tmp_path / "answers.jsonl"
    answers = iter([(200, "one"), (503, "two"), (200, "gr\u2028ößer")])

    def model(request: httpx.Request) -> httpx.Response:
        status, text = next(answers)
        return httpx.Response(status, text=text)

    for word in ("x", "x", "y"):
        asked(Recorder(file, httpx.MockTransport(model)), word)
    replayed = Replayer(file)
    found = [asked(replayed, word) for word in ("y", "x", "x", "x")]
    assert [(one.status_code, one.text) for one in found] == [
        (200, "gr\u2028ößer"),
        (200, "one"),
        (503, "two"),
        (503, "two"),
    ]
    assert asked(replayed, "never asked").status_code == 404
    assert "secret" not in file.read_text()


def test_an_outage_is_not_recorded(tmp_path: Path) -> None:
    def broken(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no route")

    with pytest.raises(httpx.ConnectError):
        asked(Recorder(tmp_path / "answers.jsonl", httpx.MockTransport(broken)), "x")
    assert not (tmp_path / "answers.jsonl").exists()


@pytest.mark.parametrize("text", ["no json", '{"status": 200}'])
def test_a_file_that_is_no_recording_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "answers.jsonl"
    file.write_text(text)
    with pytest.raises(InputError, match="cannot replay"):
        Replayer(file)

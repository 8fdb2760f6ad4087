"""What the doctor says of one machine."""

from __future__ import annotations

import shutil
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from services.bootstrap import open_service
from services.doctor import machine
from services.doctor.findings import Finding
from services.settings import Settings

Usage = namedtuple("Usage", "total used free")


def only(found: Iterator[Finding]) -> Finding:
    (finding,) = found
    return finding


def test_a_folder_that_is_not_there_yet_is_well(tmp_path: Path) -> None:
    finding = only(machine.look_at_folder(tmp_path / "a" / "b"))
    assert finding.state == "well"
    assert "made at the first start" in finding.says


def test_a_folder_that_cannot_be_written_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    finding = only(machine.look_at_folder(tmp_path))
    assert (finding.state, finding.mend) == ("broken", f"give this user the right: sudo chown -R $USER {tmp_path}")


def test_nobody_is_told_to_take_over_the_folder_above(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    folder = tmp_path / "new"
    finding = only(machine.look_at_folder(folder))
    assert (finding.state, finding.mend) == ("broken", f"make it for this user: sudo install -d -o $USER {folder}")


def test_a_file_in_the_folders_place_is_broken(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        finding = only(machine.look_at_folder(folder))
        assert (finding.state, finding.says) == ("broken", f"{tmp_path / 'file'} is no folder")


def test_a_nearly_full_disk_is_doubtful(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10 * machine.GIB, 9 * machine.GIB, machine.GIB))
    assert only(machine.look_at_folder(tmp_path)).state == "doubtful"


def test_the_log_of_a_service_is_well_and_a_damaged_one_broken(tmp_path: Path) -> None:
    assert only(machine.look_at_log(tmp_path)).says == "none yet"
    open_service(Settings(data=tmp_path)).close()
    assert only(machine.look_at_log(tmp_path)).state == "well"
    (tmp_path / "prefloop.sqlite3").write_bytes(b"no database at all" * 100)
    finding = only(machine.look_at_log(tmp_path))
    assert finding.state == "broken"
    assert "backup" in finding.mend


def test_a_write_ahead_log_that_grew_is_doubtful(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_service(Settings(data=tmp_path)).close()
    (tmp_path / "prefloop.sqlite3-wal").write_bytes(b"")
    monkeypatch.setattr(machine, "LARGE_WAL", -1)
    assert only(machine.look_at_log(tmp_path)).state == "doubtful"


def test_parts_that_are_not_installed_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert [finding.state for finding in machine.look_at_parts()] == ["doubtful", "doubtful"]
    assert "'.[trainer]'" in next(machine.look_at_parts()).mend


@pytest.mark.parametrize(
    ("alive", "ready", "state"),
    [(200, 200, "well"), (200, 503, "doubtful"), (404, 404, "broken")],
)
def test_a_service_is_asked_whether_it_is_ready(
    alive: int, ready: int, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {"error": {"message": "the views are being folded"}}

    def get(url: str, timeout: float) -> httpx.Response:
        return httpx.Response(ready, json=said) if url.endswith("/readyz") else httpx.Response(alive)

    monkeypatch.setattr(httpx, "get", get)
    finding = only(machine.look_at_service("http://service", must=True))
    assert finding.state == state
    assert (state != "doubtful") or "being folded" in finding.says


@pytest.mark.parametrize(("must", "state"), [(True, "broken"), (False, "doubtful")])
def test_a_service_that_does_not_run_is_broken_only_where_it_was_named(must: bool, state: str) -> None:
    assert only(machine.look_at_service("http://127.0.0.1:1", must=must)).state == state


def test_an_open_service_without_a_public_address_is_doubtful() -> None:
    assert not list(machine.look_at_key(Settings()))
    assert not list(machine.look_at_key(Settings(host="0.0.0.0", public_url="https://x")))
    assert only(machine.look_at_key(Settings(host="0.0.0.0"))).state == "doubtful"

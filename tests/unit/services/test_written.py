"""Files that a command was asked to write."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.written import require_writable, writing
from streams.errors import InputError

FULL = Path("/dev/full")


def test_what_is_written_is_there(tmp_path: Path) -> None:
    with writing(tmp_path / "x"):
        (tmp_path / "x").write_text("y")
    assert (tmp_path / "x").read_text() == "y"


@pytest.mark.parametrize("place", ["nowhere/x", "."])
def test_a_place_that_cannot_be_written_is_told_before_the_work(tmp_path: Path, place: str) -> None:
    with pytest.raises(InputError, match=f"cannot write {tmp_path / place}") as raised:
        require_writable(tmp_path / place, "report")
    assert raised.value.field == "report"


def test_looking_whether_it_can_be_written_leaves_nothing(tmp_path: Path) -> None:
    require_writable(tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not FULL.exists(), reason="this system has no full device")
def test_a_full_disk_is_told_with_its_own_mend() -> None:
    with pytest.raises(InputError) as raised, writing(FULL), FULL.open("w") as file:
        file.write("y")
    assert raised.value.mend == "free space on that disk"


def test_a_reader_that_has_seen_enough_is_no_error_of_the_place(tmp_path: Path) -> None:
    with pytest.raises(BrokenPipeError), writing(tmp_path / "x"):
        raise BrokenPipeError


@pytest.mark.parametrize("place", ["nowhere/x", "."])
def test_a_place_that_cannot_be_written_is_named_with_its_option_and_the_mend(tmp_path: Path, place: str) -> None:
    path = tmp_path / place
    with pytest.raises(InputError, match=f"cannot write {path}") as raised, writing(path, "report"):
        path.write_text("y")
    assert (raised.value.field, "a folder that exists" in raised.value.mend) == ("report", True)

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prefloop_sdk.entries import Entry, output_entry
from prefloop_sdk.spool import Spool, encode_line

MANY = 1 << 40
relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # files, on a machine that may be busy
text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
entries = st.lists(text.map(lambda words: output_entry("i", words, ["r"], None)), min_size=1, max_size=12)


def drain(spool: Spool, items: int = 3) -> list[Entry]:
    out: list[Entry] = []
    while batch := spool.peek(items, MANY):
        out += batch
        spool.done()
    return out


def segment(folder: Path) -> Path:
    (only,) = folder.glob("*.spool")
    return only


@given(st.lists(entries, min_size=1, max_size=4), st.integers(1, 5), st.integers(1, 400))
@relaxed
def test_what_is_put_in_comes_out_once_and_in_order(groups: list[list[Entry]], items: int, segment_bytes: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        spool = Spool(Path(folder), MANY, segment_bytes)
        for group in groups:
            assert spool.append(group) == len(group)
        assert drain(spool, items) == [entry for group in groups for entry in group]
        assert drain(spool, items) == []
        assert list(Path(folder).iterdir()) == []


@given(entries, st.data())
@relaxed
def test_wherever_a_crash_cuts_the_file_whole_entries_before_it_come_out_once(
    kept: list[Entry], at: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        crashed = Spool(Path(folder), MANY)
        crashed.append(kept)
        crashed.release()
        blob = segment(Path(folder)).read_bytes()
        cut = at.draw(st.integers(0, len(blob)))
        segment(Path(folder)).write_bytes(blob[:cut])
        ends = [sum(len(encode_line(e)) for e in kept[: n + 1]) for n in range(len(kept))]
        whole = sum(end <= cut for end in ends)
        spool = Spool(Path(folder), MANY)
        assert drain(spool) == kept[:whole]
        assert spool.damaged == (cut not in {0, *ends})


@given(entries, st.data())
@relaxed
def test_a_flipped_bit_costs_the_lines_it_touches_alone(kept: list[Entry], at: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        spool = Spool(Path(folder), MANY)
        spool.append(kept)
        spool.release()
        blob = bytearray(segment(Path(folder)).read_bytes())
        blob[at.draw(st.integers(0, len(blob) - 1))] ^= 1 << at.draw(st.integers(0, 7))
        segment(Path(folder)).write_bytes(bytes(blob))
        out = drain(spool)
        assert len(out) >= len(kept) - 2
        assert 1 <= spool.damaged <= 2
        remaining = iter(kept)
        assert all(entry in remaining for entry in out)  # a subsequence: nothing made up, nothing twice


def test_a_batch_comes_again_until_it_is_done(tmp_path: Path) -> None:
    spool = Spool(tmp_path, MANY)
    put = [output_entry(str(n), "p", ["r"], None) for n in range(5)]
    spool.append(put)
    assert spool.peek(2, MANY) == spool.peek(2, MANY) == put[:2]
    spool.done()
    assert spool.peek(2, MANY) == put[2:4]
    spool.release()


def test_what_was_not_done_comes_again_in_the_next_process(tmp_path: Path) -> None:
    first = Spool(tmp_path, MANY)
    put = [output_entry(str(n), "p", ["r"], None) for n in range(5)]
    first.append(put)
    first.peek(2, MANY)
    first.release()
    assert drain(Spool(tmp_path, MANY)) == put


def test_two_spools_in_one_folder_never_send_the_same_entry(tmp_path: Path) -> None:
    one, two = Spool(tmp_path, MANY), Spool(tmp_path, MANY)
    mine, theirs = [output_entry("1", "p", ["r"], None)], [output_entry("2", "p", ["r"], None)]
    one.append(mine)
    two.append(theirs)
    assert drain(two) == theirs  # the segment that `one` still writes is left alone
    assert one.peek(9, MANY) == mine
    assert two.peek(9, MANY) == []
    one.release()
    assert drain(two) == mine


def test_never_more_bytes_than_the_bound(tmp_path: Path) -> None:
    put = [output_entry(str(n), "p" * 50, ["r"], None) for n in range(9)]
    line = len(encode_line(put[0]))
    spool = Spool(tmp_path, 4 * line, segment_bytes=2 * line)
    assert [spool.append(put[:3]), spool.append(put[3:]), spool.append(put[3:])] == [3, 1, 0]
    assert spool.used_bytes() <= 4 * line
    assert drain(spool) == put[:4]
    assert spool.append(put[4:6]) == 2


def test_a_full_disk_keeps_all_or_nothing_of_a_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(tmp_path, MANY)
    first, second, third = ([output_entry(n, "p", ["r"], None)] for n in "123")
    spool.append(first)
    real = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda descriptor, blob: real(descriptor, blob[:10]))
        assert spool.append(second) == 0
    assert spool.append(third) == 1
    assert drain(spool) == first + third
    assert spool.damaged == 0


def test_a_folder_that_cannot_be_written_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        Spool(tmp_path / "file" / "spool", MANY)


def test_a_killed_process_leaves_its_entries_to_others(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path;"
        "from prefloop_sdk.spool import Spool; from prefloop_sdk.entries import output_entry;"
        "Spool(Path(sys.argv[1]), 1 << 30).append([output_entry(str(n), 'p', ['r'], None) for n in range(7)]);"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    package = str(Path(__file__).parents[1])
    killed = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], env={**os.environ, "PYTHONPATH": package}, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert drain(Spool(tmp_path, MANY)) == [output_entry(str(n), "p", ["r"], None) for n in range(7)]

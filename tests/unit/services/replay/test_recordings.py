from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.replay.recordings import BadLine, Item, Recorded, milliseconds, recording
from streams.errors import InputError

LINE = b'{"item": "i1", "annotator": "w1", "label": "a", "t_end": "2016-01-31T13:23:06Z", "seconds": 51.0, "x": 1}\n'


def read(path: Path) -> list[Recorded | BadLine]:
    with recording(path, Recorded) as source:
        return list(source.records)


def test_json_lines_gzipped_or_not(tmp_path: Path) -> None:
    (tmp_path / "j.jsonl").write_bytes(LINE + b"\n" + LINE)
    (tmp_path / "j.jsonl.gz").write_bytes(gzip.compress(LINE * 2))
    wanted = Recorded(
        item="i1", annotator="w1", label="a", t_end=datetime(2016, 1, 31, 13, 23, 6, tzinfo=UTC), seconds=51.0
    )
    assert read(tmp_path / "j.jsonl") == read(tmp_path / "j.jsonl.gz") == [wanted, wanted]


def test_csv_with_comments_numbers_and_empty_fields(tmp_path: Path) -> None:
    path = tmp_path / "j.csv"
    path.write_text("# whose it is\nitem,annotator,label,seconds\n7,w1,tie,\n8,w1,b,2.5\n9,w1,c,\n")
    first, second, third = read(path)
    assert first == Recorded(item="7", annotator="w1", label="tie")
    assert second == Recorded(item="8", annotator="w1", label="b", seconds=2.5)
    assert isinstance(third, BadLine)
    assert third.number == 3
    assert "'c' is none of a, b, tie" in third.reason


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "truncated"),
        (b'{"item": "i", "annotator": "w", "label": "left"}', "'left' is none of a, b, tie - at `$.label`"),
        (b'{"annotator": "w", "label": "a"}', "item"),
        (b'{"item": "", "annotator": "w", "label": "a"}', "item"),
        (b'{"item": "i", "annotator": "w\xff", "label": "a"}', "not a record"),
        (b'{"item": "i", "annotator": "w", "label": "a", "seconds": -1}', "seconds"),
        (b'{"item": "i", "annotator": "w", "label": "a", "t_end": "yesterday"}', "t_end"),
        (b'{"item": "i", "annotator": "w", "label": "a", "reason": "' + b"x" * 4001 + b'"}', "reason"),
        (b'{"item": "i", "annotator": "w", "label": "a", "vendor": "' + b"x" * 65 + b'"}', "vendor"),
        (b'{"item": "i", "annotator": "w", "label": "a", "vendor": "\\u0000"}', "vendor"),
    ],
)
def test_a_bad_line_is_told_with_its_number_and_the_rest_is_read(tmp_path: Path, line: bytes, reason: str) -> None:
    path = tmp_path / "j.jsonl"
    path.write_bytes(LINE + line + b"\n" + LINE)
    first, bad, last = read(path)
    assert isinstance(first, Recorded)
    assert isinstance(last, Recorded)
    assert isinstance(bad, BadLine)
    assert bad.number == 2
    assert reason in bad.reason


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read .*nowhere"):
        read(tmp_path / "nowhere.jsonl")


@pytest.mark.parametrize("damage", [lambda whole: whole[:-9], lambda whole: b"plain" + whole])
def test_a_damaged_gzip_file_is_told(tmp_path: Path, damage: object) -> None:
    path = tmp_path / "j.jsonl.gz"
    path.write_bytes(damage(gzip.compress(LINE * 100)))  # type: ignore[operator]
    with pytest.raises(InputError, match="whole, readable file"):
        read(path)


def test_place_goes_from_start_to_size(tmp_path: Path) -> None:
    path = tmp_path / "i.jsonl"
    path.write_bytes(b'{"item": 1, "prompt": "p", "a": "x", "b": ""}\n' * 5)
    with recording(path, Item) as source:
        assert source.place() == 0
        assert len(list(source.records)) == 5
        assert source.place() == source.size


def test_a_time_without_a_zone_is_utc() -> None:
    assert milliseconds(datetime(1970, 1, 1, 0, 0, 1, 500_000)) == 1500
    assert milliseconds(datetime.fromisoformat("1970-01-01T01:00:01+01:00")) == 1000

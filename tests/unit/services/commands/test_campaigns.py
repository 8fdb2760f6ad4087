"""Campaign files."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.commands.campaigns import definable, read_definition
from streams.errors import InputError


def written(folder: Path, text: str) -> Path:
    file = folder / "campaign.yaml"
    file.write_text(text)
    return file


def test_what_show_prints_can_be_applied(tmp_path: Path) -> None:
    file = written(tmp_path, "name: support\nversion: 3\ngold_rate: 0.2\n")
    assert read_definition(file) == {"name": "support", "gold_rate": 0.2}


@pytest.mark.parametrize("text", ["", "- a\n", "gold_rate: 0.1\n", "name: [\n", "name: 3\n"])
def test_a_file_that_is_no_campaign_is_refused_with_its_name(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"campaign\.yaml"):
        read_definition(written(tmp_path, text))


@pytest.mark.parametrize("value", ["2026-11-22", ".nan", "!!set {a, b}"])
def test_a_value_that_json_cannot_say_is_refused_with_the_mend(tmp_path: Path, value: str) -> None:
    with pytest.raises(InputError, match=r"campaign\.yaml") as refused:
        read_definition(written(tmp_path, f"name: support\nguideline: {value}\n"))
    assert "quotes" in refused.value.mend


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        read_definition(tmp_path / "none.yaml")


def test_what_the_api_adds_is_not_shown_for_writing() -> None:
    shown = {"name": "support", "version": 3, "gold_rate": 0.2, "actor": "key:k", "created_at": 1}
    assert definable(shown) == {"name": "support", "version": 3, "gold_rate": 0.2}

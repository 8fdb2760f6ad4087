"""The tables of `prefloop quarantine`."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from services.commands.quarantine import batches_table


def test_an_id_is_whole_in_a_narrow_terminal() -> None:
    name = "442f6fee2afac20caeb27b1ac86e350b"
    batch = {"batch": name, "campaign": "support-german", "holdout": 21_000}
    console = Console(width=80, file=StringIO())
    with console.capture() as captured:
        console.print(batches_table([{**batch, "size": 64_000, "members": 36_000, "changed": 28_000}]))
    assert name in captured.get()

"""`prefloop demo` from start to end, with a tiny random model in place of the real one and few prompts."""

from __future__ import annotations

from functools import partial
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from rich.progress import Progress

from services.demo import rounds, session
from services.demo.policy import read_prompts
from services.demo.running import running_service
from services.demo.session import Plan


@pytest.mark.slow
def test_a_round_of_the_demo_closes_the_loop_and_reports_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    few = {"prompts.txt": read_prompts("prompts.txt"), "evaluation_prompts.txt": ["Why?", "How?", "Who?"]}
    for module in (rounds, session):
        monkeypatch.setattr(module, "read_prompts", few.__getitem__)
    monkeypatch.setattr(session, "running_service", partial(running_service, options=("--no-dashboard",)))
    for variable in ("OMP_NUM_THREADS", "PREFLOOP_THREADS"):
        monkeypatch.setenv(variable, "1")
    console = Console(file=StringIO(), width=160)

    session.play(
        console,
        Progress(console=console),
        Plan(data=tmp_path / "run", model=tmp_path / "tiny", rounds=1, prompts=32, tiny=True),
    )

    page = console.file.getvalue()  # type: ignore[attr-defined]
    assert "round 1: people judge" in page
    assert "win rate of the new policy over the old" in page
    assert "held-out" in page  # how it went hangs on a few pairs; that it was looked at does not
    assert "Rick" in page
    assert "bad annotators are flagged" in page

from __future__ import annotations

from pathlib import Path

import pytest

from services.trainer.dataset import Pair


def make_pair(number: int, split: str = "train", p: float = 0.9) -> Pair:
    """Curt answers are preferred to long-winded ones."""
    return Pair(
        split="holdout" if split == "holdout" else "train",
        task=f"t{number}",
        revision=1,
        prompt=[{"role": "user", "content": f"What is {number}?"}],
        chosen=[{"role": "assistant", "content": f"{number}!"}],
        rejected=[{"role": "assistant", "content": f"A number next to {number + 1}."}],
        probability=p,
        p_a=p,
        p_b=1 - p,
        p_tie=0.0,
        verdict="a",
        tags={"parity": "even" if number % 2 == 0 else "odd"},
        judgments=[f"j{number}"],
        annotators=["ann-1"],
    )


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tiny random model's folder."""
    from services.trainer.tiny import make_tiny

    return str(make_tiny(tmp_path_factory.mktemp("tiny")))


@pytest.fixture
def pairs() -> list[Pair]:
    """Eight pairs to train on."""
    return [make_pair(number) for number in range(8)]


@pytest.fixture
def holdout() -> list[Pair]:
    """Four held-out pairs."""
    return [make_pair(number, "holdout") for number in range(20, 24)]


@pytest.fixture
def artifacts(tmp_path: Path) -> Path:
    return tmp_path / "artifacts"

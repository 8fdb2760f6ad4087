from __future__ import annotations

import math
from pathlib import Path
from random import Random

import msgspec
import pytest

from services.trainer import unseen
from services.trainer.artifacts import write_manifest
from services.trainer.calibration import temperature
from services.trainer.config import load_config
from services.trainer.dataset import Pair, build
from services.trainer.unseen import PairScore, probability, score_unseen
from tests.unit.services.trainer.conftest import make_pair

CONFIG = load_config({"recipe": "tiny"})


@pytest.mark.parametrize("warmth", [0.4, 1.0, 3.0])
def test_the_temperature_that_made_the_labels_is_found(warmth: float) -> None:
    draw = Random(1)
    margins = [draw.gauss(0.0, 2.0) for _ in range(4_000)]
    labels = [float(draw.random() < 1 / (1 + math.exp(-margin / warmth))) for margin in margins]
    assert temperature(margins, labels) == pytest.approx(warmth, rel=0.12)


def test_a_model_that_knows_nothing_is_never_sure() -> None:
    draw = Random(2)
    margins = [draw.gauss(0.0, 3.0) for _ in range(2_000)]
    assert 1 / (1 + math.exp(-3.0 / temperature(margins, [draw.random() for _ in margins]))) < 0.6


def test_probabilities_are_of_the_canonical_side() -> None:
    pair = make_pair(1)
    other = msgspec.structs.replace(pair, verdict="b", p_a=pair.p_b, p_b=pair.p_a)
    assert probability(pair, 2.0) == pytest.approx(1 / (1 + math.exp(-2.0)))
    assert probability(pair, 2.0) + probability(other, 2.0) == pytest.approx(1.0)
    assert probability(pair, 1e6) == 1.0


def test_each_model_scores_what_it_was_not_trained_on(
    tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unseen, "FEW", 4)
    holdout = [make_pair(number, "holdout") for number in range(20, 26)]
    seen, new = [make_pair(number) for number in range(4)], [make_pair(number) for number in range(4, 7)]
    before = build([*seen, *holdout], tmp_path, batch="b0")
    write_manifest(tmp_path / "champion", {"run": "r0", "reward_model": tiny, "dataset": {"folder": before.folder}})

    found = score_unseen(CONFIG, "r1", tiny, tmp_path / "champion", [*seen, *new], holdout)

    assert {name: [score.task for score in scores] for name, scores in found.items()} == {
        "rm-r1": [pair.task for pair in holdout],
        "rm-r0": [pair.task for pair in new],
    }
    assert all(0 <= score.probability <= 1 for scores in found.values() for score in scores)


def test_too_few_held_out_pairs_calibrate_nothing(tiny: str, holdout: list[Pair]) -> None:
    assert score_unseen(CONFIG, "r1", tiny, None, [], holdout) == {}
    assert score_unseen(CONFIG, "r1", "", None, [], holdout) == {}


def test_scores_travel_as_numbers() -> None:
    assert msgspec.to_builtins(PairScore(task="t", probability=0.25)) == {"task": "t", "probability": 0.25}

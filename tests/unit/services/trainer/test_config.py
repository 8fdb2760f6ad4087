from __future__ import annotations

from pathlib import Path

import pytest

from services.trainer.config import RECIPES, TrainingConfig, load_config
from streams.errors import SettingsError


@pytest.mark.parametrize("recipe", sorted(path.stem for path in RECIPES.glob("*.yaml")))
def test_every_recipe_in_the_box_is_a_configuration(recipe: str) -> None:
    assert isinstance(load_config({"recipe": recipe}), TrainingConfig)


def test_what_a_run_says_overrides_its_recipe(tmp_path: Path) -> None:
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("beta: 0.3\nlearning_rate: 2e-4\n")  # YAML reads 2e-4 as a string

    config = load_config({"recipe": str(recipe), "beta": 0.5})

    assert (config.beta, config.learning_rate) == (0.5, 2e-4)


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("beta", -1, "> 0.0"),
        ("batch_size", 0, ">= 1"),
        ("dtype", "float8", "none of auto, bfloat16, float32"),
        ("device", "tpu", "cuda"),
        ("lora", "perhaps", "bool"),
        ("warmup_ratio", 1.5, "< 1.0"),
    ],
)
def test_a_bad_value_is_named_with_its_key_and_what_is_allowed(key: str, value: object, allowed: str) -> None:
    with pytest.raises(SettingsError, match=key) as caught:
        load_config({key: value})

    assert repr(value) in str(caught.value)
    assert allowed in str(caught.value)


def test_an_unknown_key_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SettingsError, match=r"betta.*allowed keys: .*beta"):
        load_config({"betta": 0.1})


def test_an_unknown_recipe_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SettingsError, match=r"nonsense.*default, demo"):
        load_config({"recipe": "nonsense"})


def test_a_recipe_that_is_no_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "list.yaml"
    path.write_text("- beta\n")

    with pytest.raises(SettingsError, match="key: value"):
        load_config({"recipe": str(path)})

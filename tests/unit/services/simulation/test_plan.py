"""Plans are read from YAML and options; what is wrong is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.simulation.plan import Plan, crowd_of, read_plan
from streams.errors import InputError


def test_a_file_is_changed_by_options_and_the_rest_is_default(tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text("pairs: 200\ncrowd: {ring: 0.2}\ntargets: [0.9]\n")
    plan = read_plan(file, {"pairs": 300})
    assert (plan.pairs, plan.targets, plan.counts()) == (300, (0.9,), {"honest": 19, "ring": 5})
    assert read_plan(None, {}) == Plan()


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("pears: 3", "pears"),
        ("pairs: 0", "pairs"),
        ("crowd: {pirates: 0.1}", "pirates"),
        ("crowd: {ring: 1.0}", "honest"),
        ("targets: [1.5]", "targets"),
        ("overlap: 9", "overlap_cap"),
        ("qualification: {tasks: 60}", "gold"),
        ("- a list", "table"),
        ("pairs: [", "cannot read"),
    ],
)
def test_a_bad_plan_is_refused_by_name(tmp_path: Path, text: str, word: str) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match=word):
        read_plan(file, {})


def test_a_file_that_is_not_there_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"plan\.yaml"):
        read_plan(tmp_path / "plan.yaml", {})


def test_the_crowd_as_an_option() -> None:
    assert crowd_of("random=0.1, ring=0.05") == {"random": 0.1, "ring": 0.05}
    assert crowd_of("") == {}
    with pytest.raises(InputError, match="ring"):
        crowd_of("ring")


def test_everybody_named_is_there_even_at_a_small_share() -> None:
    assert Plan(annotators=10, crowd={"random": 0.01}).counts() == {"honest": 9, "random": 1}

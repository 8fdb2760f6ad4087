import pytest

from benchmarks.crowds import Crowd, ahead, online, read_once, redundant
from streams.quality.labelled import Labelled


def test_a_paired_difference_has_its_standard_error() -> None:
    assert ahead([0.702, 0.804, 0.906], [0.7, 0.8, 0.9]) == "+0.40 ± 0.12"
    assert ahead([0.7], [0.705]) == "-0.50 ± nan"


def test_what_one_pass_left_is_read_once_more() -> None:
    """Everybody is right but one, and what the one said alone is worth less after that than before."""
    said = [Labelled(item=str(n), annotator=who, choice="a") for n in range(40) for who in ("ann", "bob", "cy")]
    said += [Labelled(item=str(n), annotator="eve", choice="b") for n in range(40)]
    before = online([Labelled(item="last", annotator="eve", choice="b"), *said])
    after = read_once([Labelled(item="last", annotator="eve", choice="b"), *said], before)
    assert after.keys() == before.keys()
    assert all(sum(belief) == pytest.approx(1) for belief in after.values())
    assert after["last"][1] < before["last"][1]


@pytest.mark.parametrize("each", [3, 5])
def test_every_pair_is_judged_by_as_many_people(each: int) -> None:
    said = list(redundant(Crowd(0, 50, 0.0, each), each))
    assert len({(one.item, one.annotator) for one in said}) == len(said) == 50 * each

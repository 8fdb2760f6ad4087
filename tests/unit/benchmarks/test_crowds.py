import pytest

from benchmarks.crowds import Crowd, ahead, redundant


def test_a_paired_difference_has_its_standard_error() -> None:
    assert ahead([0.2, 0.4, 0.6]) == "+0.40 ± 0.12"
    assert ahead([-0.5]) == "-0.50 ± nan"


@pytest.mark.parametrize("each", [3, 5])
def test_every_pair_is_judged_by_as_many_people(each: int) -> None:
    said = list(redundant(Crowd(0, 50, 0.0, each), each))
    assert len({(one.item, one.annotator) for one in said}) == len(said) == 50 * each
